from pathlib import Path

import pytest
import torch

from model.cgroups import cpu_quota, memory_limit
from model.cores import require_threads, set_threads, usable_cores
from model.errors import DeviceError


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Mount point of cgroups; the process is in ``/pod/box`` of version 2 and of version 1's ``cpu,cpuacct``."""
    own = tmp_path / "own"
    own.write_text("3:cpu,cpuacct:/pod/box\n2:memory:/pod/box\n0::/pod/box\n")
    monkeypatch.setattr("model.cgroups._OWN", own)
    monkeypatch.setattr("model.cgroups._ROOT", tmp_path / "cgroup")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(6)), raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    return tmp_path / "cgroup"


def _limit_v2(folder: Path, text: str) -> None:
    folder.mkdir(parents=True)
    (folder / "cpu.max").write_text(text + "\n")


def _limit_v1(folder: Path, quota: int, period: int) -> None:
    folder.mkdir(parents=True)
    (folder / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (folder / "cpu.cfs_period_us").write_text(f"{period}\n")


def test_without_a_quota_affinity_decides(groups: Path) -> None:
    _limit_v2(groups / "pod", "max 100000")
    _limit_v1(groups / "cpu,cpuacct/pod", -1, 100000)
    assert cpu_quota() is None
    assert usable_cores() == 6
    require_threads(64, "threads")


def test_a_machine_with_fewer_cores_than_its_affinity_names_has_those(
    groups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert usable_cores() == 1


@pytest.mark.parametrize(
    ("text", "quota", "cores"),
    [("200000 100000", 2, 2), ("150000 100000", 1.5, 1), ("5000 100000", 0.05, 1), ("900000 100000", 9, 6)],
)
@pytest.mark.parametrize("folder", ["", "pod", "pod/box"])
def test_the_quota_of_any_group_above_holds(groups: Path, folder: str, text: str, quota: float, cores: int) -> None:
    _limit_v2(groups / folder, text)
    assert cpu_quota() == quota
    assert usable_cores() == cores


@pytest.mark.parametrize("mount", ["cpu,cpuacct", "cpu"])
@pytest.mark.parametrize("folder", ["", "pod/box"])
def test_the_quota_of_version_1_holds_too(groups: Path, mount: str, folder: str) -> None:
    _limit_v1(groups / mount / folder, 300000, 100000)
    assert usable_cores() == 3


def test_the_tightest_quota_holds(groups: Path) -> None:
    _limit_v2(groups / "pod", "400000 100000")
    _limit_v2(groups / "pod/box", "200000 100000")
    assert usable_cores() == 2


def test_what_is_not_a_quota_is_none(groups: Path) -> None:
    _limit_v2(groups, "nonsense")
    _limit_v1(groups / "cpu", 0, 0)
    assert cpu_quota() is None


def test_a_system_without_cgroups_has_no_quota(groups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.cgroups._OWN", groups / "missing")
    assert cpu_quota() is None


@pytest.mark.parametrize(
    ("file", "text", "limit"),
    [
        ("memory.max", "2147483648", 1 << 31),
        ("memory.max", "max", None),
        ("memory/memory.limit_in_bytes", "2147483648", 1 << 31),
        ("memory/memory.limit_in_bytes", "9223372036854771712", None),
        ("memory/pod/box/memory.limit_in_bytes", "4096", 4096),
        ("pod/memory.max", "4096", 4096),
    ],
)
def test_the_memory_limit_of_any_group_above_holds(groups: Path, file: str, text: str, limit: int | None) -> None:
    (groups / file).parent.mkdir(parents=True, exist_ok=True)
    (groups / file).write_text(text + "\n")
    assert memory_limit() == limit


def test_the_tightest_memory_limit_holds(groups: Path) -> None:
    (groups / "pod/box").mkdir(parents=True)
    (groups / "memory.max").write_text("1000\n")
    (groups / "pod/memory.max").write_text("3000\n")
    (groups / "pod/box/memory.max").write_text("2000\n")
    assert memory_limit() == 1000


def test_more_threads_than_the_quota_are_refused_with_the_bound(groups: Path) -> None:
    _limit_v2(groups, "150000 100000")
    require_threads(0, "threads")
    require_threads(2, "threads")
    with pytest.raises(DeviceError, match=r"run\.threads is 3, but the CPU quota allows 1\.5 cores: set 2 or fewer"):
        require_threads(3, "run.threads")


def test_threads_are_as_many_as_the_quota_has_cores_unless_set(groups: Path) -> None:
    _limit_v2(groups, "100000 100000")
    usual = torch.get_num_threads()
    try:
        set_threads(0, "threads")
        assert torch.get_num_threads() == 1
        with pytest.raises(DeviceError, match="set 1 or fewer"):
            set_threads(2, "threads")
    finally:
        torch.set_num_threads(usual)
