"""Who may do what: API keys and the rate limit, as dependencies of routes."""

import math
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from app.api.auth.keys import Keys, KeyScope
from app.api.auth.rate_limit import RateLimit
from app.problems import FORBIDDEN, RATE_LIMITED, UNAUTHORIZED, ProblemError
from app.settings import Settings

KEY_HEADER = "X-API-Key"

_ADDRESS_LENGTH = 64

# No query parameter: it would be in the logs of everything on the way.
_BEARER = HTTPBearer(scheme_name="bearer", description="An API key as a bearer token.", auto_error=False)
_HEADER = APIKeyHeader(name=KEY_HEADER, scheme_name="header", description="An API key.", auto_error=False)


def require(scope: KeyScope) -> Any:
    """The dependency of a route that a key with this scope opens; looked at before the body is read.

    The name of the key is in ``request.state.client`` then.
    """
    return Security(_authorize, scopes=[scope.value])


def limit_rate() -> Any:
    """The dependency of a route whose clients have a rate limit; comes after the one that knows them by their keys."""
    return Depends(_limit_rate)


def describe_access(app: FastAPI, settings: Settings) -> None:
    """Leave in the OpenAPI document only the keys that are needed with these settings."""
    openapi = app.openapi

    def openapi_with_keys_needed() -> dict[str, Any]:
        document = openapi()
        for operation in (operation for path in document["paths"].values() for operation in path.values()):
            scopes = {scope for way in operation.get("security", []) for names in way.values() for scope in names}
            if not any(_needs_key(KeyScope(scope), settings) for scope in scopes):
                operation.pop("security", None)
        return document

    app.openapi = openapi_with_keys_needed  # type: ignore[method-assign]


async def _authorize(
    request: Request,
    scopes: SecurityScopes,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    header: Annotated[str | None, Depends(_HEADER)],
) -> None:
    for scope in map(KeyScope, scopes.scopes):
        if _needs_key(scope, request.app.state.settings):
            _check(request, bearer.credentials if bearer else header, scope)


def _needs_key(scope: KeyScope, settings: Settings) -> bool:
    match scope:
        case KeyScope.SEGMENT:
            return settings.keys is not None
        case KeyScope.METRICS:
            return settings.protect_metrics
        case KeyScope.ADMIN:
            return True


def _check(request: Request, presented: str | None, scope: KeyScope) -> None:
    keys: Keys | None = request.app.state.keys
    if keys is None:
        raise ProblemError(FORBIDDEN, "without API keys nobody may; FCN_KEYS names the file that holds them")
    key = keys.find(presented) if presented else None
    if key is None:
        detail = f"send an API key that is known here, as Authorization: Bearer KEY or as {KEY_HEADER}: KEY"
        raise ProblemError(UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})
    request.state.client = key.name
    if scope not in key.scopes:
        raise ProblemError(FORBIDDEN, f"the key of {key.name} lacks the scope {scope}")


async def _limit_rate(request: Request) -> None:
    limit: RateLimit | None = request.app.state.rate_limit
    if limit is None:
        return
    # What a proxy forwards may be anything.
    address = request.client.host[:_ADDRESS_LENGTH] if request.client else "unknown"
    wait_s = math.ceil(limit.take(getattr(request.state, "client", address)))
    if wait_s:
        detail = f"this client sends more requests than it may; try again in {wait_s} s"
        raise ProblemError(RATE_LIMITED, detail, {"Retry-After": str(wait_s)})
