import pytest

from app.api.negotiation import negotiate
from app.formats.output_format import OutputFormat
from app.problems import NOT_ACCEPTABLE, ProblemError


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, OutputFormat.PNG),
        ("", OutputFormat.PNG),
        ("*/*", OutputFormat.PNG),
        ("image/*", OutputFormat.PNG),
        ("image/png", OutputFormat.PNG),
        ("application/json", OutputFormat.JSON),
        ("application/*", OutputFormat.JSON),
        ("application/json, image/png", OutputFormat.PNG),
        ("application/json, image/png;q=0.9", OutputFormat.JSON),
        ("image/png;q=0, */*", OutputFormat.JSON),
        ("text/html, application/json;q=0.5, */*;q=0.1", OutputFormat.JSON),
        ("Application/JSON", OutputFormat.JSON),
    ],
)
def test_the_best_liked_format_is_taken(accept: str | None, expected: OutputFormat) -> None:
    assert negotiate(accept) is expected


@pytest.mark.parametrize("accept", ["text/html", "image/jpeg", "image/png;q=0", "*/*;q=0", "image/png;q=x"])
def test_nothing_that_fits_is_said(accept: str) -> None:
    with pytest.raises(ProblemError, match="image/png, application/json") as caught:
        negotiate(accept)
    assert caught.value.problem is NOT_ACCEPTABLE
