"""Dependencies of routes."""

from typing import Annotated

from fastapi import Depends, Request

from app.api.state import state_of
from app.observability.metrics import Metrics
from app.pipeline.service import Service
from app.problems import NOT_READY, ProblemError
from app.settings import Settings


async def _settings(request: Request) -> Settings:
    return state_of(request.app).settings


async def _metrics(request: Request) -> Metrics:
    return state_of(request.app).metrics


async def _service(request: Request) -> Service:
    service = state_of(request.app).service
    if service is None:
        raise ProblemError(NOT_READY, "the weights are not loaded yet", retry_after_s=1)
    return service


SettingsDependency = Annotated[Settings, Depends(_settings)]
MetricsDependency = Annotated[Metrics, Depends(_metrics)]
ServiceDependency = Annotated[Service, Depends(_service)]
