"""The service does what its OpenAPI document says: all checks of schemathesis, against a process with API keys.

    python -m benchmarks.reliability.contract --examples 200

Bodies that fit the document are images of all formats.
"""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.api.auth.keys import KeyScope
from benchmarks.findings import Finding, none_of
from benchmarks.photograph import NAMES, photograph
from benchmarks.reliability.check import conclude, parser
from benchmarks.service import OURS, started

_ROOT = Path(__file__).parents[2]
_TIME_LIMIT_S = 3600
_REQUEST_TIMEOUT_S = 60

_KEY = "a-key-for-everything"

_CONFIGURATION = """
hooks = "benchmarks.reliability.contract_hooks"

# It has no parameters, and takes seconds.
[[operations]]
include-path = "/admin/reload"
generation = { max-examples = 1 }
"""


def prove(examples: int, seed: int, excluded: str = "") -> list[Finding]:
    """Start the service with a key of every scope, run schemathesis against it, and return the findings.

    Args:
        examples: requests per operation, besides those that follow from the document alone.
        seed: seed of the requests.
        excluded: path that is not tested; empty tests all.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        keys = folder / "keys"
        keys.write_text(f"everything {hashlib.sha256(_KEY.encode()).hexdigest()} {','.join(KeyScope)}\n")
        service = OURS.with_environment(FCN_API_KEYS_FILE=str(keys), FCN_PROTECT_METRICS="true", FCN_LOG_LEVEL="error")
        with started(replace(service, key=_KEY), sys.executable, photograph(NAMES[0])) as one:
            report = _report(one.port, examples, seed, excluded, folder)
    return _findings(report)


def _report(port: int, examples: int, seed: int, excluded: str, folder: Path) -> dict[str, Any]:
    configuration, path = folder / "schemathesis.toml", folder / "report.json"
    configuration.write_text(_CONFIGURATION)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration)),
        *("run", f"http://127.0.0.1:{port}/openapi.json", "--checks", "all", "--continue-on-failure", "--no-color"),
        *("--request-timeout", str(_REQUEST_TIMEOUT_S)),
        *("--header", f"Authorization: Bearer {_KEY}", "--max-examples", str(examples), "--seed", str(seed)),
        *(("--exclude-path", excluded) if excluded else ()),
        *("--generation-database", "none", "--report", "json", "--report-json-path", str(path)),
    ]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIME_LIMIT_S,
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
    report: dict[str, Any] = json.loads(path.read_text())
    return report


def _findings(report: dict[str, Any]) -> list[Finding]:
    cases, phases = report["test_cases"], report["phases"]
    accepted = {
        operation: sum(count["accepted"] for count in rates.values())
        for operation, rates in report["valid_rates"].items()
    }
    told = [f"{one['title']} by {', '.join(one['operations'])}" for one in report["failures"]]
    return [
        Finding("checks", f"all of schemathesis {report['schemathesis_version']}"),
        Finding("requests", f"{cases['generated']} of seed {report['seed']}, in {report['running_time']:.0f} s"),
        Finding("phases", ", ".join(name for name, phase in phases.items() if phase["status"] != "skip")),
        Finding(
            "requests that fit the document and were accepted",
            ", ".join(f"{name} {accepted[name]}" for name in accepted),
        ),
        none_of(
            "operations without one", len(unaccepted := [name for name in accepted if not accepted[name]]), unaccepted
        ),
        none_of("failures of checks", cases["unique_failures"], told),
        none_of("errors", len(report["errors"])),
    ]


def main() -> int:
    arguments = parser("contract", __doc__)
    arguments.add_argument("--examples", type=int, default=200, help="requests per operation (200)")
    arguments.add_argument("--seed", type=int, default=1, help="seed of the requests (1)")
    options = arguments.parse_args()
    return conclude(prove(options.examples, options.seed))


if __name__ == "__main__":
    sys.exit(main())
