"""Python client of the service: ``Client``, and ``AsyncClient`` for asyncio. Needs only httpx2, NumPy and Pillow."""

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
