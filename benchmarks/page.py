"""Runs a benchmark and puts what it prints into docs/benchmarks.md, between the comments that bear its name.

python -m benchmarks.page giant
python -m benchmarks.page http naive litserve --peer-python .venv-peers/bin/python
"""

import subprocess
import sys
from pathlib import Path

from training.model_card import with_tables

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def main() -> None:
    name, *arguments = sys.argv[1:]
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(output)
    PAGE.write_text(with_tables(PAGE.read_text(), {name: output.strip() + "\n"}))


if __name__ == "__main__":
    main()
