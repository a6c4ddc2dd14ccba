"""Run a benchmark and write its output into docs/records/benchmarks.md, between the comments with its name.

python -m benchmarks.page large_image
python -m benchmarks.page http naive litserve --peer-python .venv-peers/bin/python
ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 python -m benchmarks.page engines=engines_avx2 DATA
python -m benchmarks.page reliability.overload --seconds 60

``benchmark=name`` uses the comments with that name instead. Modules of ``benchmarks.reliability`` go into
docs/records/reliability.md. The output of a failed benchmark is printed and changes no page.
"""

import subprocess
import sys
from pathlib import Path

from training.export.model_card import with_tables

_RECORDS = Path(__file__).parents[1] / "docs/records"


def main() -> None:
    named, *arguments = sys.argv[1:]
    name, _, other = named.partition("=")
    package, _, own = name.rpartition(".")
    page = _RECORDS / f"{package or 'benchmarks'}.md"
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    print(done.stdout)
    if done.returncode:
        sys.exit(done.returncode)
    page.write_text(with_tables(page.read_text(), {other or own: done.stdout.strip() + "\n"}))


if __name__ == "__main__":
    main()
