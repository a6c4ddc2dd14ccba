"""``python -m training``: the command line."""

import typer

from model.errors import SegmentationError
from training.commands.evaluate import evaluate
from training.commands.export import export
from training.commands.fetch import fetch
from training.commands.predict import predict
from training.commands.show import show
from training.commands.soft_labels import soft_labels
from training.commands.train import train
from training.errors import TrainingError

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@cli.callback()
def _main() -> None:
    """Train and score networks on data in Pascal VOC layout."""


for _command in (fetch, show, soft_labels, train, evaluate, predict, export):
    cli.command()(_command)


if __name__ == "__main__":
    try:
        cli()
    except (TrainingError, SegmentationError) as error:
        raise SystemExit(f"error: {error}") from error
