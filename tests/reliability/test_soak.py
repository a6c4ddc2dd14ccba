import re
from importlib import import_module
from pathlib import Path

from benchmarks.reliability.soak import PROOFS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reliability.md").read_text()
RECORDS = (ROOT / "docs/records/reliability.md").read_text()


def test_every_proof_has_its_place_in_the_records() -> None:
    assert re.findall(r"<!-- /(\w+) -->", RECORDS) == re.findall(r"<!-- (\w+) -->", RECORDS)
    assert set(re.findall(r"<!-- (\w+) -->", RECORDS)) == set(PROOFS)


def test_every_promise_names_its_proof() -> None:
    assert set(re.findall(r"\[(\w+)\]\(records/reliability.md#", PAGE)) == set(PROOFS)


def test_every_proof_can_be_run() -> None:
    assert all(callable(import_module(f"benchmarks.reliability.{name}").main) for name in PROOFS)


def test_every_fault_of_the_page_has_its_test() -> None:
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", PAGE)
    assert len(named) > 20
    for file, test in named:
        assert f"def {test}(" in (ROOT / "tests" / "app" / file).read_text(), test
