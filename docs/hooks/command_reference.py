"""The reference of a command line in Markdown, from Typer's own generator."""

import re
import subprocess
import sys


def commands(module: str, name: str) -> str:
    """Describe every command of a Typer program with its arguments and options.

    Args:
        module: module that contains the program.
        name: name of the command that starts it.
    """
    program = [sys.executable, "-m", "typer", module, "utils", "docs", "--name", name]
    text = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    # Its first heading would be a second title of the page.
    return re.sub(r"^(#+) ", r"#\1 ", text, flags=re.MULTILINE)
