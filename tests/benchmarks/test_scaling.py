import subprocess
import sys

from benchmarks.measurement import Measurement
from benchmarks.scaling import Cost, Layout, layouts, rendered_costs
from benchmarks.service import OURS
from model.precision import Precision


def test_a_core_has_one_layout_and_more_have_three() -> None:
    assert [layout.name for layout in layouts(1, Precision.FLOAT32)] == ["1 process, 1 core, float32"]
    assert [(layout.cores, layout.workers) for layout in layouts(4, Precision.INT8)] == [(1, 1), (4, 1), (4, 4)]


def test_a_layout_starts_our_service_on_its_cores() -> None:
    service = Layout(2, 2, Precision.INT8).service()
    assert service.arguments == ("--cpu-list", "0-1", sys.executable, *OURS.arguments)
    assert service.environment["FCN_THREADS"] == service.environment["FCN_WORKERS"] == "2"
    assert service.environment["FCN_PRECISION"] == "int8"
    assert service.path == OURS.path


def test_costs_are_told_with_what_a_second_of_processor_gives() -> None:
    cost = Cost(Measurement((80.0, 120.0), 0.5, failures=1), service_ms=90.0, decoder_ms=10.0, resident_mb=800.4)
    row = rendered_costs([(Layout(1, 1, Precision.FLOAT32), cost)]).splitlines()[-1]
    assert row == "| 1 process, 1 core, float32 | 4.0 | 80 | 120 | 90.00 | 10.00 | 10.0 | 800 | 1 |"


def test_it_says_how_it_is_run() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.scaling", "--help"], capture_output=True, text=True, check=True
    )
    assert "--precisions" in result.stdout
