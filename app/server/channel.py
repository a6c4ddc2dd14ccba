"""Between a worker and its supervisor: a socket on which the worker speaks, and whose end is the supervisor's."""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from enum import Enum


class Message(Enum):
    """What a worker says, a byte each.

    ``READY``: it serves. ``ALIVE``: its event loop turns. ``RELOADED``: it has read weights and keys again, and the
    others shall, too.
    """

    READY = b"r"
    ALIVE = b"a"
    RELOADED = b"h"


class Link:
    """The worker's end.

    Args:
        descriptor: of the socket, which this object owns from now on.

    Attributes:
        has_ended: whether the supervisor is known to have ended.
    """

    def __init__(self, descriptor: int) -> None:
        self.has_ended = False
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        os.set_inheritable(descriptor, False)

    def tell(self, message: Message) -> None:
        """Say something, if somebody is there to hear it."""
        with suppress(OSError):
            self._socket.send(message.value)

    def on_end(self, callback: Callable[[], None]) -> None:
        """Have the running event loop call ``callback`` once, when the supervisor has ended."""
        loop = asyncio.get_running_loop()

        def end() -> None:
            loop.remove_reader(self._socket)
            self.has_ended = True
            callback()

        loop.add_reader(self._socket, end)
