"""Describes problems in the OpenAPI document."""

from collections.abc import Callable, Iterable
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from app.api.errors import PROBLEM_MEDIA_TYPE
from app.api.schemas import ProblemDetails
from app.problems import Problem

REFERENCE = "#/components/schemas/{model}"
"""Reference to a model's schema in the document."""


def problem_responses(*problems: Problem) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may raise these problems."""
    return {status: _response(kinds) for status, kinds in by_status(problems).items()}


def by_status(problems: Iterable[Problem]) -> dict[int, list[Problem]]:
    """Group problems by status."""
    grouped: dict[int, list[Problem]] = {}
    for problem in problems:
        grouped.setdefault(problem.status, []).append(problem)
    return grouped


def complete_openapi(app: FastAPI, bodies: Iterable[type[BaseModel]], needs_key: Callable[[str], bool]) -> None:
    """Complete the OpenAPI document of ``app`` with what FastAPI cannot know.

    Args:
        app: the application.
        bodies: models of request bodies that routes read themselves and refer to.
        needs_key: whether a scope needs an API key; operations that need none lose their security requirement.
    """
    openapi = app.openapi
    # FastAPI would describe a problem, the response's model, under the media type of success.
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(ProblemDetails, "serialization")]
    models += [(body, "validation") for body in bodies]

    def completed() -> dict[str, Any]:
        document = openapi()
        _, schemas = models_json_schema(models, ref_template=REFERENCE)
        document["components"]["schemas"].update(schemas["$defs"])
        for operation in (operation for path in document["paths"].values() for operation in path.values()):
            scopes = {scope for way in operation.get("security", []) for names in way.values() for scope in names}
            if not any(needs_key(scope) for scope in scopes):
                operation.pop("security", None)
        return document

    app.openapi = completed  # type: ignore[method-assign]


def _response(kinds: list[Problem]) -> dict[str, Any]:
    return {
        "description": " ".join(f"`{kind.slug}`: {kind.description}" for kind in kinds),
        "content": {
            PROBLEM_MEDIA_TYPE: {
                "schema": {"$ref": REFERENCE.format(model=ProblemDetails.__name__)},
                "examples": {kind.slug: {"value": _example(kind)} for kind in kinds},
            }
        },
    }


def _example(kind: Problem) -> dict[str, object]:
    return {"type": kind.type, "title": kind.title, "status": kind.status, "detail": kind.description}
