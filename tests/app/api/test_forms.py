"""Multipart forms as clients send them."""

import base64
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from app import problems
from app.api.forms import MAX_PARTS, FormError, Part, parse_form
from tests.app.problems import require_problem

FORM = {"Content-Type": 'multipart/form-data; boundary="Boundary (1)"'}
BOUNDARY = b"Boundary (1)"
IMAGE = b'Content-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png'
PIXELS = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)


def png() -> bytes:
    buffer = BytesIO()
    Image.fromarray(PIXELS).save(buffer, "PNG")
    return buffer.getvalue()


def form(*parts: tuple[bytes, bytes]) -> bytes:
    """A form's body, from the header and data of each part."""
    written = b"".join(b"--%b\r\n%b\r\n\r\n%b\r\n" % (BOUNDARY, head, data) for head, data in parts)
    return written + b"--%b--\r\n" % BOUNDARY


def text(name: str, value: str) -> tuple[bytes, bytes]:
    return f'Content-Disposition: form-data; name="{name}"'.encode(), value.encode()


def seen(client: TestClient, body: bytes) -> NDArray[np.uint8]:
    """The pixels that the service decodes from the form's image."""
    response = client.post("/segment?format=overlay&alpha=0", content=body, headers=FORM)
    assert response.status_code == 200, response.text
    return np.asarray(Image.open(BytesIO(response.content)))


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b'Content-Disposition: form-data; name="image"\r\nContent-Type: image/png', id="no file name"),
        pytest.param(b'content-disposition: form-data; name="image"', id="nothing but the name"),
        pytest.param(b"Content-Disposition: form-data; name=image; filename=a.png", id="no quotes"),
        pytest.param(
            b"Content-Disposition: form-data; name=image; filename=\"?.png\"; filename*=utf-8''%C3%A4.png", id="C#"
        ),
        pytest.param(
            b'Content-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: application/octet-stream'
            b"\r\nContent-Transfer-Encoding: binary\r\nContent-Length: 1",
            id="Java",
        ),
        pytest.param(b'Content-Disposition: form-data;\r\n name="image";\r\n\tfilename="a.png"', id="folded"),
        pytest.param(b'Content-Type: image/png\r\nContent-Disposition: form-data; name="image"; filename=""', id="Go"),
        pytest.param('Content-Disposition: form-data; name="image"; filename="ä\\".png"'.encode(), id="UTF-8"),
        pytest.param(b'Content-Disposition: form-data; name="image"; filename="\xe4.png"', id="Latin-1"),
        pytest.param(b'Content-Disposition:form-data;filename="name=x";name="image"', id="no spaces"),
    ],
)
def test_the_field_image_is_an_image_whatever_is_said_of_it(client: TestClient, head: bytes) -> None:
    assert np.array_equal(seen(client, form((head, png()))), PIXELS)


@pytest.mark.parametrize(
    ("before", "padding", "after"),
    [
        (b"This is a multi-part message in MIME format.\r\n", b"", b""),
        (b"MIME-Version: 1.0\r\nContent-Type: multipart/form-data\r\n\r\n", b"", b""),
        (b"\r\n", b"", b""),
        (b"\n", b"", b""),
        (b"--Boundar\r\n--\r\nBoundary (1)\r\nx--Boundary (1)\r\n", b"", b""),
        (b"", b"  \t", b""),
        (b"", b"", b"\r\n"),
        (b"", b"", b"The end.\r\n--Boundary (1)\r\nno part of it"),
    ],
)
def test_what_stands_around_the_parts_is_ignored(
    client: TestClient, before: bytes, padding: bytes, after: bytes
) -> None:
    body = form((IMAGE, png()), text("tiling", "whole")).replace(BOUNDARY + b"\r\n", BOUNDARY + padding + b"\r\n")
    assert np.array_equal(seen(client, before + body + after), PIXELS)


def test_a_form_may_end_with_its_last_boundary(client: TestClient) -> None:
    assert np.array_equal(seen(client, form((IMAGE, png())).removesuffix(b"\r\n")), PIXELS)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [(b"base64", base64.encodebytes(png())), (b"Quoted-Printable", b"=\r\n".join(b"=%02X" % byte for byte in png()))],
)
def test_an_encoding_of_mails_is_decoded(client: TestClient, encoding: bytes, data: bytes) -> None:
    body = form((IMAGE + b"\r\nContent-Transfer-Encoding: " + encoding, data))
    assert np.array_equal(seen(client, body), PIXELS)


@pytest.mark.parametrize("encoding", [b"base64", b"x-uuencode"])
def test_an_encoding_that_is_not_read_is_said(client: TestClient, encoding: bytes) -> None:
    body = form((IMAGE + b"\r\nContent-Transfer-Encoding: " + encoding, b"\xff"))
    document = require_problem(client.post("/segment", content=body, headers=FORM), problems.BODY_MALFORMED)
    assert encoding.decode() in document["detail"]


def test_parameters_are_fields_of_the_form_as_well(client: TestClient) -> None:
    typed = b'Content-Disposition: form-data; name=mask\r\nContent-Type: text/plain; charset="utf-8"'
    body = form(text("format", "json"), (IMAGE, png()), (typed, b"rle\r\n"), text("_charset_", "utf-8"))
    document = client.post("/segment", content=body, headers=FORM).json()
    assert document["width"] == 12
    assert document["mask"][0]["size"] == [8, 12]
    body = form((IMAGE, png()), text("format", "overlay"), text("alpha", "0"), text("tiling", "overlap"))
    response = client.post("/segment", content=body, headers=FORM)
    assert np.array_equal(np.asarray(Image.open(BytesIO(response.content))), PIXELS)


def test_a_parameter_of_the_query_beats_that_of_the_form(client: TestClient) -> None:
    body = form(text("format", "json"), text("mask", "none"), (IMAGE, png()))
    response = client.post("/segment?mask=rows", content=body, headers=FORM)
    assert np.shape(response.json()["mask"]) == (8, 12)
    assert client.post("/segment?format=png", content=body, headers=FORM).headers["content-type"] == "image/png"


def test_a_format_of_the_form_beats_accept(client: TestClient) -> None:
    response = client.post(
        "/segment", content=form((IMAGE, png()), text("format", "json")), headers={**FORM, "Accept": "image/png"}
    )
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fromat", "json"),
        ("format", "jpeg"),
        ("alpha", "2"),
        ("tiling", ""),
        ("note", "x" * (2 << 20)),
        ("image[]", ""),
    ],
)
def test_a_field_that_is_no_parameter_or_has_no_such_value_is_named(client: TestClient, name: str, value: str) -> None:
    for parts in ((text(name, value), (IMAGE, png())), ((IMAGE, png()), text(name, value))):
        response = client.post("/segment", content=form(*parts), headers=FORM)
        document = require_problem(response, problems.INVALID_REQUEST)
        assert document["errors"][0]["parameter"] == name
        assert len(response.content) < 1000


def test_a_form_without_an_image_says_what_it_has(client: TestClient) -> None:
    response = client.post("/segment", content=form((IMAGE.replace(b"image", b"file", 1), png())), headers=FORM)
    assert require_problem(response, problems.INVALID_REQUEST)["detail"].endswith("image is missing; the form has file")


def test_two_images_are_one_too_many(client: TestClient) -> None:
    response = client.post("/segment", content=form((IMAGE, png()), (IMAGE, png())), headers=FORM)
    assert "more than one" in require_problem(response, problems.INVALID_REQUEST)["detail"]


@pytest.mark.parametrize("second", ["json", "png"])
def test_a_field_that_is_there_twice_is_refused(client: TestClient, second: str) -> None:
    body = form((IMAGE, png()), text("format", "json"), text("format", second))
    document = require_problem(client.post("/segment", content=body, headers=FORM), problems.INVALID_REQUEST)
    assert document["detail"] == "the form has more than one field format"


def test_a_long_value_is_not_taken_for_its_beginning(client: TestClient) -> None:
    body = form((IMAGE, png()), text("format", "json" + " " * 2000 + "x"))
    require_problem(client.post("/segment", content=body, headers=FORM), problems.INVALID_REQUEST)


def test_many_fields_are_refused_by_name_and_too_many_by_number(client: TestClient) -> None:
    many = [text(f"x{number}", "1") for number in range(MAX_PARTS - 1)]
    document = require_problem(
        client.post("/segment", content=form(*many, (IMAGE, png())), headers=FORM), problems.INVALID_REQUEST
    )
    assert [fault["parameter"] for fault in document["errors"][:2]] == ["x0", "x1"]
    response = client.post("/segment", content=form(*many, text("y", ""), (IMAGE, png())), headers=FORM)
    assert f"more than {MAX_PARTS} parts" in require_problem(response, problems.BODY_MALFORMED)["detail"]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "no line"),
        (form((IMAGE, b"x")).replace(b"\r\n", b"\n"), "LF alone"),
        (b"x\n" + form((IMAGE, b"x")).replace(b"\r\n", b"\n"), "LF alone"),
        (form((IMAGE + b"\n\nx", b"x")).replace(b"\r\n\r\n", b""), "LF alone"),
        (form((IMAGE, b"x"))[:-20], "ends within its last part"),
        (b"--Boundary (1)\r\n--Boundary (1)--", "head of a part"),
        (form((b"X: " + b"x" * 5000, b"")), "head of a part"),
        (form((b"Content-Disposition: form-data", b"")), "no name"),
        (form((IMAGE, b"x")).replace(b"--\r\n", b"x\r\n"), "after the boundary"),
    ],
)
def test_what_is_wrong_with_a_form_is_said(body: bytes, fault: str) -> None:
    with pytest.raises(FormError, match=fault):
        list(parse_form(body, BOUNDARY))


def test_a_form_needs_a_boundary() -> None:
    with pytest.raises(FormError, match="boundary"):
        list(parse_form(b"--\r\n\r\n", b""))


@given(parts=st.lists(st.tuples(st.text("abc_", min_size=1), st.binary()), max_size=5), padding=st.text(" \t"))
def test_a_forms_parts_come_out_as_they_went_in(parts: list[tuple[str, bytes]], padding: str) -> None:
    written = form(*((*text(name, "")[:1], data) for name, data in parts))
    padded = written.replace(BOUNDARY + b"\r\n", BOUNDARY + padding.encode() + b"\r\n")
    assert list(parse_form(padded, BOUNDARY)) == [Part(name, data) for name, data in parts]


@given(
    body=st.lists(st.sampled_from([b"--", b"b", b"\r\n", b"\n", b" ", b"name=x;", b"Content-Disposition:", b"\xff"]))
)
def test_arbitrary_bytes_are_a_form_or_none(body: list[bytes]) -> None:
    try:
        parts = list(parse_form(b"".join(body), b"b"))
    except FormError:
        return
    assert len(parts) <= MAX_PARTS
