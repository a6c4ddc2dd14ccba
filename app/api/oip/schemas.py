"""The protocol's documents. Requests are checked by those that describe them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from model.tiling import Tiling

MODEL = "segmentation"
"""Name of the one model."""

_MAX_PARAMETERS = 16
"""Maximum parameters of an object in a request: an error message names each unknown one."""

Absent = SkipJsonSchema[None]
"""A field that is there, or is not; never null where it is described."""


def _few(value: object) -> object:
    if isinstance(value, dict) and len(value) > _MAX_PARAMETERS:
        raise ValueError(f"there are {len(value)}; {_MAX_PARAMETERS} are allowed")
    return value


_Few = BeforeValidator(_few)


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


def _or_null(schema: dict[str, Any]) -> None:
    """What may be left out may be null."""
    properties = schema.get("properties", {})
    for name in properties.keys() - schema.get("required", ()):
        properties[name] = {"anyOf": [properties[name], {"type": "null"}]}


def _with_data(schema: dict[str, Any]) -> None:
    """Bodies that are more than JSON, which need none, are nothing that OpenAPI can describe."""
    schema["required"].append("data")
    _or_null(schema)


Base64File = Annotated[str, Field(json_schema_extra={"format": "byte"})]


class _RequestPart(BaseModel):
    """Null is as good as absent: generated clients write what is not set."""

    model_config = ConfigDict(frozen=True, strict=True, json_schema_extra=_or_null)

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, value: object) -> object:
        return {key: told for key, told in value.items() if told is not None} if isinstance(value, dict) else value


class _Parameters(_RequestPart):
    """What is not known is refused: another server's parameter would be without effect here."""

    model_config = ConfigDict(extra="forbid")


class InputParameters(_Parameters):
    """Of an input that follows the JSON: `binary_data_size`, its bytes."""

    binary_data_size: SkipJsonSchema[int | None] = Field(None, ge=0)


class OutputParameters(_Parameters):
    """Of an output."""

    binary_data: bool | None = Field(None, description="Whether it is to follow the JSON, as bytes.")


class RequestParameters(_Parameters):
    """Of a request."""

    tiling: Annotated[Tiling, Field(strict=False)] = Field(
        Tiling.AUTO, description="How the image is cut, as for `POST /segment`."
    )
    binary_data_output: bool = Field(
        False, description="Whether outputs are to follow the JSON as bytes, where they do not say themselves."
    )


class ImageInput(_RequestPart):
    """An image file."""

    model_config = ConfigDict(json_schema_extra=_with_data)

    name: Literal["image"]
    shape: list[Literal[1]] = Field(min_length=1, max_length=1, examples=[[1]])
    datatype: Literal["BYTES"]
    parameters: Annotated[InputParameters, _Few] = Field(default_factory=InputParameters)
    data: Annotated[list[Base64File], Field(min_length=1, max_length=1)] | Absent = Field(
        None, description="The file, in base64.", json_schema_extra=_without_default
    )


class PixelsInput(_RequestPart):
    """An image's pixels."""

    model_config = ConfigDict(json_schema_extra=_with_data)

    name: Literal["pixels"]
    shape: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=3, max_length=3, description="Height, width, 3.", examples=[[1, 2, 3]]
    )
    datatype: Literal["UINT8"]
    parameters: Annotated[InputParameters, _Few] = Field(default_factory=InputParameters)
    data: Annotated[list[Any], Field(min_length=1)] | Absent = Field(
        None,
        description="Red, green and blue of each pixel, 0..255, row by row from the top; flat, or nested as the shape.",
        json_schema_extra=_without_default,
        examples=[[255, 0, 0, 0, 0, 255]],
    )


class RequestedOutput(_RequestPart):
    """An output that is asked for."""

    name: Literal["mask", "confidence"] = Field(
        description="`mask`: the class of each pixel. `confidence`: 255 times the probability of that class."
    )
    parameters: Annotated[OutputParameters, _Few] = Field(default_factory=OutputParameters)


class InferenceRequest(_RequestPart):
    """Body of `POST /v2/models/segmentation/infer`."""

    id: str | None = Field(None, max_length=1024, description="Comes back in the answer.", examples=["42"])
    parameters: Annotated[RequestParameters, _Few] = Field(default_factory=RequestParameters)
    inputs: list[Annotated[ImageInput | PixelsInput, Field(discriminator="name")]] = Field(
        min_length=1, max_length=1, description="One, `image` or `pixels`."
    )
    outputs: list[RequestedOutput] = Field(
        default_factory=list, max_length=2, description="Those wanted; the mask, if none is named."
    )


class BinarySize(BaseModel):
    """Of an output that follows the JSON."""

    binary_data_size: int = Field(description="Its bytes.")


class ResponseOutput(BaseModel):
    """An output."""

    name: str = Field(examples=["mask"])
    datatype: str = Field(examples=["UINT8"])
    shape: list[int] = Field(description="Height, width.", examples=[[1, 2]])
    data: list[int] | Absent = Field(
        None,
        description="Row by row from the top, unless it follows the JSON.",
        json_schema_extra=_without_default,
        examples=[[0, 8]],
    )
    parameters: BinarySize | Absent = Field(
        None, description="If it follows the JSON.", json_schema_extra=_without_default
    )


class InferenceResponse(BaseModel):
    """Response of `POST /v2/models/segmentation/infer`; outputs may follow it as bytes, in its order."""

    model_name: str = Field(examples=[MODEL])
    model_version: str = Field(description="Names the weights that made it.", examples=["5f0c6e4b9a7d"])
    id: str | Absent = Field(
        None, description="The request's, if it has one.", json_schema_extra=_without_default, examples=["42"]
    )
    outputs: list[ResponseOutput]


class ServerMetadata(BaseModel):
    """Response of `GET /v2`."""

    name: str = Field(examples=["fcn-segmentation"])
    version: str
    extensions: list[str] = Field(examples=[["binary_tensor_data"]])


class TensorMetadata(BaseModel):
    """An input or output of the model."""

    name: str = Field(examples=["pixels"])
    datatype: str = Field(examples=["UINT8"])
    shape: list[int] = Field(description="-1 where any size will do.", examples=[[-1, -1, 3]])


class ModelMetadata(BaseModel):
    """Response of `GET /v2/models/segmentation`."""

    name: str = Field(examples=[MODEL])
    versions: list[str] = Field(description="The one that serves: the first digits of its weights' SHA-256.")
    platform: str = Field(examples=["pytorch_safetensors"])
    inputs: list[TensorMetadata] = Field(description="One of them is to be sent.")
    outputs: list[TensorMetadata]


class TensorConfiguration(BaseModel):
    """An input or output of the model, as Triton's configurations have it."""

    name: str = Field(examples=["pixels"])
    data_type: str = Field(examples=["TYPE_UINT8"])
    dims: list[int] = Field(description="-1 where any size will do.", examples=[[-1, -1, 3]])
    optional: bool = Field(description="Of inputs one is to be sent; of outputs those come that are asked for.")


class ModelConfiguration(BaseModel):
    """Response of `GET /v2/models/segmentation/config`: of Triton's what there is here."""

    name: str = Field(examples=[MODEL])
    platform: str = Field(examples=["pytorch_safetensors"])
    max_batch_size: int = Field(description="0: a request holds one image.")
    input: list[TensorConfiguration]
    output: list[TensorConfiguration]


class IndexEntry(BaseModel):
    """A model, in the answer of `POST /v2/repository/index`."""

    name: str = Field(examples=[MODEL])
    version: str
    state: str = Field(examples=["READY"])
    reason: str = Field(examples=[""])


class ServerLive(BaseModel):
    """Response of `GET /v2/health/live`."""

    live: bool


class ServerReady(BaseModel):
    """Response of `GET /v2/health/ready`."""

    ready: bool


class ModelReady(BaseModel):
    """Response of `GET /v2/models/segmentation/ready`."""

    name: str = Field(examples=[MODEL])
    ready: bool


class InferenceError(BaseModel):
    """What every error under `/v2` is answered with."""

    error: str = Field(description="What is wrong, in a sentence.")
