import os
from pathlib import Path

import pytest

from training.errors import ConfigError
from training.fit.compilation import require_compilation


def _compiler(folder: Path) -> Path:
    compiler = folder / "cc"
    compiler.write_text("#!/bin/sh\n")
    compiler.chmod(0o755)
    return compiler


def test_a_machine_without_a_compiler_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="needs a C compiler"):
        require_compilation()
    _compiler(tmp_path)
    require_compilation()


def test_a_folder_that_nothing_can_be_run_from_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CC", str(_compiler(tmp_path)))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    require_compilation()
    state = list(os.statvfs(tmp_path))
    state[8] = os.ST_NOEXEC
    monkeypatch.setattr("os.statvfs", lambda _: os.statvfs_result(state))
    with pytest.raises(ConfigError, match="mounted noexec"):
        require_compilation()
