"""Arbitrary requests to the protocol's paths never give a 500, and errors have the protocol's form."""

from typing import Any

import httpx2
import orjson
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.app.api.oip.requests import INFER, require_error

# JSON integers have at most 64 bits here; larger ones become floats.
NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2, 3, -1, 255, 256, 2**31, 2**63, 2**64, 0.5, 1e308]), st.integers(-(2**70), 2**70)
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8))
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=20,
)


def mostly(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Valid values, and occasionally arbitrary ones."""
    return st.one_of(strategy, strategy, strategy, ANYTHING)


SHAPES = st.one_of(
    st.just([1]), st.just([1, 1, 3]), st.just([2, 2, 3]), st.lists(mostly(NUMBERS), max_size=4), st.just([10**9] * 3)
)
DATA = st.one_of(
    st.lists(NUMBERS, max_size=14),
    st.just([[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [1, 2, 3]]]),
    st.just([0] * 12),
    st.lists(st.text(max_size=12), max_size=2),
    st.just(["iVBORw0KGgo="]),
)
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "binary_data_size": mostly(NUMBERS),
        "binary_data": mostly(st.booleans()),
        "binary_data_output": mostly(st.booleans()),
        "tiling": mostly(st.sampled_from(["auto", "whole", "exact", "overlap"])),
        "classification": ANYTHING,
    },
)
INPUTS = st.fixed_dictionaries(
    {},
    optional={
        "name": mostly(st.sampled_from(["image", "pixels", "mask"])),
        "shape": mostly(SHAPES),
        "datatype": mostly(st.sampled_from(["BYTES", "UINT8", "FP32"])),
        "parameters": mostly(PARAMETERS),
        "data": mostly(DATA),
    },
)
OUTPUTS = st.fixed_dictionaries(
    {"name": mostly(st.sampled_from(["mask", "confidence"]))}, optional={"parameters": mostly(PARAMETERS)}
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "id": mostly(st.text(max_size=20)),
        "parameters": mostly(PARAMETERS),
        "inputs": mostly(st.lists(mostly(INPUTS), max_size=2)),
        "outputs": mostly(st.lists(mostly(OUTPUTS), max_size=3)),
    },
)
WORDS = st.one_of(
    mostly(REQUESTS).map(lambda document: orjson.dumps(_in_range(document))), st.binary(max_size=60), st.just(b"NaN")
)


def _in_range(node: Any) -> Any:
    """Turn integers of more than 64 bits into floats: orjson neither writes nor reads them."""
    if isinstance(node, dict):
        return {key: _in_range(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_in_range(value) for value in node]
    return float(node) if isinstance(node, int) and not -(2**63) <= node < 2**64 else node


def require_protocol(response: httpx2.Response) -> None:
    """Require a success, or a client error in the protocol's form."""
    if response.status_code != 200:
        assert 400 <= response.status_code < 500
        require_error(response, response.status_code)


@settings(max_examples=250, suppress_health_check=list(HealthCheck))
@given(
    text=WORDS,
    rest=st.binary(max_size=40),
    length=st.one_of(st.none(), st.just(0), st.integers(-3, 3), st.integers(-(10**20), 10**20)),
    is_relative=st.booleans(),
    encoding=st.one_of(st.none(), st.sampled_from(["gzip", "deflate", "identity", "br", "gzip, gzip"])),
)
@example(b'{"inputs":[{"name":"pixels","shape":[1,1,3],"datatype":"UINT8","data":[1,2,3]}]}', b"", None, False, None)
def test_arbitrary_inferences(
    client: TestClient, text: bytes, rest: bytes, length: int | None, is_relative: bool, encoding: str | None
) -> None:
    headers = {}
    if length is not None:
        headers["Inference-Header-Content-Length"] = str(len(text) + length if is_relative else length)
    if encoding is not None:
        headers["Content-Encoding"] = encoding
    require_protocol(client.post(INFER, content=text + rest, headers=headers))


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    header=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=12),
    name=st.sampled_from(["Inference-Header-Content-Length", "Content-Encoding", "Content-Type"]),
)
def test_arbitrary_headers(client: TestClient, header: str, name: str) -> None:
    require_protocol(client.post(INFER, content=b"{}", headers={name: header.encode("latin-1")}))  # type: ignore[arg-type]


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
    parts=st.lists(
        st.one_of(
            st.sampled_from(["models", "segmentation", "versions", "infer", "health", "ready", "config", "repository"]),
            st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=6),
        ),
        max_size=6,
    ),
)
def test_arbitrary_paths(client: TestClient, method: str, parts: list[str]) -> None:
    require_protocol(client.request(method, "/".join(["/v2", *parts])))
