"""A test run fails if it leaves anything behind: processes, open descriptors, temporary files."""

import gc
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from benchmarks.process_tree import command_line, descendants, open_files
from tests.watchdog import MARK, marked_processes

_ROOT = Path(__file__).parents[1]

_ENDING_S = 10.0
"""Seconds within which ending processes must have ended."""

_OWN = ("multiprocessing.resource_tracker", "tests.watchdog", "execnet")
"""Words in the command lines of processes that end with the interpreter that started them."""

_CACHES = (".ses", "node-compile-cache", "pymp-", "ray", "torchinductor_")
"""Name prefixes of folders that libraries keep for the next process, or until the interpreter ends."""

_LIBRARIES = ("/.onnxruntime/", "/site-packages/", "/usr/share/")
"""Folders whose files libraries keep open as long as the interpreter runs, such as Matplotlib's fonts."""

_EVENT_LOOPS = ("gevent", "grpc")
"""Libraries whose event loops keep their descriptors until the interpreter ends."""

_WAITING = ("anon_inode:[eventpoll]", "anon_inode:[eventfd]")
"""Targets of those descriptors."""


class Leftovers:
    """A pytest plugin.

    All descendants of the run carry a mark in their environment. A watchdog ends those that outlive the run, even if
    the run is killed. With pytest-xdist, each worker checks its own descriptors, and the controller everything else.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._is_worker = hasattr(config, "workerinput")
        self._found: list[str] = []
        if not self._is_worker:
            self._start_watchdog()

    def _start_watchdog(self) -> None:
        # pytest keeps its own folders, for inspection afterwards.
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
        self._folder = Path(tempfile.mkdtemp(prefix="fcn-tests-"))
        os.environ["TMPDIR"] = str(self._folder)
        tempfile.tempdir = None
        self._mark = uuid4().hex
        os.environ[MARK] = "/".join(filter(None, (os.environ.get(MARK), self._mark)))
        self._watchdog = subprocess.Popen(
            [sys.executable, "-m", "tests.watchdog", self._mark, str(self._folder)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C at the terminal must not reach it
        )

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        self._descriptors = open_files(os.getpid())

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._found += [f"{target} is open" for target in self._new_descriptors()]
        if self._is_worker:
            self._config.workeroutput["leftovers"] = self._found  # type: ignore[attr-defined]
            return
        self._found += [
            f"process {process_id} runs: {' '.join(command_line(process_id))}" for process_id in self._processes()
        ]
        self._found += [f"{path} is there" for path in self._files()]
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.close()
        self._watchdog.wait()
        if self._found and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._found += getattr(node, "workeroutput", {}).get("leftovers", [])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._found:
            terminalreporter.section("left behind by the tests", red=True)
            for found in self._found:
                terminalreporter.line(found)

    def _new_descriptors(self) -> list[str]:
        gc.collect()
        return [
            target
            for path, target in open_files(os.getpid()).items()
            if self._descriptors.get(path) != target and not _belongs_to_a_library(target)
        ]

    def _processes(self) -> list[int]:
        deadline = time.monotonic() + _ENDING_S
        while (found := self._living()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return found

    def _living(self) -> list[int]:
        return [
            process_id
            # Some write over their environment: those are found below this one.
            for process_id in {*marked_processes(self._mark), *descendants(os.getpid())[1:]}
            if not any(word in " ".join(command_line(process_id)) for word in _OWN)
        ]

    def _files(self) -> list[Path]:
        return [path for path in self._folder.iterdir() if not path.name.startswith(_CACHES)]


def _belongs_to_a_library(target: str) -> bool:
    if target in _WAITING:
        return any(library in sys.modules for library in _EVENT_LOOPS)
    return any(folder in target for folder in _LIBRARIES)
