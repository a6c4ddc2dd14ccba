"""``python -m app.server.worker LISTENER CHANNEL``: one of several worker processes, started by their supervisor.

The arguments are descriptors: of the listening socket, and of the channel to the supervisor.
"""

import os
import shutil
import socket
import sys

from app.environment import WORKERS_FOLDER
from app.process_settings import read_settings
from app.server.channel import WorkerChannel
from app.server.server import serve
from app.server.streams import standard_streams
from app.settings import Settings


def main() -> None:
    """Serve until a signal, or until the supervisor ends."""
    with standard_streams():
        listener, descriptor = (int(argument) for argument in sys.argv[1:])
        channel = WorkerChannel(descriptor)
        serve(read_settings(Settings), socket.socket(fileno=listener), channel)
        if channel.has_ended:
            # The supervisor is gone and cannot do it.
            shutil.rmtree(os.environ[WORKERS_FOLDER], ignore_errors=True)


if __name__ == "__main__":
    main()
