"""Checks of problem documents."""

from typing import Any

import httpx2

from app.problems import Problem


def require_problem(response: httpx2.Response, problem: Problem) -> dict[str, Any]:
    """Require a response with this problem, and return its document."""
    assert response.status_code == problem.status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"]
    document: dict[str, Any] = response.json()
    assert document["type"] == problem.type
    assert document["title"] == problem.title
    assert document["status"] == problem.status
    assert document["detail"]
    return document
