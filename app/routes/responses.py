"""How problems are described in OpenAPI."""

from typing import Any

from app.errors import PROBLEM_MEDIA_TYPE, Problem
from app.schemas import ProblemDocument


def problem_responses(*problems: Problem) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may end in these problems."""
    by_status: dict[int, list[Problem]] = {}
    for problem in problems:
        by_status.setdefault(problem.status, []).append(problem)
    return {status: _response(kinds) for status, kinds in by_status.items()}


def _response(kinds: list[Problem]) -> dict[str, Any]:
    return {
        "description": " ".join(f"`{kind.slug}`: {kind.description}" for kind in kinds),
        "content": {
            PROBLEM_MEDIA_TYPE: {
                "schema": ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}"),
                "examples": {kind.slug: {"value": _example(kind)} for kind in kinds},
            }
        },
    }


def _example(kind: Problem) -> dict[str, object]:
    return {"type": kind.type, "title": kind.title, "status": kind.status, "detail": kind.description}
