import os
import pty
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from app import __version__
from app.cli.main import cli
from app.cli.options import PrecisionName
from app.formats.json import MaskEncoding
from app.formats.output_format import OutputFormat
from app.parameters import FormatName, MaskName, TilingName
from model.precision import Precision
from model.tiling import Tiling
from tests.app.cli.command import COMMAND, ROOT, SCRIPT, environment, run

COMMANDS = ("serve", "image", "classes", "info")


def test_the_help_of_each_command_tells_the_exit_codes() -> None:
    for arguments in ([], *([command] for command in COMMANDS)):
        result = CliRunner().invoke(cli, [*arguments, "--help"])
        assert result.exit_code == 0
        text = " ".join(result.output.split())
        assert "0 success, 1 some files failed, 2 wrong usage, 3 cannot start" in text
        assert arguments or all(command in text for command in COMMANDS)


def test_the_version_is_the_packages() -> None:
    assert CliRunner().invoke(cli, ["--version"]).output == f"{__version__}\n"


def test_the_choices_are_those_of_the_service() -> None:
    for choices, members in (
        (FormatName, OutputFormat),
        (MaskName, MaskEncoding),
        (TilingName, Tiling),
        (PrecisionName, Precision),
    ):
        assert set(get_args(choices)) == set(members)


def test_help_imports_neither_pytorch_nor_the_service(tmp_path: Path) -> None:
    heavy = ["torch", "fastapi", "uvicorn", "httpx2"]
    blocked = f"import sys; sys.modules.update(dict.fromkeys({heavy})); {SCRIPT}"
    result = run("image", "--help", cwd=tmp_path, command=(sys.executable, "-c", blocked))
    assert result.returncode == 0, result.stderr.decode()


def test_the_project_declares_the_command() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, function = project["scripts"]["fcn-segment"].partition(":")
    assert callable(getattr(import_module(module), function))
    assert f"from {module} import {function}" in SCRIPT


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_produced_and_completes(tmp_path: Path, shell: str) -> None:
    script = run(cwd=tmp_path, _FCN_SEGMENT_COMPLETE=f"source_{shell}")
    assert script.returncode == 0
    assert b"_FCN_SEGMENT_COMPLETE=complete_" + shell.encode() in script.stdout
    words = {
        "bash": {"COMP_WORDS": "fcn-segment cl", "COMP_CWORD": "1"},
        "zsh": {"_TYPER_COMPLETE_ARGS": "fcn-segment cl"},
        "fish": {"_TYPER_COMPLETE_ARGS": "fcn-segment cl", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }
    variables = environment(_FCN_SEGMENT_COMPLETE=f"complete_{shell}", **words[shell])
    completed = subprocess.run(COMMAND, env=variables, capture_output=True, check=False)
    assert b"classes" in completed.stdout
    assert b"image" not in completed.stdout


def test_a_terminal_gets_a_progress_bar_and_it_goes_away(tmp_path: Path) -> None:
    """The bar is for people: it is drawn on standard error if that is a terminal."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(tmp_path)
        command = [*COMMAND, "image", str(ROOT / "examples/cat.jpg"), "-o", "masks"]
        os.execve(sys.executable, command, {**environment(), "TERM": "xterm"})
    shown = b""
    try:
        while part := os.read(terminal, 4096):
            shown += part
    except OSError:  # the terminal's other end is closed
        pass
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0, shown
    assert b"1 image" in shown
    assert re.search(rb"451 x 300 pixels, cat \d\d\.\d%", shown)
    assert (tmp_path / "masks/cat.png").is_file()
