"""The protocol's documents. The models of requests also validate them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from model.tiling import Tiling

MODEL = "segmentation"
"""Name of the only model."""

_MAX_PARAMETERS = 16
"""Maximum number of parameters of an object in a request: an error message names each unknown one."""

Absent = SkipJsonSchema[None]
"""Type of an absent field: the OpenAPI document describes the field as optional, never as null."""


def _few(value: object) -> object:
    if isinstance(value, dict) and len(value) > _MAX_PARAMETERS:
        raise ValueError(f"there are {len(value)}; {_MAX_PARAMETERS} are allowed")
    return value


_Few = BeforeValidator(_few)


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


def _or_null(schema: dict[str, Any]) -> None:
    """Allow null for optional fields."""
    properties = schema.get("properties", {})
    for name in properties.keys() - schema.get("required", ()):
        properties[name] = {"anyOf": [properties[name], {"type": "null"}]}


def _with_data(schema: dict[str, Any]) -> None:
    """Require ``data``: OpenAPI cannot describe bodies with bytes after the JSON, which do not need it."""
    schema["required"].append("data")
    _or_null(schema)


Base64File = Annotated[str, Field(json_schema_extra={"format": "byte"})]


class _RequestPart(BaseModel):
    """Part of a request. Null counts as absent, since generated clients send null for unset fields."""

    model_config = ConfigDict(frozen=True, strict=True, json_schema_extra=_or_null)

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, value: object) -> object:
        return {key: told for key, told in value.items() if told is not None} if isinstance(value, dict) else value


class _Parameters(_RequestPart):
    """Parameters. Unknown ones are refused: another server's parameter would have no effect here."""

    model_config = ConfigDict(extra="forbid")


class InputParameters(_Parameters):
    """Parameters of an input: `binary_data_size` is its length in bytes if it follows the JSON."""

    binary_data_size: SkipJsonSchema[int | None] = Field(None, ge=0)


class OutputParameters(_Parameters):
    """Parameters of an output."""

    binary_data: bool | None = Field(None, description="Whether the output should follow the JSON as bytes.")


class RequestParameters(_Parameters):
    """Parameters of a request."""

    tiling: Annotated[Tiling, Field(strict=False)] = Field(
        Tiling.AUTO, description="How the image is cut, as for `POST /segment`."
    )
    binary_data_output: bool = Field(
        False, description="Default of `binary_data`: whether outputs should follow the JSON as bytes."
    )


class ImageInput(_RequestPart):
    """An image file."""

    model_config = ConfigDict(json_schema_extra=_with_data)

    name: Literal["image"]
    shape: list[Literal[1]] = Field(min_length=1, max_length=1, examples=[[1]])
    datatype: Literal["BYTES"]
    parameters: Annotated[InputParameters, _Few] = Field(default_factory=InputParameters)
    data: Annotated[list[Base64File], Field(min_length=1, max_length=1)] | Absent = Field(
        None, description="The file in base64.", json_schema_extra=_without_default
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
        description="Red, green and blue of each pixel, 0..255, row by row from the top; flat, or nested by the shape.",
        json_schema_extra=_without_default,
        examples=[[255, 0, 0, 0, 0, 255]],
    )


class RequestedOutput(_RequestPart):
    """A requested output."""

    name: Literal["mask", "confidence"] = Field(
        description="`mask`: the class of each pixel. `confidence`: 255 times the probability of that class."
    )
    parameters: Annotated[OutputParameters, _Few] = Field(default_factory=OutputParameters)


class InferenceRequest(_RequestPart):
    """Body of `POST /v2/models/segmentation/infer`."""

    id: str | None = Field(None, max_length=1024, description="Returned in the response.", examples=["42"])
    parameters: Annotated[RequestParameters, _Few] = Field(default_factory=RequestParameters)
    inputs: list[Annotated[ImageInput | PixelsInput, Field(discriminator="name")]] = Field(
        min_length=1, max_length=1, description="One input, `image` or `pixels`."
    )
    outputs: list[RequestedOutput] = Field(
        default_factory=list, max_length=2, description="Requested outputs; by default, the mask."
    )


class BinarySize(BaseModel):
    """Parameters of an output that follows the JSON."""

    binary_data_size: int = Field(description="Length of the output in bytes.")


class ResponseOutput(BaseModel):
    """An output."""

    name: str = Field(examples=["mask"])
    datatype: str = Field(examples=["UINT8"])
    shape: list[int] = Field(description="Height, width.", examples=[[1, 2]])
    data: list[int] | Absent = Field(
        None,
        description="Values, row by row from the top; absent if the output follows the JSON.",
        json_schema_extra=_without_default,
        examples=[[0, 8]],
    )
    parameters: BinarySize | Absent = Field(
        None, description="Present if the output follows the JSON.", json_schema_extra=_without_default
    )


class InferenceResponse(BaseModel):
    """Response of `POST /v2/models/segmentation/infer`; outputs may follow it as bytes, in the same order."""

    model_name: str = Field(examples=[MODEL])
    model_version: str = Field(description="Version of the weights that made the outputs.", examples=["5f0c6e4b9a7d"])
    id: str | Absent = Field(
        None, description="ID from the request, if it has one.", json_schema_extra=_without_default, examples=["42"]
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
    versions: list[str] = Field(description="The current version: the first digits of the weights' SHA-256.")
    platform: str = Field(examples=["pytorch_safetensors"])
    inputs: list[TensorMetadata] = Field(description="Inputs; a request has exactly one.")
    outputs: list[TensorMetadata]


class TensorConfiguration(BaseModel):
    """An input or output of the model in Triton's model configuration."""

    name: str = Field(examples=["pixels"])
    data_type: str = Field(examples=["TYPE_UINT8"])
    dims: list[int] = Field(description="-1 where any size will do.", examples=[[-1, -1, 3]])
    optional: bool = Field(description="A request has one of the inputs; the response has the requested outputs.")


class ModelConfiguration(BaseModel):
    """Response of `GET /v2/models/segmentation/config`: the part of Triton's document that applies here."""

    name: str = Field(examples=[MODEL])
    platform: str = Field(examples=["pytorch_safetensors"])
    max_batch_size: int = Field(description="0: a request holds one image.")
    input: list[TensorConfiguration]
    output: list[TensorConfiguration]


class IndexEntry(BaseModel):
    """A model in the response of `POST /v2/repository/index`."""

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
    """Body of every error under `/v2`."""

    error: str = Field(description="What is wrong, in one sentence.")
