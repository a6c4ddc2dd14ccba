"""Schemas of queries and responses."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from app.formats.json import MaskEncoding
from app.formats.output_format import OutputFormat
from model.precision import Precision
from model.tiling import Tiling

PRECISION_SCHEMA = {"type": "string", "enum": [str(one) for one in Precision if one is not Precision.AUTO]}
"""Schema of the precision that was used, in which ``auto`` has been decided."""

Rgb = Annotated[tuple[int, int, int], Field(description="Red, green, blue, 0..255.", examples=[[64, 0, 0]])]


def _without_null(schema: dict[str, Any]) -> None:
    """A parameter that is left out is not null: neither a query nor a form has that."""
    schema.update(schema.pop("anyOf")[0])
    schema.pop("default", None)


class SegmentQuery(BaseModel):
    """Parameters of ``POST /segment``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: OutputFormat | None = Field(
        None,
        description="`png`: palette PNG whose stored values are class indices and whose colours are the classes'. "
        "`json`: a document. `overlay`: the colours over the photograph. `confidence`: grey PNG, 255 times the "
        "winning class's probability. Beats the Accept header; without either, `png`.",
        json_schema_extra=_without_null,
    )
    mask: MaskEncoding = Field(
        MaskEncoding.ROWS,
        description="How JSON carries the mask: `rows` (height lists of width indices), `rle` (COCO run lengths, one "
        "list a class), `png` (the palette PNG in base64) or `none`.",
    )
    tiling: Tiling = Field(
        Tiling.AUTO,
        description="How the image is cut. `whole`: one pass. `exact`: bands of rows that give the same mask "
        "in bounded memory. `overlap`: overlapping rectangles, averaged. `auto`: `whole` for small images, `exact` "
        "for large.",
    )
    alpha: float = Field(0.5, ge=0, le=1, description="Share of the classes' colours in an overlay.", examples=[0.5])


class ClassInfo(BaseModel):
    """A class, or void."""

    index: int = Field(description="Value in masks.", examples=[8])
    name: str = Field(examples=["cat"])
    color: Rgb


class ClassesResponse(BaseModel):
    """Response of ``GET /classes``."""

    classes: list[ClassInfo] = Field(description="In the order of their indices, void (255) last.")


class ClassShare(ClassInfo):
    """A class that was found in an image."""

    pixels: int = Field(ge=1, description="Number of its pixels.", examples=[68123])
    fraction: float = Field(gt=0, le=1, description="Share of the image.", examples=[0.3633])


class RunLengths(BaseModel):
    """One class's pixels as COCO's uncompressed run lengths."""

    index: int = Field(description="The class.", examples=[8])
    size: tuple[int, int] = Field(description="Height and width.", examples=[[375, 500]])
    counts: list[int] = Field(
        description="Lengths of runs down the columns, of other pixels and of the class's in turn.",
        examples=[[40120, 12, 363, 14]],
    )


class SegmentationResponse(BaseModel):
    """Response of ``POST /segment?format=json``."""

    width: int = Field(examples=[500])
    height: int = Field(examples=[375])
    checkpoint: str = Field(description="SHA-256 of the weights file that made the mask.")
    classes: list[ClassShare] = Field(description="The classes found, by index.")
    mask: list[list[int]] | list[RunLengths] | str | None = Field(
        description="As the parameter `mask` asks: rows of indices, run lengths, a base64 PNG, or null."
    )


class Limits(BaseModel):
    """What an input may be."""

    max_upload_bytes: int
    max_pixels: int
    max_whole_pixels: int
    formats: list[str] = Field(description="Image formats read.", examples=[["JPEG", "PNG"]])


class ModelResponse(BaseModel):
    """Response of ``GET /model``."""

    name: str
    architecture: str = Field(examples=["fcn8s"])
    backbone_blocks: tuple[int, int, int, int] = Field(description="Basic blocks of each ResNet stage.")
    sha256: str = Field(description="Of the weights file.")
    num_classes: int = Field(examples=[21])
    trained_on: str
    training: dict[str, Any] = Field(description="Settings of the training run.")
    scores: dict[str, float] = Field(description="Measured on images that were not trained on, 0..1.")
    precision_scores: dict[str, dict[str, float]] = Field(
        description="mIoU, 0..1, by precision and list of images: what `FCN_PRECISION=auto` chooses by."
    )
    licenses: str
    device: str = Field(examples=["cpu"])
    precision: Annotated[Precision, WithJsonSchema(PRECISION_SCHEMA)] = Field(
        description="Type that scores are computed in.", examples=["float32"]
    )
    precision_reason: str = Field(description="Why this one.", examples=["as set"])
    band_pixels: int = Field(description="Pixels of a band of `exact`, a quarter more where that makes fewer bands.")
    limits: Limits


class HealthResponse(BaseModel):
    """Response of the probes."""

    status: str = Field(examples=["ready"])


class ReloadResponse(BaseModel):
    """Response of ``POST /admin/reload``."""

    sha256: str = Field(description="Of the weights file that serves now.")
    keys: int = Field(ge=1, description="Number of API keys that are known now.")


class ParameterFault(BaseModel):
    """One parameter that is wrong."""

    parameter: str = Field(examples=["tiling"])
    message: str


class ProblemDetails(BaseModel):
    """RFC 9457 problem."""

    type: str = Field(description="Stable; also the path of its description.", examples=["/problems/not-an-image"])
    title: str
    status: int
    detail: str
    errors: list[ParameterFault] | None = Field(None, description="With `invalid-request`: what is wrong where.")


class ProblemKindResponse(BaseModel):
    """Response of ``GET /problems/{slug}``."""

    type: str
    title: str
    status: int
    description: str
