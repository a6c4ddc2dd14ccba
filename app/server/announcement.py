"""The line that announces the service's address."""

import logging
import socket
import sys
from ipaddress import ip_address

from app.server.streams import say

_logger = logging.getLogger("app")


def announce(listener: socket.socket) -> None:
    """Announce that the service is ready: on a terminal with an address for the browser, otherwise in the log."""
    host, port = listener.getsockname()[:2]
    if not sys.stdout.isatty():
        _logger.info("Ready on %s", _url(host, port))
        return
    address = _url("localhost" if ip_address(host).is_unspecified else host, port)
    say(f"Ready on {address} (try it in the browser; HTTP reference at {address}/docs)")


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
