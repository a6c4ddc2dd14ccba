"""Puts the application together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import torch
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline

from app import __version__
from app.errors import install_error_handlers
from app.metrics import Metrics
from app.middleware import BriefStartupFailure, ObservationMiddleware
from app.openapi import describe_problems
from app.routes import catalogue, operations, page, segment
from app.service import Service
from app.settings import Settings
from app.threads import start_threads
from model.segmenter import Segmenter
from model.tiling import TilingLimits

_DESCRIPTION = """Semantic segmentation over HTTP: send an image of any size, get the class of every pixel.

The network is a fully convolutional network with a ResNet-18 backbone; `GET /model` says which one and how good it
is, `GET /classes` what it tells apart. Errors are RFC 9457 problem documents.
"""

_TAGS = [
    {"name": "segmentation", "description": "The work."},
    {"name": "about", "description": "What is served."},
    {"name": "operations", "description": "Probes and metrics."},
]


def create_app(settings: Settings) -> FastAPI:
    """The application. The weights are loaded, checked and warmed up when it starts, not here."""
    app = FastAPIOffline(
        title="FCN segmentation",
        version=__version__,
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        lifespan=_lifespan,
    )
    app.state.settings = settings
    app.state.metrics = Metrics()
    app.state.service = None
    install_error_handlers(app)
    describe_problems(app)
    for group in (segment, catalogue, operations, page):
        app.include_router(group.router)
    app.mount("/static", StaticFiles(directory=page.STATIC), name="static")
    app.add_middleware(ObservationMiddleware, metrics=app.state.metrics)
    app.add_middleware(BriefStartupFailure)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    all_cores = start_threads("all-cores", 1)
    segmenter = await asyncio.wrap_future(all_cores.submit(_load, settings))
    service = Service(settings, segmenter, all_cores, app.state.metrics)
    app.state.service = service
    yield
    service.close()


def _load(settings: Settings) -> Segmenter:
    if settings.threads:
        torch.set_num_threads(settings.threads)
    limits = TilingLimits(
        band_pixels=settings.band_pixels,
        photograph_pixels=settings.photograph_pixels,
        max_whole_pixels=settings.max_whole_pixels,
    )
    # Its golden image goes through the network here, which warms it up.
    return Segmenter.load(settings.weights, settings.device, limits, settings.precision)
