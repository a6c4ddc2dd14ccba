"""Our backend for Label Studio in a process of its own."""

import os
import re
import subprocess
import sys
from threading import Thread
from typing import Self

_RUNNING = re.compile(r"Uvicorn running on (http://127\.0\.0\.1:\d+)")


class BackendProcess:
    """`python -m examples.label_studio` on a free port; listens when entered.

    Args:
        service: address of the service.
        label_studio: address of Label Studio.
        key: access token of Label Studio.
    """

    def __init__(self, service: str, label_studio: str, key: str) -> None:
        places = ["--url", service, "--label-studio", label_studio, "--port", "0"]
        self._command = [sys.executable, "-m", "examples.label_studio", *places]
        self._key = key
        self.log: list[str] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            env={**os.environ, "LABEL_STUDIO_API_KEY": self._key},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        self._reading = Thread(target=self.log.extend, args=[self._process.stdout])
        for line in self._process.stdout:
            self.log.append(line)
            if match := _RUNNING.search(line):
                self.url = match[1]
                self._reading.start()
                return self
        raise AssertionError("the backend did not start:\n" + "".join(self.log))

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=60)
        if self._reading.ident is not None:
            self._reading.join(timeout=60)
        assert self._process.stdout is not None
        self._process.stdout.close()
