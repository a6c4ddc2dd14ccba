"""API keys and the rate limit as dependencies of routes."""

import math
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from app.api.auth.keys import KeyScope
from app.api.state import state_of
from app.problems import FORBIDDEN, RATE_LIMITED, UNAUTHORIZED, ProblemError
from app.settings import Settings

KEY_HEADER = "X-API-Key"

_ADDRESS_LENGTH = 64

# Not as a query parameter, which would appear in the logs of all proxies on the way.
_BEARER = HTTPBearer(scheme_name="bearer", description="An API key as a bearer token.", auto_error=False)
_HEADER = APIKeyHeader(name=KEY_HEADER, scheme_name="header", description="An API key.", auto_error=False)


def require(scope: KeyScope) -> Any:
    """The dependency of a route that requires a key with this scope; checked before the body is read.

    It stores the key's name in ``request.state.client``.
    """
    return Security(_authorize, scopes=[scope.value])


def limit_rate() -> Any:
    """The dependency of a route with a rate limit; must follow ``require``, which identifies clients by their keys."""
    return Depends(_limit_rate)


def needs_key(scope: str, settings: Settings) -> bool:
    """Whether routes of this scope require an API key with these settings."""
    match KeyScope(scope):
        case KeyScope.SEGMENT:
            return settings.api_keys_file is not None
        case KeyScope.METRICS:
            return settings.protect_metrics
        case KeyScope.ADMIN:
            return True


async def _authorize(
    request: Request,
    scopes: SecurityScopes,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    header: Annotated[str | None, Depends(_HEADER)],
) -> None:
    for scope in map(KeyScope, scopes.scopes):
        if needs_key(scope, state_of(request.app).settings):
            _check(request, bearer.credentials if bearer else header, scope)


def _check(request: Request, presented: str | None, scope: KeyScope) -> None:
    keys = state_of(request.app).keys
    if keys is None:
        raise ProblemError(FORBIDDEN, "no API keys are configured; FCN_API_KEYS_FILE names their file")
    key = keys.find(presented) if presented else None
    if key is None:
        detail = f"send a valid API key, as Authorization: Bearer KEY or as {KEY_HEADER}: KEY"
        raise ProblemError(UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})
    request.state.client = key.name
    if scope not in key.scopes:
        raise ProblemError(FORBIDDEN, f"the key of {key.name} lacks the scope {scope}")


async def _limit_rate(request: Request) -> None:
    limit = state_of(request.app).rate_limit
    if limit is None:
        return
    # A proxy may forward any text as the address.
    address = request.client.host[:_ADDRESS_LENGTH] if request.client else "unknown"
    wait_s = math.ceil(limit.take(getattr(request.state, "client", address)))
    if wait_s:
        detail = f"this client exceeds its rate limit; try again in {wait_s} s"
        raise ProblemError(RATE_LIMITED, detail, retry_after_s=wait_s)
