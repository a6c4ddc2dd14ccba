"""Starts the service, with settings from the environment."""

import signal
import sys

from app.process_settings import ProcessSettings, read_settings
from app.server.streams import standard_streams
from app.spinning import limit_spinning


def start() -> None:
    """Serve until a signal; ends the process with the service's exit code."""
    limit_spinning()
    with standard_streams():
        # Ignore SIGHUP until a handler is installed; by default, it ends the process.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        settings = read_settings(ProcessSettings)
        # A supervisor does not need PyTorch, whose import takes seconds and much memory.
        if settings.workers > 1:
            from app.server.supervisor import supervise  # noqa: PLC0415

            sys.exit(supervise(settings))
        from app.server.server import serve  # noqa: PLC0415
        from app.settings import Settings  # noqa: PLC0415

        serve(read_settings(Settings))
