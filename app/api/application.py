"""Builds the application."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import numpy as np
from fastapi import FastAPI

from app import __version__
from app.api.auth.dependencies import KEY_HEADER, needs_key
from app.api.auth.keys import Keys
from app.api.auth.rate_limit import RateLimit
from app.api.errors import install_error_handlers
from app.api.middleware.cors import Cors
from app.api.middleware.head_requests import HeadMiddleware
from app.api.middleware.observation import ObservationMiddleware
from app.api.middleware.ranges import NoRangeRequestsMiddleware
from app.api.middleware.relative_redirects import RelativeRedirectsMiddleware
from app.api.middleware.security_headers import SecurityHeadersMiddleware
from app.api.middleware.startup_error import StartupErrorMiddleware
from app.api.middleware.tracing import TELEMETRY, sending_spans
from app.api.oip import routes as oip
from app.api.oip.body import LENGTH_HEADER
from app.api.oip.schemas import InferenceRequest
from app.api.openapi import complete_openapi
from app.api.responses import DIGEST_HEADER, PRECISION_HEADER
from app.api.routes import admin, health, metrics, model, page, reference, segment
from app.api.state import AppState, state_of
from app.heap import trim_heap
from app.observability.metrics import Metrics
from app.pipeline.cost import TYPICAL_IMAGE_SIZE
from app.pipeline.loading import Loader
from app.pipeline.service import Service
from app.settings import Settings
from app.threads import thread_pool
from model.cores import set_threads
from model.segmenter import Segmenter

_logger = logging.getLogger("app")

_DESCRIPTION = """Semantic segmentation over HTTP: send an image of any size, get the class of every pixel.

The network is a fully convolutional network with a ResNet-18 backbone; `GET /model` describes it and its scores,
`GET /classes` lists its classes. Errors are RFC 9457 problem documents.
"""

_TAGS = [
    {"name": "segmentation", "description": "Segment images."},
    {"name": "about", "description": "The network and its classes, and the kinds of problems."},
    {"name": "operations", "description": "Probes, metrics and, with a key, reloading the weights."},
    {
        "name": "open inference protocol",
        "description": "The same service by version 2 of the Open Inference Protocol, with that protocol's errors.",
    },
]


def create_app(
    settings: Settings, *, load_in_background: bool = False, after_reload: Callable[[], None] = lambda: None
) -> FastAPI:
    """Make the application. It loads, checks and warms up the weights when it starts, not here.

    Args:
        settings: settings of the service.
        load_in_background: whether the application starts before the weights are loaded, and responds with 503 until
            then; the caller must await ``app.state.loading``.
        after_reload: called when ``/admin/reload`` has succeeded.
    """
    app = FastAPI(
        title="FCN segmentation",
        version=__version__,
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        docs_url=None,
        redoc_url=None,
        servers=[{"url": "."}],
        lifespan=_lifespan,
        telemetry=TELEMETRY,
    )
    app.state = state = AppState()
    state.settings = settings
    state.metrics = Metrics()
    state.service = None
    state.loads_in_background = load_in_background
    state.after_reload = after_reload
    state.keys = Keys(settings.api_keys_file) if settings.api_keys_file else None
    state.rate_limit = RateLimit(settings.rate_per_s, settings.rate_burst) if settings.rate_per_s else None
    install_error_handlers(app)
    complete_openapi(app, [InferenceRequest], partial(needs_key, settings=settings))
    for group in (segment, model, health, metrics, admin, oip, page, reference):
        app.include_router(group.router)
    app.mount("/static", page.PageFiles(), name="static")
    app.mount(reference.FILES_PATH, reference.ReferenceFiles())
    _add_middleware(app, settings, state.metrics)
    return app


def _add_middleware(app: FastAPI, settings: Settings, metrics: Metrics) -> None:
    """Add the middleware, from the innermost on."""
    app.add_middleware(RelativeRedirectsMiddleware)
    app.add_middleware(NoRangeRequestsMiddleware)
    app.add_middleware(ObservationMiddleware, metrics=metrics)
    if settings.cors_origins:
        # Around everything that responds: without these headers, pages of other origins could not read errors.
        app.add_middleware(
            Cors,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=(
                "Authorization",
                "Content-Encoding",
                "Content-Type",
                LENGTH_HEADER,
                KEY_HEADER,
                "X-Request-ID",
            ),
            expose_headers=(
                LENGTH_HEADER,
                "Retry-After",
                "Server-Timing",
                DIGEST_HEADER,
                PRECISION_HEADER,
                "X-Request-ID",
            ),
        )
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(HeadMiddleware)
    app.add_middleware(StartupErrorMiddleware)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state = state_of(app)
    state.loading = asyncio.create_task(_start_service(state))
    if not state.loads_in_background:
        await state.loading
    sampling = asyncio.create_task(state.metrics.sample_regularly())
    with sending_spans():
        yield
    sampling.cancel()
    if state.service is not None:
        state.service.close()


async def _start_service(state: AppState) -> None:
    settings = state.settings
    if state.keys is not None:
        state.keys.reload()
    all_cores = thread_pool("all-cores", 1)
    loader = Loader(settings)
    segmenter, seconds_per_pixel = await asyncio.wrap_future(all_cores.submit(_prepare, settings, loader))
    service = Service(settings, segmenter, all_cores, state.metrics, loader.load, seconds_per_pixel)
    service.start_decoders()
    _logger.info("memory: %s", service.bound)
    state.metrics.memory_bound.set(service.bound.total_bytes)
    state.service = service


def _prepare(settings: Settings, loader: Loader) -> tuple[Segmenter, float]:
    """Load the segmenter, and measure its seconds per pixel."""
    set_threads(settings.threads, "FCN_THREADS")
    segmenter = loader.load()
    seconds_per_pixel = min(_seconds_per_pixel(segmenter) for _ in range(2))  # the first run allocates memory
    trim_heap()  # memory that was used to read the weights
    return segmenter, seconds_per_pixel


def _seconds_per_pixel(segmenter: Segmenter) -> float:
    """Measured seconds per pixel of a typical small image."""
    image = np.zeros((*TYPICAL_IMAGE_SIZE, 3), dtype=np.uint8)
    started = time.perf_counter()
    mask = segmenter.segment(image).mask
    return (time.perf_counter() - started) / mask.size
