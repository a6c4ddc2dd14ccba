"""``python -m training``: the command line."""

import sys

import typer

from model.errors import DeviceError, SegmentationError
from training.commands.average import average
from training.commands.evaluate import evaluate
from training.commands.export import export
from training.commands.fetch import fetch
from training.commands.predict import predict
from training.commands.show import show
from training.commands.soft_labels import soft_labels
from training.commands.train import train
from training.errors import TrainingError

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

_DEVICE_STATUS = 3
"""Exit code if the device cannot be used as requested; the service uses the same."""


@cli.callback()
def _main() -> None:
    """Train and score networks on data in Pascal VOC layout."""


for _command in (fetch, show, soft_labels, train, evaluate, predict, average, export):
    cli.command()(_command)


if __name__ == "__main__":
    try:
        cli()
    except (TrainingError, SegmentationError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(_DEVICE_STATUS if isinstance(error, DeviceError) else 1) from error
