"""Reloads weights and keys without downtime."""

import asyncio
import logging
from dataclasses import dataclass

from fastapi import FastAPI

from app.api.auth.keys import KeysError
from app.api.state import state_of
from app.problems import DRAINING, NOT_READY, ProblemError
from model.errors import SegmentationError

_logger = logging.getLogger("app")


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The weights and keys in use after a reload.

    Attributes:
        sha256: SHA-256 of the weights file.
        keys: number of API keys.
    """

    sha256: str
    keys: int


async def reload(app: FastAPI) -> Reloaded:
    """Reload weights and keys, then call the application's ``after_reload``, which notifies the other workers.

    Raises:
        KeysError: the keys cannot be used; nothing has changed.
        SegmentationError: the weights cannot be used; nothing has changed.
        ProblemError: the service is starting or shutting down.
    """
    reloaded = await _reload_here(app)
    state_of(app).after_reload()
    return reloaded


async def reload_on(hangup: asyncio.Event, app: FastAPI) -> None:
    """Reload in this process whenever an event is set, and log the outcome. Never returns."""
    while True:
        await hangup.wait()
        hangup.clear()
        try:
            reloaded = await _reload_here(app)
        except (KeysError, SegmentationError) as error:
            _logger.error("reload failed: %s; keeping the old weights and keys", error)
        except ProblemError as error:
            _logger.info("not reloaded: %s", error)
        except Exception:
            _logger.exception("reload failed; keeping the old weights and keys")
        else:
            _logger.info("reloaded: weights %s, %d keys", reloaded.sha256, reloaded.keys)


async def _reload_here(app: FastAPI) -> Reloaded:
    state = state_of(app)
    service, keys = state.service, state.keys
    if service is None:
        raise ProblemError(NOT_READY, "the service is starting")
    if service.draining:
        raise ProblemError(DRAINING, "the service is shutting down")
    if keys is None:
        return Reloaded(await service.reload(), 0)
    try:
        new_keys = keys.read()
    except KeysError:
        state.metrics.reloads.labels("failure").inc()
        raise
    sha256 = await service.reload()
    keys.replace(new_keys)
    return Reloaded(sha256, len(keys))
