"""Settings of the service: environment variables with the prefix ``FCN_``."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

from app.process_settings import AnyCase, ProcessSettings
from model.precision import Precision
from model.precision_choice import DEFAULT_TOLERANCE
from model.segmenter import DEFAULT_WEIGHTS
from model.tiling import TilingLimits

_LIMITS = TilingLimits()

Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _origin(value: str) -> str:
    if not re.fullmatch(r"\*|https?://[^\s/?#*]+", value):
        raise PydanticCustomError(
            "origin", "{value} is not an origin; use https://host, with or without a port, or *", {"value": value}
        )
    return value


def _proxies(value: str) -> str:
    for proxy in value.split(",") if value not in ("", "*") else ():
        try:
            ip_network(proxy.strip())
        except ValueError as error:
            raise PydanticCustomError(
                "proxy", "{fault}; use comma-separated addresses, or * alone", {"fault": str(error)}
            ) from error
    return value


Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_split)]


class Settings(ProcessSettings):
    """Settings of the service. Every default suits a machine without a GPU."""

    weights: Path = Field(DEFAULT_WEIGHTS, description="Checkpoint to serve; the default ships with the service.")
    device: Annotated[str, AnyCase] = Field(
        "auto", description="`cpu`, `cuda`, `cuda:1`, ...; `auto` uses CUDA if it is available."
    )
    precision: Annotated[Precision, AnyCase] = Field(
        Precision.AUTO,
        description="`auto` measures at the start and chooses the fastest precision that the device supports and whose "
        "scores, stored in the weights, agree with those of `float32`; `GET /model` says which, and why. `float32` "
        "gives the same pixels on all machines, except for rounding; `bfloat16` (avx512_bf16, AMX, GPUs) changes one "
        "pixel in some thousands, `int8` (CPUs with VNNI, weights exported with `--calibrate`) four in a thousand.",
    )
    precision_tolerance: float = Field(
        DEFAULT_TOLERANCE,
        ge=0,
        le=1,
        description="Maximum loss of mIoU against float32, on each list of images used to score the weights, at which "
        "`FCN_PRECISION=auto` may choose a precision.",
    )
    threads: int = Field(
        0,
        ge=0,
        le=1024,
        description="CPU threads of the network, divided among the workers; 0 means one per core, by affinity and CPU "
        "quota. More than the quota are refused. Threads that wait for each other sleep soon, to leave the processor "
        "to other programs, unless `GOMP_SPINCOUNT` or `OMP_WAIT_POLICY` is set.",
    )
    concurrency: Positive = Field(
        2, description="Requests processed at once: one on the device, the others being decoded or encoded."
    )
    queue_length: int = Field(
        32,
        ge=0,
        description="Maximum number of waiting requests, a quarter of them for images of more than "
        "`FCN_SMALL_IMAGE_PIXELS`; further requests get 429.",
    )
    deadline_s: Seconds = Field(
        120,
        description="Seconds from the arrival of the whole body until a request gets 504; also the maximum seconds "
        "between two chunks of a streamed response.",
    )
    header_timeout_s: Seconds = Field(
        10,
        description="Seconds within which a request's header, or the first one of a connection, must arrive; then 408.",
    )
    upload_timeout_s: Seconds = Field(30, description="Seconds within which the whole body must arrive; then 408.")
    upload_idle_timeout_s: Seconds = Field(10, description="Maximum seconds between two chunks of a body; then 408.")
    send_timeout_s: Seconds = Field(
        30, description="Seconds within which a client must read a part of its response; then it is disconnected."
    )
    drain_timeout_s: Seconds = Field(
        30, allow_inf_nan=False, description="Seconds that accepted requests have to finish after SIGTERM."
    )
    max_connections: Positive = Field(
        2048,
        description="Maximum number of open connections, or fewer if the process may open fewer files; further "
        "connections get 503.",
    )
    max_upload_bytes: Positive = Field(32 * 2**20, description="Maximum size of a body in bytes; larger ones get 413.")
    max_pixels: Positive = Field(
        100_000_000,
        description="Maximum pixels of an image, read from its header before decoding; larger ones get 422.",
    )
    image_memory_bytes: Positive = Field(
        3 * 2**30,
        description="Maximum bytes of memory for all images of more than `FCN_SMALL_IMAGE_PIXELS` together, including "
        "decoding, prediction and responses; others wait until it is free. An image that needs more gets 422.",
    )
    body_memory_bytes: Positive = Field(
        256 * 2**20,
        description="Maximum bytes of all bodies held at once, including arriving ones and unsent responses; requests "
        "that do not fit get 429.",
    )
    band_pixels: int = Field(
        _LIMITS.band_pixels,
        ge=1024,
        description="Pixels per band of a large image; a quarter more if one or two bands suffice.",
    )
    small_image_pixels: Positive = Field(
        _LIMITS.small_image_pixels,
        description="Maximum pixels of a small image. Small images are predicted in one pass each, ahead of larger "
        "ones.",
    )
    batch_pixels: int = Field(
        0,
        ge=0,
        description="Maximum pixels of a batch of waiting small images of the same size; 0 means 8 million on a GPU, "
        "and on a CPU one image per core, in parallel.",
    )
    max_whole_pixels: Positive = Field(
        _LIMITS.max_whole_pixels, description="Maximum pixels of an image with `tiling=whole`."
    )
    api_keys_file: Path | None = Field(
        None,
        description="File of API keys, one per line, made by `python -m app.api.auth.keys`. If unset, the service is "
        "open to anyone who can reach it and `/admin` is disabled.",
    )
    trusted_proxies: Annotated[str, AfterValidator(_proxies)] = Field(
        "",
        description="Comma-separated addresses of proxies whose `X-Forwarded-For` header is trusted for the client's "
        "address; `*` for all.",
    )
    protect_metrics: bool = Field(False, description="Whether `/metrics` requires a key with the scope `metrics`.")
    rate_per_s: float = Field(
        0,
        ge=0,
        allow_inf_nan=False,
        description="Maximum requests per second to `/segment` and `/v2/.../infer`, per key, or per client address if "
        "there are no keys; further requests get 429. Each worker process counts its own. 0 sets no limit.",
    )
    rate_burst: Positive = Field(10, description="Requests that may arrive at once before `FCN_RATE_PER_S` applies.")
    cors_origins: Origins = Field(
        (),
        description="Comma-separated origins whose pages may use the service from a browser, e.g. "
        "`https://example.org`; `*` for all.",
    )

    @field_validator("protect_metrics")
    @classmethod
    def _keys_for_protection(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("api_keys_file") is None:
            raise PydanticCustomError("keys", "requires API keys, in the file that FCN_API_KEYS_FILE names")
        return value
