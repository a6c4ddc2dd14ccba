"""``python -m app``: serve, with settings from the environment; with arguments, the command line ``fcn-segment``."""

import sys


def main() -> None:
    # Serving does not need the libraries of the command line.
    if len(sys.argv) == 1:
        from app.cli.start import start  # noqa: PLC0415

        start()
    else:
        from app.cli.main import main as run_command  # noqa: PLC0415

        run_command()


if __name__ == "__main__":
    main()
