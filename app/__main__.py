"""``python -m app``: serve, with settings from the environment."""

import sys

from pydantic import ValidationError

from app.server import serve
from app.settings import Settings


def main() -> None:
    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors():
            name = "FCN_" + "_".join(str(part) for part in fault["loc"]).upper()
            print(f"error: {name}: {fault['msg']}", file=sys.stderr)
        raise SystemExit(2) from error
    serve(settings)


if __name__ == "__main__":
    main()
