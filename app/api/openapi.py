"""How problems are described in the OpenAPI document."""

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from app.api.errors import PROBLEM_MEDIA_TYPE
from app.api.schemas import ProblemDocument
from app.problems import Problem

REFERENCE = "#/components/schemas/{model}"
"""Where the document has the schema of a model."""


def problem_responses(*problems: Problem) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may end in these problems."""
    return {status: _response(kinds) for status, kinds in by_status(problems).items()}


def by_status(problems: Iterable[Problem]) -> dict[int, list[Problem]]:
    """Problems that are told with the same status, together."""
    grouped: dict[int, list[Problem]] = {}
    for problem in problems:
        grouped.setdefault(problem.status, []).append(problem)
    return grouped


def describe_problems(app: FastAPI) -> None:
    """Add the schema that ``problem_responses`` refer to.

    FastAPI would describe a response's model under the media type of success.
    """
    _add_schema(app, ProblemDocument, "serialization")


def describe_bodies(app: FastAPI, *models: type[BaseModel]) -> None:
    """Add the schemas of bodies that routes read themselves, and refer to."""
    for model in models:
        _add_schema(app, model, "validation")


def _add_schema(app: FastAPI, model: type[BaseModel], mode: JsonSchemaMode) -> None:
    openapi = app.openapi

    def openapi_with_schema() -> dict[str, Any]:
        document = openapi()
        _, schemas = models_json_schema([(model, mode)], ref_template=REFERENCE)
        document["components"]["schemas"].update(schemas["$defs"])
        return document

    app.openapi = openapi_with_schema  # type: ignore[method-assign]


def _response(kinds: list[Problem]) -> dict[str, Any]:
    return {
        "description": " ".join(f"`{kind.slug}`: {kind.description}" for kind in kinds),
        "content": {
            PROBLEM_MEDIA_TYPE: {
                "schema": {"$ref": REFERENCE.format(model=ProblemDocument.__name__)},
                "examples": {kind.slug: {"value": _example(kind)} for kind in kinds},
            }
        },
    }


def _example(kind: Problem) -> dict[str, object]:
    return {"type": kind.type, "title": kind.title, "status": kind.status, "detail": kind.description}
