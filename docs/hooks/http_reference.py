"""The HTTP reference in Markdown, generated from the OpenAPI document."""

from collections.abc import Iterable, Mapping
from typing import Any

Document = Mapping[str, Any]

_PROBLEM_MEDIA_TYPE = "application/problem+json"


def operations(openapi: Document) -> str:
    """A section for each operation: parameters, body, responses and problems."""
    return "\n".join(
        _operation(f"{method.upper()} {path}", operation, openapi)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    )


def schemas(openapi: Document) -> str:
    """A section for each JSON object that a response may contain."""
    return "\n".join(
        f"### {name}\n\n{schema.get('description', '')}\n\n{_fields(schema, openapi)}\n"
        for name, schema in sorted(openapi["components"]["schemas"].items())
        if "properties" in schema
    )


def _operation(name: str, operation: Document, openapi: Document) -> str:
    parts = [f"## {name}", f"**{operation['summary']}.**", operation.get("description", "")]
    if parameters := operation.get("parameters"):
        rows = [_parameter(parameter, openapi) for parameter in parameters]
        parts += ["Parameters:", _table(("parameter", "in", "values", "default", "what"), rows)]
    if body := operation.get("requestBody"):
        parts += [f"Body: {_lower(body['description'])}", _table(("`Content-Type`", "what"), _bodies(body, openapi))]
    answers = {status: answer for status, answer in operation["responses"].items() if not _is_problem(answer)}
    failures = [answer for answer in operation["responses"].values() if _is_problem(answer)]
    parts += ["Answers:", _table(("status", "`Content-Type`", "what"), _answers(answers, openapi))]
    headers = {name: header for answer in answers.values() for name, header in answer.get("headers", {}).items()}
    if headers:
        rows = [(f"`{name}`", header["description"]) for name, header in headers.items()]
        parts += ["Headers of the answer:", _table(("header", "what"), rows)]
    if failures:
        slugs = [slug for answer in failures for slug in answer["content"][_PROBLEM_MEDIA_TYPE]["examples"]]
        parts += [f"Problems: {', '.join(f'[`{slug}`](#{slug})' for slug in slugs)}."]
    return "\n\n".join(part for part in parts if part) + "\n"


def _parameter(parameter: Document, openapi: Document) -> tuple[object, ...]:
    schema = parameter["schema"]
    default = f"`{schema['default']}`" if "default" in schema else ""
    values = _type(schema, openapi)
    return f"`{parameter['name']}`", parameter["in"], values, default, parameter.get("description", "")


def _bodies(body: Document, openapi: Document) -> Iterable[tuple[object, ...]]:
    for media_type, content in body["content"].items():
        schema = content["schema"]
        fields = [
            f"Field `{name}`: {_lower(field.get('description', _type(field, openapi)))}"
            for name, field in schema.get("properties", {}).items()
        ]
        yield f"`{media_type}`", " ".join(fields) or _type(schema, openapi)


def _answers(answers: Mapping[str, Document], openapi: Document) -> Iterable[tuple[object, ...]]:
    for status, answer in answers.items():
        for media_type, content in answer.get("content", {"": {}}).items():
            schema = content.get("schema", {})
            what = f"{answer['description']} {_type(schema, openapi)}"
            yield status, f"`{media_type}`" if media_type else "", what


def _fields(schema: Document, openapi: Document) -> str:
    rows = [
        (f"`{name}`", _type(field, openapi), field.get("description", ""))
        for name, field in schema["properties"].items()
    ]
    return _table(("field", "type", "what"), rows)


def _type(schema: Document, openapi: Document) -> str:
    """A schema in a few words."""
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        target = openapi["components"]["schemas"][name]
        return f"[{name}](#{name.lower()})" if "properties" in target else _type(target, openapi)
    if options := schema.get("anyOf", schema.get("oneOf")):
        return " or ".join(_type(option, openapi) for option in options)
    if values := [schema["const"]] if "const" in schema else schema.get("enum"):
        return ", ".join(f"`{value}`" for value in values)
    match schema.get("type"):
        case "array":
            items = schema.get("prefixItems", [schema.get("items", {})])
            return f"list of {_type(items[0], openapi)}"
        case "string" if schema.get("format") == "binary":
            return "bytes"
        case "number" | "integer" as kind if "minimum" in schema and "maximum" in schema:
            return f"{kind} {schema['minimum']}..{schema['maximum']}"
        case kind:
            return str(kind or "")


def _is_problem(answer: Document) -> bool:
    return _PROBLEM_MEDIA_TYPE in answer.get("content", {})


def _lower(text: str) -> str:
    """Lower-case the first letter of a sentence, to append it to another text; abbreviations stay."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("\n", " ").replace("|", "\\|")
