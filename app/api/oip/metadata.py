"""The protocol's descriptions of the model."""

from app.api.oip.schemas import (
    MODEL,
    IndexEntry,
    ModelConfiguration,
    ModelMetadata,
    TensorConfiguration,
    TensorMetadata,
)

_PLATFORM = "pytorch_safetensors"

_INPUTS = (
    TensorMetadata(name="image", datatype="BYTES", shape=[1]),
    TensorMetadata(name="pixels", datatype="UINT8", shape=[-1, -1, 3]),
)
_OUTPUTS = (
    TensorMetadata(name="mask", datatype="UINT8", shape=[-1, -1]),
    TensorMetadata(name="confidence", datatype="UINT8", shape=[-1, -1]),
)

_CONFIGURED_TYPES = {"BYTES": "TYPE_STRING", "UINT8": "TYPE_UINT8"}


def model_metadata(version: str) -> ModelMetadata:
    """The model's inputs, outputs and current version."""
    return ModelMetadata(
        name=MODEL, versions=[version], platform=_PLATFORM, inputs=list(_INPUTS), outputs=list(_OUTPUTS)
    )


def model_configuration() -> ModelConfiguration:
    """The same as a Triton model configuration."""
    return ModelConfiguration(
        name=MODEL,
        platform=_PLATFORM,
        max_batch_size=0,
        input=[_configured(tensor) for tensor in _INPUTS],
        output=[_configured(tensor) for tensor in _OUTPUTS],
    )


def index(version: str) -> list[IndexEntry]:
    """All models: there is only one."""
    return [IndexEntry(name=MODEL, version=version, state="READY", reason="")]


def _configured(tensor: TensorMetadata) -> TensorConfiguration:
    return TensorConfiguration(
        name=tensor.name,
        data_type=_CONFIGURED_TYPES[tensor.datatype],
        dims=tensor.shape,
        optional=tensor.name != "mask",
    )
