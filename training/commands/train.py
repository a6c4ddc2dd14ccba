"""``python -m training train``."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer

from model.capabilities import require_precision
from model.checkpoint import Checkpoint
from model.cores import set_threads
from model.errors import DeviceError
from model.labels import VOC, Labels
from model.precision import Precision
from training.config import TrainConfig
from training.config_file import load_config
from training.data.labels_file import load_labels
from training.data.sources import open_sources
from training.errors import ConfigError, ResumeError
from training.fit.distributed import Processes, join_processes, own_device
from training.fit.engine import STATE_NAME, Ending, Trainer
from training.fit.initialization import starting_network
from training.recipes import RECIPES, recipe_file

_INTERRUPTED_STATUS = 130

_SHARED_MEMORY = Path("/dev/shm")
_PREFETCHED = 2
"""Batches that each data loading process prefetches: PyTorch's default."""

_CROP_PIXEL_BYTES = 6
"""Upper bound on a crop's bytes per pixel: image, mask and soft labels."""


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(help=f"Configuration: a TOML or YAML file, or a built-in recipe: {', '.join(RECIPES)}."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run: checkpoints, log, curves.")] = Path("runs/latest"),
    data: Annotated[Path | None, typer.Option(help="Base folder of the data sets' relative paths.")] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="ROOT:LIST:N, a data set in VOC layout, its list, and its samples per batch; replaces the "
            "configuration's sources. May be given several times."
        ),
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="TOML file of your classes' names and colours.")] = None,
    start_from: Annotated[Path | None, typer.Option(help="Checkpoint to start from.")] = None,
    backbone: Annotated[
        str | None, typer.Option(help="ImageNet weights: a file, 'torchvision' (downloads them) or 'random'.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Number of steps.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1, ...")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Any setting: SECTION.NAME=VALUE. May be given several times; --show-config lists all."
        ),
    ] = None,
    allow_empty_classes: Annotated[
        bool, typer.Option("--allow-empty-classes", help="Train even if some class has no pixel in any mask.")
    ] = False,
    resume: Annotated[
        str,
        typer.Option(help="'auto' resumes the run in OUT if there is one; 'never' fails if OUT holds a run."),
    ] = "never",
    max_minutes: Annotated[float | None, typer.Option(help="Minutes after which to save and stop.")] = None,
    show_config: Annotated[bool, typer.Option("--show-config", help="Print all settings and exit.")] = False,
) -> None:
    """Train a network on data in VOC layout.

    The data is checked first, and all errors are listed at once. The run may be interrupted at any moment (Ctrl-C, a
    kill, a power cut) and is resumed with --resume auto. OUT/last.safetensors is the checkpoint for evaluate, predict
    and export.

    On several GPUs: torchrun --nproc-per-node 4 -m training train ...
    """
    overrides = [
        *(setting or []),
        *_override("data.folder", data),
        *_override("data.labels", labels),
        *_override("start.checkpoint", start_from),
        *_override("start.backbone", backbone),
        *(["data.allow_empty_classes=true"] if allow_empty_classes else []),
        *_override("run.steps", steps),
        *_override("run.device", device),
        *_override("run.max_minutes", max_minutes),
        *([f"data.sources=[{', '.join(_source(text) for text in source)}]"] if source else []),
    ]
    config = load_config(recipe_file(recipe), overrides)
    if show_config:
        _print_config(config)
        return
    if resume not in {"auto", "never"}:
        raise typer.BadParameter(f"--resume is 'auto' or 'never', not {resume!r}")
    set_threads(config.run.threads, "run.threads")
    chosen = own_device(config.run.device)
    # All crops have one size, so cuDNN searches for its fastest algorithm only once.
    torch.backends.cudnn.benchmark = chosen.type == "cuda"
    _require_bfloat16(config, chosen)
    _require_writable(out)
    _require_shared_memory(config)
    holds_run = (out / STATE_NAME).exists()
    if holds_run and resume == "never":
        raise ResumeError(f"{out} holds a run already: go on with --resume auto, or choose another folder")
    with join_processes(chosen) as processes:
        trainer = _trainer(config, out, chosen, processes)
        if holds_run:
            trainer.resume()
        outcome = trainer.train()
    if processes.is_main_process:
        print(f"{outcome.ending} at step {outcome.step}; waited for data {outcome.wait_share:.1%} of the time")
        print(trainer.checkpoint_file)
    if outcome.ending is Ending.INTERRUPTED:
        sys.exit(_INTERRUPTED_STATUS)


def _trainer(config: TrainConfig, out: Path, device: torch.device, processes: Processes) -> Trainer:
    labels = _labels(config)
    sources, validation = open_sources(config.data, labels)
    network, network_config, preprocessing = starting_network(config, labels)
    return Trainer(
        network,
        network_config,
        labels,
        sources,
        config,
        out,
        device,
        preprocessing=preprocessing,
        validation=validation,
        processes=processes,
    )


def _require_bfloat16(config: TrainConfig, device: torch.device) -> None:
    if config.run.bfloat16:
        try:
            require_precision(Precision.BFLOAT16, device)
        except DeviceError as error:
            raise DeviceError(f"{error} (run.bfloat16=false trains in float32)") from error


def _require_writable(out: Path) -> None:
    """Refuse a folder that cannot be created or written, before the data is read."""
    folder = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigError(
            f"the run's folder {out} cannot be written: {folder} is not a folder, read-only or another user's"
        )


def _require_shared_memory(config: TrainConfig) -> None:
    """Refuse settings whose batches do not fit into shared memory: a process that writes beyond its end is killed."""
    if not config.data.workers or not _SHARED_MEMORY.is_dir():
        return
    crops = sum(source.per_batch for source in config.data.sources)
    needed_bytes = config.data.workers * _PREFETCHED * crops * config.data.crop_size**2 * _CROP_PIXEL_BYTES
    free_bytes = shutil.disk_usage(_SHARED_MEMORY).free
    if needed_bytes > free_bytes:
        raise ConfigError(
            f"data.workers={config.data.workers} takes up to {needed_bytes / 1e6:.0f} MB of shared memory, but "
            f"{_SHARED_MEMORY} has {free_bytes / 1e6:.0f} MB: set data.workers=0, or give a container more (--shm-size)"
        )


def _labels(config: TrainConfig) -> Labels:
    if config.data.labels is not None:
        return load_labels(config.data.labels)
    return VOC if config.start.checkpoint is None else Checkpoint.load(config.start.checkpoint).labels


def _override(name: str, value: object) -> list[str]:
    return [] if value is None else [f"{name}={value}"]


def _source(text: str) -> str:
    """Convert ROOT:LIST:N to a source as a TOML table."""
    try:
        root, split, per_batch = text.rsplit(":", 2)
        return f"{{root = {_quoted(root)}, split = {_quoted(split)}, per_batch = {int(per_batch)}}}"
    except ValueError as error:
        raise typer.BadParameter(f"{text} is not ROOT:LIST:N") from error


def _quoted(text: str) -> str:
    """Quote a TOML string, which escapes as JSON does."""
    return json.dumps(text, ensure_ascii=False)


def _print_config(config: TrainConfig) -> None:
    for section, settings in config.document().items():
        for name, value in settings.items():
            print(f"{section}.{name} = {value}")
