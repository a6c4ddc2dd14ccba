from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.ray.messages import Head
from deploy.ray.transcript import DifferentAnswerError, Transcript

HEAD = Head(200, ((b"x-checkpoint-sha256", b"c3b5"), (b"date", b"today")))


@given(st.binary(max_size=40), st.integers(0, 40), st.lists(st.integers(0, 40), max_size=5), st.integers(1, 3))
def test_a_repeated_answer_is_told_once(body: bytes, told: int, cuts: list[int], deaths: int) -> None:
    transcript = Transcript()
    heard: list[Head | bytes | None] = []
    for _ in range(deaths):
        transcript.begin_again()
        heard += [transcript.news(HEAD), transcript.news(body[:told])]
    transcript.begin_again()
    bounds = [0, *sorted(cuts), len(body)]
    heard.append(transcript.news(HEAD))
    heard += [transcript.news(body[start:end]) for start, end in pairwise(bounds)]
    assert [part for part in heard if isinstance(part, Head)] == [HEAD]
    assert b"".join(part for part in heard if isinstance(part, bytes)) == body


def test_an_answer_that_is_shorter_than_what_was_told_does_not_pass_for_whole() -> None:
    transcript = Transcript()
    transcript.news(HEAD)
    transcript.news(b"one two")
    transcript.end()
    transcript.begin_again()
    transcript.news(HEAD)
    assert transcript.news(b"one") is None
    with pytest.raises(DifferentAnswerError, match="ends after 3 bytes; 7 were sent"):
        transcript.end()


def test_what_differs_only_in_its_date_goes_on() -> None:
    transcript = Transcript()
    transcript.news(HEAD)
    transcript.begin_again()
    assert transcript.news(replace(HEAD, headers=((b"x-checkpoint-sha256", b"c3b5"), (b"date", b"tomorrow")))) is None


@pytest.mark.parametrize(
    "other", [replace(HEAD, status=503), replace(HEAD, headers=((b"x-checkpoint-sha256", b"d4"),))]
)
def test_an_answer_with_other_weights_or_another_status_is_not_gone_on_with(other: Head) -> None:
    transcript = Transcript()
    transcript.news(HEAD)
    transcript.begin_again()
    with pytest.raises(DifferentAnswerError, match="was sent"):
        transcript.news(other)


def test_another_body_is_not_gone_on_with() -> None:
    transcript = Transcript()
    transcript.news(HEAD)
    transcript.news(b"first rows")
    transcript.begin_again()
    transcript.news(HEAD)
    assert transcript.news(b"first ") is None
    with pytest.raises(DifferentAnswerError, match="the first 10 bytes"):
        transcript.news(b"line and more")
