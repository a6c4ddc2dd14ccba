"""What an application holds for as long as it runs."""

import asyncio
from collections.abc import Callable
from typing import cast

from fastapi import FastAPI
from starlette.datastructures import State

from app.api.auth.keys import Keys
from app.api.auth.rate_limit import RateLimit
from app.observability.metrics import Metrics
from app.pipeline.service import Service
from app.settings import Settings


class AppState(State):
    """The attributes of ``app.state``, typed.

    Attributes:
        settings: settings of the service.
        metrics: metrics of this process.
        service: None until the weights are loaded.
        keys: API keys, or None if none are configured.
        rate_limit: None if clients have no limit.
        loads_in_background: whether the application starts before the weights are loaded.
        loading: ends when the weights are loaded; there once the application has started.
        after_reload: called when ``/admin/reload`` has succeeded.
    """

    settings: Settings
    metrics: Metrics
    service: Service | None
    keys: Keys | None
    rate_limit: RateLimit | None
    loads_in_background: bool
    loading: asyncio.Task[None]
    after_reload: Callable[[], None]


def state_of(app: FastAPI) -> AppState:
    """The state of an application that ``create_app`` has made."""
    return cast("AppState", app.state)
