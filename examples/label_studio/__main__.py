"""Start the backend: ``python -m examples.label_studio``."""

import argparse
import os

import uvicorn

from app.client import Client
from examples.label_studio.backend import create_backend
from examples.label_studio.files import Files


def main() -> None:
    """Serve until Ctrl-C; LABEL_STUDIO_API_KEY has Label Studio's access token."""
    parser = argparse.ArgumentParser(prog="python -m examples.label_studio", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="URL of the service (default: %(default)s)")
    parser.add_argument(
        "--label-studio", default="http://127.0.0.1:8080", help="URL of Label Studio (default: %(default)s)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=9090, help="port to listen on (default: %(default)s)")
    options = parser.parse_args()
    key = os.environ.get("LABEL_STUDIO_API_KEY")
    if not key:
        parser.error("set LABEL_STUDIO_API_KEY to an access token of Label Studio, from Account & Settings")
    with Client(options.url) as client, Files(options.label_studio, key) as files:
        uvicorn.run(create_backend(client, files), host=options.host, port=options.port)


if __name__ == "__main__":
    main()
