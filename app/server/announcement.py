"""The line that tells where the service is."""

import socket

from app.server.streams import say


def announce(listener: socket.socket) -> None:
    """Say on standard output that the service is ready, and its address."""
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    say(f"Ready on {address} (try it in the browser; HTTP reference at {address}/docs)")
