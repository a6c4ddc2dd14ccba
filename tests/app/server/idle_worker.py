"""A worker that serves nothing, and prints what happens to it on standard output.

``IDLE_WORKER`` says what it does: ``work``, ``fail`` before it is ready, ``die`` when it is, or ``hang`` silently.
"""

import asyncio
import os
import signal
import sys
from functools import partial

from app.server.channel import Message, WorkerChannel


async def main() -> None:
    ended = asyncio.Event()

    def end(why: str) -> None:
        # First, because the reader may be gone.
        ended.set()
        _tell(why)

    channel = WorkerChannel(int(sys.argv[2]))
    channel.on_end(partial(end, "alone"))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, end, "terminated")
    loop.add_signal_handler(signal.SIGHUP, _tell, "hangup")
    loop.add_signal_handler(signal.SIGUSR1, channel.send, Message.RELOADED)
    if os.environ["IDLE_WORKER"] == "fail":
        sys.exit(7)
    _tell("ready")
    channel.send(Message.READY)
    if os.environ["IDLE_WORKER"] == "die":
        sys.exit(1)
    while not ended.is_set():
        if os.environ["IDLE_WORKER"] != "hang":
            channel.send(Message.HEARTBEAT)
        try:
            await asyncio.wait_for(ended.wait(), 0.1)
        except TimeoutError:
            continue


def _tell(what: str) -> None:
    # In one write: several workers share the pipe.
    os.write(sys.stdout.fileno(), f"{what} {os.getpid()}\n".encode())


asyncio.run(main())
