"""The reference of a command line in Markdown, by Typer's own generator."""

import re
import subprocess
import sys


def commands(module: str, name: str) -> str:
    """Every command of a Typer program with its arguments and options.

    Args:
        module: module that holds the program.
        name: name that it is called by.
    """
    program = [sys.executable, "-m", "typer", module, "utils", "docs", "--name", name]
    text = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    # Its first heading would be the page's second title.
    return re.sub(r"^(#+) ", r"#\1 ", text, flags=re.MULTILINE)
