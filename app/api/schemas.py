"""Schemas of queries and responses."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from app.formats.json import MaskEncoding
from app.formats.output_format import OutputFormat
from model.precision import Precision
from model.tiling import Tiling

PRECISION_SCHEMA = {"type": "string", "enum": [str(one) for one in Precision if one is not Precision.AUTO]}
"""Schema of the precision in use: any but ``auto``, which is resolved to another."""

Rgb = Annotated[tuple[int, int, int], Field(description="Red, green, blue, 0..255.", examples=[[64, 0, 0]])]


def _without_null(schema: dict[str, Any]) -> None:
    """Drop null from an optional parameter's schema: neither a query nor a form can hold null."""
    schema.update(schema.pop("anyOf")[0])
    schema.pop("default", None)


class SegmentQuery(BaseModel):
    """Parameters of ``POST /segment``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: OutputFormat | None = Field(
        None,
        description="`png`: palette PNG that stores class indices and shows the classes' colours. "
        "`json`: a JSON document. `overlay`: the colours over the image. `confidence`: grey PNG, 255 times the "
        "winning class's probability. Overrides the Accept header; without either, `png`.",
        json_schema_extra=_without_null,
    )
    mask: MaskEncoding = Field(
        MaskEncoding.ROWS,
        description="How JSON represents the mask: `rows` (height lists of width indices), `rle` (COCO run lengths, "
        "one list per class), `png` (the palette PNG in base64) or `none`.",
    )
    tiling: Tiling = Field(
        Tiling.AUTO,
        description="How the image is cut. `whole`: one pass. `exact`: bands of rows that give the same mask "
        "in bounded memory. `overlap`: overlapping rectangles, averaged. `auto`: `whole` for small images, `exact` "
        "for large ones.",
    )
    alpha: float = Field(0.5, ge=0, le=1, description="Opacity of the classes' colours in an overlay.", examples=[0.5])


class ClassInfo(BaseModel):
    """A class, or void."""

    index: int = Field(description="Value in masks.", examples=[8])
    name: str = Field(examples=["cat"])
    color: Rgb


class ClassesResponse(BaseModel):
    """Response of ``GET /classes``."""

    classes: list[ClassInfo] = Field(description="In the order of their indices, void (255) last.")


class ClassShare(ClassInfo):
    """A class found in an image."""

    pixels: int = Field(ge=1, description="Number of pixels of the class.", examples=[68123])
    fraction: float = Field(gt=0, le=1, description="Fraction of the image's pixels.", examples=[0.3633])


class RunLengths(BaseModel):
    """One class's pixels as COCO's uncompressed run lengths."""

    index: int = Field(description="The class.", examples=[8])
    size: tuple[int, int] = Field(description="Height and width.", examples=[[375, 500]])
    counts: list[int] = Field(
        description="Run lengths down the columns, alternately of other pixels and of the class's.",
        examples=[[40120, 12, 363, 14]],
    )


class SegmentationResponse(BaseModel):
    """Response of ``POST /segment?format=json``."""

    width: int = Field(examples=[500])
    height: int = Field(examples=[375])
    checkpoint: str = Field(description="SHA-256 of the weights file that made the mask.")
    classes: list[ClassShare] = Field(description="The classes found, by index.")
    mask: list[list[int]] | list[RunLengths] | str | None = Field(
        description="In the form chosen by the parameter `mask`: rows of indices, run lengths, a base64 PNG, or null."
    )


class Limits(BaseModel):
    """Limits on inputs."""

    max_upload_bytes: int
    max_pixels: int
    max_whole_pixels: int
    formats: list[str] = Field(description="Supported image formats.", examples=[["JPEG", "PNG"]])


class ModelResponse(BaseModel):
    """Response of ``GET /model``."""

    name: str
    architecture: str = Field(examples=["fcn8s"])
    backbone_blocks: tuple[int, int, int, int] = Field(description="Basic blocks of each ResNet stage.")
    sha256: str = Field(description="SHA-256 of the weights file.")
    num_classes: int = Field(examples=[21])
    trained_on: str
    training: dict[str, Any] = Field(description="Settings of the training run.")
    scores: dict[str, float] = Field(description="Scores on images that were not used in training, 0..1.")
    precision_scores: dict[str, dict[str, float]] = Field(
        description="mIoU, 0..1, by precision and list of images; `FCN_PRECISION=auto` uses it to choose."
    )
    licenses: str
    device: str = Field(examples=["cpu"])
    precision: Annotated[Precision, WithJsonSchema(PRECISION_SCHEMA)] = Field(
        description="Data type of the computation.", examples=["float32"]
    )
    precision_reason: str = Field(description="Why this precision is used.", examples=["as set"])
    band_pixels: int = Field(description="Pixels per band with `exact`; a quarter more if one or two bands suffice.")
    limits: Limits


class HealthResponse(BaseModel):
    """Response of the probes."""

    status: str = Field(examples=["ready"])


class ReloadResponse(BaseModel):
    """Response of ``POST /admin/reload``."""

    sha256: str = Field(description="SHA-256 of the weights file in use.")
    keys: int = Field(ge=1, description="Number of API keys in use.")


class ParameterFault(BaseModel):
    """An invalid parameter."""

    parameter: str = Field(examples=["tiling"])
    message: str


class ProblemDetails(BaseModel):
    """Problem document (RFC 9457)."""

    type: str = Field(
        description="Stable identifier, and path of the problem's description.", examples=["/problems/not-an-image"]
    )
    title: str
    status: int
    detail: str
    errors: list[ParameterFault] | None = Field(None, description="For `invalid-request`: the invalid parameters.")


class ProblemKindResponse(BaseModel):
    """Response of ``GET /problems/{slug}``."""

    type: str
    title: str
    status: int
    description: str
