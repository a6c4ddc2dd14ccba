"""Requirements of ``torch.compile``."""

import os
import shutil
import tempfile
from pathlib import Path

from training.errors import ConfigError

_COMPILERS = ("cc", "gcc", "clang")


def require_compilation() -> None:
    """Require that programs can be compiled and run here, which they cannot in the container images.

    Raises:
        ConfigError: there is no C compiler, or the folder for temporary files does not allow programs to run.
    """
    compilers = [os.environ["CC"]] if "CC" in os.environ else _COMPILERS
    if not any(shutil.which(compiler) for compiler in compilers):
        raise ConfigError(f"run.compile needs a C compiler, but none was found ({', '.join(compilers)})")
    folder = os.environ.get("TORCHINDUCTOR_CACHE_DIR", tempfile.gettempdir())
    if Path(folder).is_dir() and os.statvfs(folder).f_flag & os.ST_NOEXEC:
        raise ConfigError(f"run.compile needs a folder that allows programs to run, but {folder} is mounted noexec")
