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
            "origin", "{value} is no origin; one is https://host, with a port or without, or *", {"value": value}
        )
    return value


def _proxies(value: str) -> str:
    for proxy in value.split(",") if value not in ("", "*") else ():
        try:
            ip_network(proxy.strip())
        except ValueError as error:
            raise PydanticCustomError(
                "proxy", "{fault}; with commas between, or * alone", {"fault": str(error)}
            ) from error
    return value


Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_split)]


class Settings(ProcessSettings):
    """Every setting has a default that suits a machine without a GPU."""

    weights: Path = Field(DEFAULT_WEIGHTS, description="Checkpoint to serve; the default ships with the service.")
    device: Annotated[str, AnyCase] = Field(
        "auto", description="`cpu`, `cuda`, `cuda:1`, ...; `auto` takes CUDA where there is some."
    )
    precision: Annotated[Precision, AnyCase] = Field(
        Precision.AUTO,
        description="`auto` measures at the start and takes the fastest of those that the device has and whose scores "
        "in the weights agree with `float32`'s; `GET /model` says which, and why. `float32` gives the same pixels on "
        "all machines, but for rounding; `bfloat16` (avx512_bf16, AMX, GPUs) moves a pixel in some thousands, `int8` "
        "(CPUs with VNNI, weights exported with `--calibrate`) four in a thousand.",
    )
    precision_tolerance: float = Field(
        DEFAULT_TOLERANCE,
        ge=0,
        le=1,
        description="Greatest loss of mIoU against float32, on each list of images that the weights were scored on, at "
        "which `FCN_PRECISION=auto` may take a precision.",
    )
    threads: int = Field(
        0,
        ge=0,
        le=1024,
        description="CPU threads of the network, divided among the workers; 0 is as many as there are cores, by "
        "affinity and CPU quota. More than the quota are refused. Those that wait for one another sleep soon, for the "
        "sake of other programs, unless `GOMP_SPINCOUNT` or `OMP_WAIT_POLICY` is set.",
    )
    concurrency: Positive = Field(
        2, description="Requests in work at once: one on the device, the others being decoded or encoded."
    )
    queue_length: int = Field(
        32,
        ge=0,
        description="Requests that may wait for their turn, a quarter of them for images of more than "
        "`FCN_SMALL_IMAGE_PIXELS`; more are answered 429.",
    )
    deadline_s: Seconds = Field(
        120,
        description="Seconds from the whole body's arrival until a request is answered 504, and until the next part "
        "of an answer that is sent in parts.",
    )
    header_timeout_s: Seconds = Field(
        10,
        description="Seconds until a request's header, or the first one of a connection, has to be there; then 408.",
    )
    upload_timeout_s: Seconds = Field(30, description="Seconds that a body may take to arrive; then 408.")
    upload_idle_timeout_s: Seconds = Field(10, description="Seconds between two parts of a body; then 408.")
    send_timeout_s: Seconds = Field(
        30, description="Seconds in which a client must have read a part of its answer; then it is cut off."
    )
    drain_timeout_s: Seconds = Field(
        30, allow_inf_nan=False, description="Seconds that accepted requests are given after SIGTERM."
    )
    max_connections: Positive = Field(
        2048, description="Connections that may be open, as far as the process may open files; more are answered 503."
    )
    max_upload_bytes: Positive = Field(32 * 2**20, description="Largest body in bytes; larger ones are answered 413.")
    max_pixels: Positive = Field(
        100_000_000,
        description="Largest image in pixels, read from its header before decoding; larger ones are answered 422.",
    )
    image_memory_bytes: Positive = Field(
        3 * 2**30,
        description="Memory that images of more than `FCN_SMALL_IMAGE_PIXELS` may take together, decoding, prediction "
        "and answers included; others wait until it is free. An image that would take more is answered 422.",
    )
    body_memory_bytes: Positive = Field(
        256 * 2**20,
        description="Bytes of bodies that may be held at once, arriving ones and unsent answers included; while there "
        "is no room, requests are answered 429.",
    )
    band_pixels: int = Field(
        _LIMITS.band_pixels,
        ge=1024,
        description="Pixels of a large image that are computed at a time, a quarter more where that makes fewer bands.",
    )
    small_image_pixels: Positive = Field(
        _LIMITS.small_image_pixels,
        description="Images of no more pixels are predicted in one pass each, ahead of larger ones.",
    )
    batch_pixels: int = Field(
        0,
        ge=0,
        description="Pixels of waiting small images of one size that are predicted together; 0 is 8 million on a GPU, "
        "and on a CPU one image a core, side by side.",
    )
    max_whole_pixels: Positive = Field(
        _LIMITS.max_whole_pixels, description="Largest image that `tiling=whole` accepts, in pixels."
    )
    api_keys_file: Path | None = Field(
        None,
        description="File of API keys, a line each, made by `python -m app.api.auth.keys`. If unset, the service is "
        "open to anyone who can reach it and `/admin` is disabled.",
    )
    trusted_proxies: Annotated[str, AfterValidator(_proxies)] = Field(
        "",
        description="Addresses of proxies, with commas between, whose `X-Forwarded-For` tells whose request it is; "
        "`*` for all.",
    )
    protect_metrics: bool = Field(False, description="Whether `/metrics` needs a key with the scope `metrics`.")
    rate_per_s: float = Field(
        0,
        ge=0,
        allow_inf_nan=False,
        description="Requests of each key to `/segment` and `/v2/.../infer` a second, of each client address where "
        "there are no keys; more are answered 429. Each worker process counts its own. 0 sets no limit.",
    )
    rate_burst: Positive = Field(10, description="Requests that may come at once before `FCN_RATE_PER_S` holds.")
    cors_origins: Origins = Field(
        (),
        description="Origins, with commas between, whose pages may use the service from a browser, as "
        "`https://example.org`; `*` for all.",
    )

    @field_validator("protect_metrics")
    @classmethod
    def _keys_for_protection(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("api_keys_file") is None:
            raise PydanticCustomError("keys", "needs keys, in a file that FCN_API_KEYS_FILE names")
        return value
