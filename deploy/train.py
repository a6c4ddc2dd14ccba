"""Train in compose's container `train`, and make running services load the new weights.

    docker compose --profile train run --rm train NAME [--golden PHOTOGRAPH] ARGUMENTS

ARGUMENTS are those of `python -m training train`. The run is kept in /runs/NAME; an existing run is resumed. At the end
/weights/model.safetensors is replaced atomically. If RELOAD_KEY has a key with the scope `admin`, each container of the
services is then asked to load it; a container that cannot use it keeps its weights.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import app
import model

SERVICES = ("segmentation:8000", "segmentation-cpu:8000", "replica:8000")
"""Name and port of each service; a name resolves to all containers of a service, or to none if it does not run."""

RELOAD_TIMEOUT_S = 120.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, export, reload."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("name", help="name of the run; an existing run is resumed")
    parser.add_argument("--golden", type=Path, help="photograph for the check at each start (default: a cat)")
    parser.add_argument("--runs", type=Path, default=Path("/runs"), help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, default=Path("/weights/model.safetensors"), help=argparse.SUPPRESS)
    parser.add_argument("--services", nargs="*", default=SERVICES, help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args(arguments)
    golden = options.golden or Path(app.__path__[0], "api/static/samples/cat.jpg")
    run = options.runs / options.name
    training("train", *rest, "--out", run, "--resume", "auto")
    training("export", run / "last.safetensors", options.weights, "--golden", golden)
    if key := os.environ.get("RELOAD_KEY"):
        sys.exit(not reload_all(options.services, key))
    print("RELOAD_KEY has no key: running services keep their weights until they are reloaded or restarted")


def training(*arguments: object) -> None:
    """Run a command of `python -m training`; a failure ends this program with its status."""
    # Recipes name the shipped weights by a path relative to the folder of the packages.
    packages = Path(model.__path__[0]).parent
    command = [sys.executable, "-m", "training", *map(str, arguments)]
    if status := subprocess.run(command, cwd=packages, check=False).returncode:
        sys.exit(status)


def reload_all(services: Sequence[str], key: str) -> bool:
    """Ask each container of these services to reload its weights; return whether all running ones have."""
    found = [(service, *place) for service in services for place in containers(service)]
    if not found:
        print("no service runs here; the next one to start has the new weights", file=sys.stderr)
    took = [reload(*container, key) for container in found]
    return all(took)


def containers(service: str) -> list[tuple[str, int]]:
    """Address and port of each container of a service; empty if none runs."""
    host, _, port = service.rpartition(":")
    try:
        found = socket.getaddrinfo(host, int(port), socket.AF_INET, socket.SOCK_STREAM)
    except socket.gaierror:
        return []
    return sorted({(str(place[0]), int(place[1])) for *_, place in found})


def reload(service: str, address: str, port: int, key: str) -> bool:
    """Ask one container to reload, print the result, and return whether it serves the new weights."""
    try:
        digest = ask_to_reload(address, port, key)
    except (OSError, HTTPException, ValueError) as error:
        print(f"{service} at {address}: {reason(error)}", file=sys.stderr)
        return False
    print(f"{service} at {address}: {digest}")
    return True


def ask_to_reload(address: str, port: int, key: str) -> str:
    """Ask a container to reload, and return the SHA-256 of the weights that it serves now.

    Raises:
        OSError: the service cannot be reached, or refuses the weights.
        HTTPException, ValueError: the response is not the service's.
    """
    request = Request(f"http://{address}:{port}/admin/reload", method="POST", headers={"X-API-Key": key})
    with build_opener(ProxyHandler({})).open(request, timeout=RELOAD_TIMEOUT_S) as response:
        answer = response.read()
    match json.loads(answer):
        case {"sha256": str(digest)}:
            return digest
    raise ValueError(answer.decode())


def reason(error: Exception) -> str:
    """Reason of a failure: the problem document, the system's message, or that the response was not the service's."""
    if isinstance(error, HTTPError):
        return error.read().decode(errors="replace")
    return str(error) if isinstance(error, OSError) else f"not the service's answer: {error!r}"


if __name__ == "__main__":
    main()
