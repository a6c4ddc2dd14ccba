"""The service from Python: ``Client``, and ``AsyncClient`` for asyncio. Needs httpx2, NumPy and Pillow, and no more."""

from app.client.async_client import AsyncClient
from app.client.client import Client
from app.client.errors import (
    ClientError,
    ServiceConnectionError,
    ServiceError,
    ServiceTimeoutError,
    ServiceUnavailableError,
    UnexpectedResponseError,
)
from app.client.images import ImageInput
from app.client.segmentation import ClassInfo, ClassShare, Segmentation
from app.client.timeouts import Timeouts

__all__ = [
    "AsyncClient",
    "ClassInfo",
    "ClassShare",
    "Client",
    "ClientError",
    "ImageInput",
    "Segmentation",
    "ServiceConnectionError",
    "ServiceError",
    "ServiceTimeoutError",
    "ServiceUnavailableError",
    "Timeouts",
    "UnexpectedResponseError",
]
