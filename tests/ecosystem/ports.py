"""Free ports for programs that cannot choose one themselves."""

import socket


def free_ports(number: int) -> list[int]:
    """Ports on which no process listens."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports: list[int] = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def free_port() -> int:
    """A port on which no process listens."""
    (port,) = free_ports(1)
    return port
