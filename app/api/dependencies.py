"""What routes ask for."""

from typing import Annotated, cast

from fastapi import Depends, Request

from app.observability.metrics import Metrics
from app.pipeline.service import Service
from app.problems import NOT_READY, ProblemError
from app.settings import Settings


async def _settings(request: Request) -> Settings:
    return cast("Settings", request.app.state.settings)


async def _metrics(request: Request) -> Metrics:
    return cast("Metrics", request.app.state.metrics)


async def _service(request: Request) -> Service:
    service: Service | None = request.app.state.service
    if service is None:
        raise ProblemError(NOT_READY, "the weights are not loaded yet", {"Retry-After": "1"})
    return service


SettingsDependency = Annotated[Settings, Depends(_settings)]
MetricsDependency = Annotated[Metrics, Depends(_metrics)]
ServiceDependency = Annotated[Service, Depends(_service)]
