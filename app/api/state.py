"""The state of a running application."""

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
        metrics: metrics of this process.
        service: the service; None until the weights are loaded.
        keys: API keys; None if none are configured.
        rate_limit: rate limit of clients; None if there is none.
        loads_in_background: whether the application starts before the weights are loaded.
        loading: task that loads the weights; exists once the application has started.
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
    """The state of an application made by ``create_app``."""
    return cast("AppState", app.state)
