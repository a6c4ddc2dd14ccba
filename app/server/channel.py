"""The channel from a worker to its supervisor: a socket that closes when the supervisor ends."""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from enum import Enum


class Message(Enum):
    """One-byte messages from a worker to its supervisor.

    ``READY``: the worker accepts requests. ``HEARTBEAT``: its event loop is running. ``RELOADED``: it has reloaded
    weights and keys, and the other workers should do so, too.
    """

    READY = b"r"
    HEARTBEAT = b"a"
    RELOADED = b"h"


class WorkerChannel:
    """The worker's end of the channel.

    Args:
        descriptor: descriptor of the socket; this object takes ownership.

    Attributes:
        has_ended: whether the supervisor is known to have ended.
    """

    def __init__(self, descriptor: int) -> None:
        self.has_ended = False
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        os.set_inheritable(descriptor, False)

    def send(self, message: Message) -> None:
        """Send a message, or drop it if the supervisor has ended."""
        with suppress(OSError):
            self._socket.send(message.value)

    def on_end(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once, from the running event loop, when the supervisor has ended."""
        loop = asyncio.get_running_loop()

        def end() -> None:
            loop.remove_reader(self._socket)
            self.has_ended = True
            callback()

        loop.add_reader(self._socket, end)
