"""Failed tests are reported at once, and their resources are freed before the next test begins."""

import gc
import os
import sys
import warnings
from collections.abc import Generator
from contextlib import suppress

import pytest


class FailedTests:
    """A pytest plugin.

    The traceback of a failure keeps sockets, pipes and processes alive. If they were freed later, their warnings would
    fail an unrelated test.
    """

    def __init__(self) -> None:
        self._has_failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._has_failed |= report.failed
        is_worker = "PYTEST_XDIST_WORKER" in os.environ  # it reports to the process that prints
        if report.failed and not is_worker:
            print(f"\n{report.when} failed: {report.nodeid}", file=sys.__stderr__, flush=True)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        self._has_failed = False
        result = yield
        if self._has_failed:
            for name in ("last_exc", "last_type", "last_value", "last_traceback"):
                with suppress(AttributeError):
                    delattr(sys, name)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                gc.collect()
        return result
