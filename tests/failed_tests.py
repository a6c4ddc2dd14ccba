"""A failed test is named at once, and what it still holds is freed before the next one begins."""

import gc
import os
import sys
import warnings
from collections.abc import Generator
from contextlib import suppress

import pytest


class FailedTests:
    """A plugin of pytest.

    The traceback of a failure keeps sockets, pipes and processes alive. Freed at some later time, their warnings would
    fail a test that has nothing to do with them.
    """

    def __init__(self) -> None:
        self._has_failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._has_failed |= report.failed
        is_worker = "PYTEST_XDIST_WORKER" in os.environ  # which tells the process that prints
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
