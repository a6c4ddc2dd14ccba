"""Trains in compose's container `train`, and has the services that run take the weights over.

    docker compose --profile train run --rm train NAME [--golden PHOTOGRAPH] ARGUMENTS

ARGUMENTS are those of `python -m training train`. The run is kept in /runs/NAME, and goes on if it is there. In the end
/weights/model.safetensors is replaced in one step. If RELOAD_KEY has a key with the scope `admin`, each container of
the services is then asked to load it; one that finds it unusable goes on with what it has.
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
"""Names and ports; a name stands for each container of a service, and for none if it does not run."""

RELOAD_TIMEOUT_S = 120.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, export, reload."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("name", help="of the run; one that is there goes on")
    parser.add_argument("--golden", type=Path, help="photograph that is checked at each start; default: a cat")
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
    print("RELOAD_KEY has no key: the services that run keep their weights until they are told, or started again")


def training(*arguments: object) -> None:
    """Run a command of `python -m training`; a failure ends this program with its status."""
    # Recipes name the weights that ship by a path that starts where the packages lie.
    packages = Path(model.__path__[0]).parent
    command = [sys.executable, "-m", "training", *map(str, arguments)]
    if status := subprocess.run(command, cwd=packages, check=False).returncode:
        sys.exit(status)


def reload_all(services: Sequence[str], key: str) -> bool:
    """Have each container of these services load its weights again; whether all that run have."""
    found = [(service, *place) for service in services for place in containers(service)]
    if not found:
        print("no service runs here; one that starts has the new weights", file=sys.stderr)
    took = [reload(*container, key) for container in found]
    return all(took)


def containers(service: str) -> list[tuple[str, int]]:
    """Addresses and ports of all that a name stands for."""
    host, _, port = service.rpartition(":")
    try:
        found = socket.getaddrinfo(host, int(port), socket.AF_INET, socket.SOCK_STREAM)
    except socket.gaierror:
        return []
    return sorted({(str(place[0]), int(place[1])) for *_, place in found})


def reload(service: str, address: str, port: int, key: str) -> bool:
    """Whether one container serves the new weights; says so, or why not."""
    try:
        digest = ask_to_reload(address, port, key)
    except (OSError, HTTPException, ValueError) as error:
        print(f"{service} at {address}: {reason(error)}", file=sys.stderr)
        return False
    print(f"{service} at {address}: {digest}")
    return True


def ask_to_reload(address: str, port: int, key: str) -> str:
    """The SHA-256 of the weights that serve now.

    Raises:
        OSError: the service cannot be reached, or does not take them.
        HTTPException, ValueError: who answers is not the service.
    """
    request = Request(f"http://{address}:{port}/admin/reload", method="POST", headers={"X-API-Key": key})
    with build_opener(ProxyHandler({})).open(request, timeout=RELOAD_TIMEOUT_S) as response:
        answer = response.read()
    match json.loads(answer):
        case {"sha256": str(digest)}:
            return digest
    raise ValueError(answer.decode())


def reason(error: Exception) -> str:
    """What a problem document says, or the system, or that there was none."""
    if isinstance(error, HTTPError):
        return error.read().decode(errors="replace")
    return str(error) if isinstance(error, OSError) else f"not the service's answer: {error!r}"


if __name__ == "__main__":
    main()
