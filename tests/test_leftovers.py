import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody looks after what tests leave behind")

ROOT = Path(__file__).parents[1]

_CONFTEST = "from tests.conftest import pytest_configure\n"
_SLEEP = "import subprocess, sys\nslept = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"


def _pytest(folder: Path, test: str, **variables: str) -> "subprocess.Popen[str]":
    (folder / "conftest.py").write_text(_CONFTEST)
    (folder / "test_it.py").write_text(test)
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-s",
            "-W",
            "error",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(folder),
            str(folder),
        ],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        text=True,
    )


def _result(folder: Path, test: str, **variables: str) -> tuple[int, str]:
    with _pytest(folder, test, **variables) as process:
        output, _ = process.communicate()
    return process.returncode, output


@pytest.mark.slow
def test_a_run_that_leaves_nothing_behind_passes(tmp_path: Path) -> None:
    code, output = _result(tmp_path, "def test_it():\n    pass\n")
    assert (code, "left behind" in output) == (0, False), output


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("import os; os.dup(0)", "is open"),
        ("import tempfile; tempfile.mkdtemp(prefix='forgotten')", "forgotten"),
        (_SLEEP + "import warnings; warnings.simplefilter('ignore')", "time.sleep(600)"),
    ],
)
@pytest.mark.slow
def test_what_a_run_leaves_behind_fails_it_and_is_removed(tmp_path: Path, line: str, told: str) -> None:
    code, output = _result(tmp_path, f"{line}\ndef test_it():\n    pass\n")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert told in output.partition("left behind by the tests")[2]
    for word in output.split():
        assert not ("forgotten" in word and Path(word).exists())


def test_what_a_failed_test_has_left_open_fails_no_other_test(tmp_path: Path) -> None:
    fails = "def test_fails():\n    file = open(__file__)\n    me = [file]\n    me.append(me)\n    assert not me\n"
    code, output = _result(tmp_path, f"{fails}def test_passes():\n    import gc\n    gc.collect()\n")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "1 failed, 1 passed" in output


@pytest.mark.slow
def test_what_a_killed_run_has_started_is_ended(tmp_path: Path) -> None:
    test = f"{_SLEEP}print('started', slept.pid, flush=True)\nslept.wait()\n"
    with _pytest(tmp_path, test) as process:
        assert process.stdout is not None
        started = next(int(line.split()[1]) for line in process.stdout if line.startswith("started"))
        process.send_signal(signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{started}").exists(), timeout_s=60)


@pytest.mark.parametrize("variables", [{"FCN_PORT": "1"}, {"fcn_precision": "nonsense"}])
@pytest.mark.slow
def test_no_setting_of_the_surroundings_reaches_a_test(tmp_path: Path, variables: Mapping[str, str]) -> None:
    test = "from app.settings import Settings\ndef test_it():\n    assert Settings() == Settings(precision='float32')\n"
    code, output = _result(tmp_path, test, **variables)
    assert code == 0, output


def test_reasons_of_skipping_are_counted(tmp_path: Path) -> None:
    skipped = "import pytest\n@pytest.mark.parametrize('n', range(3))\ndef test_it(n):\n    pytest.skip('no parrot')\n"
    code, output = _result(tmp_path, skipped + "def test_other():\n    pytest.skip('no cheese')\n")
    assert code == 0
    assert output.index("3: no parrot") < output.index("1: no cheese")
