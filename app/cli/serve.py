"""``fcn-segment serve``."""

from typing import Annotated

import typer

from app.cli.options import DeviceOption, PrecisionOption, WeightsOption, set_settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default: FCN_HOST, or 127.0.0.1.")] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port to listen on, 0 for a free one; default: FCN_PORT, or 8000."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Number of worker processes; default: FCN_WORKERS, or 1.")
    ] = None,
    weights: WeightsOption = None,
    device: DeviceOption = None,
    precision: PrecisionOption = None,
) -> None:
    """Start the service: a web page at /, the HTTP reference at /docs.

    Options override the environment. All other settings come from the
    environment variables FCN_... that the README lists.
    """
    set_settings(host=host, port=port, workers=workers, weights=weights, device=device, precision=precision)
    from app.cli.start import start  # noqa: PLC0415 (the other commands do not need it)

    start()
