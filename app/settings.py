"""Settings of the service: environment variables with the prefix ``FCN_``."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.logs import LogFormat
from model.precision import Precision
from model.segmenter import DEFAULT_WEIGHTS
from model.tiling import TilingLimits

_LIMITS = TilingLimits()

Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """Every setting has a default that suits a machine without a GPU."""

    model_config = SettingsConfigDict(env_prefix="FCN_", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    weights: Path = Field(DEFAULT_WEIGHTS, description="Checkpoint to serve; the default ships with the service.")
    device: str = Field("auto", description="`cpu`, `cuda`, `cuda:1`, ...; `auto` takes CUDA where there is some.")
    precision: Precision = Field(
        Precision.FLOAT32,
        description="`bfloat16` takes half the time where the hardware knows it (avx512_bf16, AMX, GPUs) and moves a "
        "pixel in some thousands. `int8` takes two fifths on CPUs with VNNI, of weights exported with `--calibrate`, "
        "and moves four pixels in a thousand.",
    )
    threads: int = Field(0, ge=0, description="CPU threads of the network; 0 leaves it to PyTorch.")
    concurrency: Positive = Field(
        2, description="Requests in work at once: one on the device, the others being decoded or encoded."
    )
    queue_length: int = Field(32, ge=0, description="Requests that may wait for their turn; more are answered 429.")
    deadline_s: Seconds = Field(
        120,
        description="Seconds from the whole body's arrival until a request is answered 504, and until the next part "
        "of an answer that is sent in parts.",
    )
    upload_timeout_s: Seconds = Field(30, description="Seconds that a body may take to arrive; then 408.")
    drain_timeout_s: Seconds = Field(30, description="Seconds that accepted requests are given after SIGTERM.")
    max_upload_bytes: Positive = Field(32 * 2**20, description="Largest body in bytes; larger ones are answered 413.")
    max_pixels: Positive = Field(
        100_000_000,
        description="Largest image in pixels, read from its header before decoding; larger ones are answered 422.",
    )
    band_pixels: int = Field(
        _LIMITS.band_pixels,
        ge=1024,
        description="Pixels of a large image that are computed at a time.",
    )
    photograph_pixels: Positive = Field(
        _LIMITS.photograph_pixels,
        description="Images of no more pixels are predicted in one pass each, ahead of larger ones.",
    )
    batch_pixels: int = Field(
        0,
        ge=0,
        description="Pixels of waiting photographs of one size that are predicted together; 0 is 8 million on a GPU, "
        "and on a CPU one photograph a core, side by side.",
    )
    max_whole_pixels: Positive = Field(
        _LIMITS.max_whole_pixels, description="Largest image that `tiling=whole` accepts, in pixels."
    )
    log_level: str = Field(
        "info", pattern="^(critical|error|warning|info|debug)$", description="Least severity that is logged."
    )
    log_format: LogFormat = Field(
        LogFormat.AUTO, description="`json` or `text`; `auto` is text on a terminal and JSON elsewhere."
    )
