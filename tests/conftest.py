import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray
from PIL import Image

from tests import skip_summary
from tests.app.forked_process import end_parent
from tests.failed_tests import FailedTests
from tests.freed_memory import FreedMemory
from tests.leftovers import Leftovers

_ROOT = Path(__file__).parents[1]

if "PYTEST_XDIST_WORKER" in os.environ:
    # With a thread per core in each of several processes, services among them, threads would wait for one another.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says how busy the machine is.
_UNCHECKED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("no time limits", deadline=None, suppress_health_check=_UNCHECKED)
settings.load_profile("no time limits")


def pytest_configure(config: pytest.Config) -> None:
    # Before any test module is imported, so that the user's settings reach neither the tests nor what they start.
    for name in [name for name in os.environ if name.upper().startswith("FCN_")]:
        del os.environ[name]
    # Expected masks must not depend on which precision is fastest here; tests of other precisions set them.
    os.environ["FCN_PRECISION"] = "float32"
    config.pluginmanager.register(skip_summary)
    config.pluginmanager.register(FailedTests())
    if sys.platform == "linux":
        config.pluginmanager.register(FreedMemory())
        config.pluginmanager.register(Leftovers(config))


def pytest_sessionfinish() -> None:
    end_parent()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = _ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the data sets are not here: ../shared/data, seen from the project's root, is missing")
    return folder


@pytest.fixture(scope="session")
def examples() -> Path:
    return _ROOT / "examples"


@pytest.fixture(scope="session")
def cat(examples: Path) -> NDArray[np.uint8]:
    with Image.open(examples / "cat.jpg") as picture:
        return np.array(picture.convert("RGB"))
