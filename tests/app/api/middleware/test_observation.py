import pytest
from fastapi import FastAPI, Request, Response
from starlette.testclient import TestClient

from app.api.errors import install_error_handlers
from app.api.middleware.observation import ObservationMiddleware
from app.observability.logs import FIELDS
from app.observability.metrics import Metrics
from app.problems import DRAINING, QUEUE_FULL, ProblemError
from tests.app.observability.exposition import Exposition


class Observed:
    """A small application inside the middleware."""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.metrics = Metrics()
        install_error_handlers(self.app)
        self.app.add_middleware(ObservationMiddleware, metrics=self.metrics)
        self.client = TestClient(self.app)

    def refusals(self) -> dict[str, float]:
        """Reason -> number of refusals, without zeros."""
        series = Exposition(self.metrics.exposition()).series("fcn_refusals_total")
        return {sample.labels["reason"]: sample.value for sample in series if sample.value}


@pytest.fixture
def observed() -> Observed:
    return Observed()


def test_refusals_are_counted_by_reason_wherever_they_come_from(observed: Observed) -> None:
    @observed.app.get("/full")
    def full() -> None:
        raise ProblemError(QUEUE_FULL, "full")

    @observed.app.get("/faulty")
    def faulty() -> None:
        raise RuntimeError("a fault")

    @observed.app.get("/fine")
    def fine() -> None:
        pass

    for path in ("/full", "/full", "/faulty", "/fine", "/nowhere"):
        observed.client.get(path)
    assert observed.refusals() == {"queue-full": 2, "internal": 1, "not-found": 1}


def test_a_probe_that_is_told_to_wait_is_no_refusal(observed: Observed) -> None:
    @observed.app.get("/readyz")
    def readyz() -> None:
        raise ProblemError(DRAINING, "draining")

    assert observed.client.get("/readyz").status_code == 503
    assert observed.refusals() == {}


def test_the_line_of_a_request_names_its_client_and_its_bytes(
    observed: Observed, caplog: pytest.LogCaptureFixture
) -> None:
    @observed.app.post("/echo")
    async def echo(request: Request) -> Response:
        request.state.client = "the camera"
        return Response(await request.body() * 2)

    with caplog.at_level("INFO", logger="app"):
        observed.client.post("/echo", content=b"abc")
    (fields,) = [getattr(record, FIELDS) for record in caplog.records if record.message == "request"]
    assert (fields["client"], fields["bytes_in"], fields["bytes_out"]) == ("the camera", 3, 6)
