from base64 import b64encode
from io import BytesIO
from random import Random

import pytest

from app.api.oip.body import LENGTH_HEADER
from app.images.decode import decode_image, read_header
from benchmarks.connection import Reply
from benchmarks.reliability.fuzz import prove
from benchmarks.reliability.fuzzed_answers import judge
from benchmarks.reliability.fuzzed_requests import draw_requests
from benchmarks.reliability.image_parts import parts, with_right_checksums
from benchmarks.reliability.mutations import mutant
from benchmarks.reliability.seeds import HEIGHT, WIDTH, seeds

PROBLEM = {"content-type": "application/problem+json"}


@pytest.mark.slow
def test_fuzzed_bodies_end_nothing_and_leave_nothing() -> None:
    findings = prove(count=300, warm_up=100, clients=8, seed=1)
    assert [finding for finding in findings if not finding.holds] == []


@pytest.mark.parametrize("name", seeds())
def test_seeds_are_images_that_are_read(name: str) -> None:
    file = BytesIO(seeds()[name])
    assert {read_header(file, 10_000).height, read_header(file, 10_000).width} == {HEIGHT, WIDTH}
    assert sorted(decode_image(file).shape) == [3, HEIGHT, WIDTH]


@pytest.mark.parametrize("name", seeds())
def test_parts_make_the_file_again(name: str) -> None:
    data = seeds()[name]
    assert b"".join(parts(data)) == data
    assert len(parts(data)) > 1
    assert with_right_checksums(data) == data


def test_checksums_are_put_right() -> None:
    png = seeds()["png-RGB"]
    damaged = png[:20] + b"\x09" + png[21:]
    repaired = with_right_checksums(damaged)
    assert repaired[:29] == damaged[:29]
    assert repaired[29:33] != damaged[29:33]
    assert repaired[33:] == damaged[33:]


def test_mutants_differ_from_files_and_are_the_same_with_the_same_seed() -> None:
    files = list(seeds().values())
    mutants = [mutant(Random(seed), files) for seed in range(100)]
    assert mutants == [mutant(Random(seed), files) for seed in range(100)]
    assert sum(one in files for one in mutants) < 20
    assert len(set(mutants)) > 90


def test_requests_are_the_same_with_the_same_name_and_others_with_another() -> None:
    files = list(seeds().values())
    requests = list(draw_requests(files, 20, "one"))
    assert requests == list(draw_requests(files, 20, "one"))
    assert requests != list(draw_requests(files, 20, "another"))


SEGMENT, INFER = "/segment?format=png", "/v2/models/segmentation/infer"
JSON = {"content-type": "application/json"}
TENSORS = b'{"outputs": [{"parameters": {"binary_data_size": 2}}]}'
BINARY = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(TENSORS))}


@pytest.mark.parametrize(
    ("target", "reply"),
    [
        (SEGMENT, Reply(500, b'{"type": "/problems/internal", "status": 500}', PROBLEM)),
        (SEGMENT, Reply(400, b'{"type": "/problems/not-an-image", "status": 400}', JSON)),
        (SEGMENT, Reply(400, b'{"type": "/problems/not-an-image", "status": 422}', PROBLEM)),
        (SEGMENT, Reply(400, b"Bad Request", PROBLEM)),
        (SEGMENT, Reply(200, b"\x89PNG\r\n\x1a\n", {"content-type": "image/png"})),
        (SEGMENT, Reply(200, b'{"mask": [', JSON)),
        (INFER, Reply(500, b'{"error": "internal"}', JSON)),
        (INFER, Reply(400, b'{"type": "/problems/not-an-image", "status": 400}', PROBLEM)),
        (INFER, Reply(400, b'{"error": "no image"}', PROBLEM)),
        (INFER, Reply(400, b'{"error": null}', JSON)),
        (INFER, Reply(200, b'{"outputs": [', JSON)),
        (INFER, Reply(200, TENSORS + b"\0", BINARY)),
        (INFER, Reply(200, b'{"outputs": []}', BINARY | {"inference-header-content-length": "15"})),
    ],
)
def test_wrong_answers_are_seen(target: str, reply: Reply) -> None:
    assert judge(reply, target)[1]


def test_right_answers_are_right() -> None:
    problem = b'{"type": "/problems/not-an-image", "status": 400}'
    assert judge(Reply(400, problem, PROBLEM), SEGMENT) == ("400 not-an-image", "")
    assert judge(Reply(200, b'{"mask": null}', JSON), SEGMENT) == ("200", "")
    assert judge(Reply(200, seeds()["png-RGB"], {"content-type": "image/png"}), SEGMENT) == ("200", "")
    assert judge(Reply(400, b'{"error": "no image"}', JSON), INFER) == ("400 of /v2", "")
    assert judge(Reply(200, b'{"outputs": [{"data": [0]}]}', JSON), INFER) == ("200 of /v2", "")
    assert judge(Reply(200, TENSORS + b"\0\0", BINARY), INFER) == ("200 of /v2", "")


def test_inferences_hold_images_in_every_way() -> None:
    (image,) = images = [seeds()["png-RGB"]]
    sent = [request for request in draw_requests(images, 1000, "one") if request.target == INFER]
    headers = [dict(request.headers) for request in sent]
    assert any(b64encode(image[:12]) in request.body for request in sent)
    assert any(image[:12] in request.body for request in sent)
    assert any(b'"pixels"' in request.body for request in sent)
    assert {"gzip", "deflate"} <= {header.get("Content-Encoding") for header in headers}
    assert any(LENGTH_HEADER in header for header in headers)
