from io import BytesIO
from random import Random

import pytest

from app.decoding.images import decode_image, read_header
from benchmarks.connection import Reply
from benchmarks.reliability.fuzz import prove
from benchmarks.reliability.fuzz_answers import judge
from benchmarks.reliability.fuzz_mutations import mutant
from benchmarks.reliability.fuzz_parts import parts, with_right_checksums
from benchmarks.reliability.fuzz_requests import draw_requests
from benchmarks.reliability.fuzz_seeds import HEIGHT, WIDTH, seeds

PROBLEM = {"content-type": "application/problem+json"}


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


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, b'{"type": "/problems/internal", "status": 500}', PROBLEM),
        Reply(400, b'{"type": "/problems/not-an-image", "status": 400}', {"content-type": "application/json"}),
        Reply(400, b'{"type": "/problems/not-an-image", "status": 422}', PROBLEM),
        Reply(400, b"Bad Request", PROBLEM),
        Reply(200, b"\x89PNG\r\n\x1a\n", {"content-type": "image/png"}),
        Reply(200, b'{"mask": [', {"content-type": "application/json"}),
    ],
)
def test_wrong_answers_are_seen(reply: Reply) -> None:
    assert judge(reply)[1]


def test_right_answers_are_right() -> None:
    problem = b'{"type": "/problems/not-an-image", "status": 400}'
    assert judge(Reply(400, problem, PROBLEM)) == ("400 not-an-image", "")
    assert judge(Reply(200, b'{"mask": null}', {"content-type": "application/json"})) == ("200", "")
    assert judge(Reply(200, seeds()["png-RGB"], {"content-type": "image/png"})) == ("200", "")
