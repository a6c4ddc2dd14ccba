"""Tar archives on the web: download, checksum, and unpacking confined to a folder."""

import hashlib
import posixpath
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from training.data.download import download
from training.errors import FetchError
from training.progress import byte_bar


@dataclass(frozen=True, slots=True)
class Archive:
    """A tar archive and its address.

    Attributes:
        name: name of the file on disk, independent of the address.
        url: http or https address.
        md5: published MD5 of the whole file, hexadecimal.
    """

    name: str
    url: str
    md5: str

    def download(self, folder: Path) -> Path:
        """Return the file in a folder, downloading it if it does not exist yet.

        An unfinished or unverified download has the suffix ``.part``; an existing one is completed.

        Raises:
            FetchError: the download failed, or the file has another checksum. In that case a download is removed, so
                that the next one starts from the beginning; a file that existed before is not.
        """
        file = folder / self.name
        if file.exists():
            self._require_md5(file, f"{file} is not the right file; remove it and run the same command again")
            return file
        part = folder / f"{self.name}.part"
        download(self.url, part)
        try:
            self._require_md5(part, f"{self.url} gave a wrong file; it was removed: run the same command again")
        except FetchError:
            part.unlink()
            raise
        return part.rename(file)

    def _require_md5(self, file: Path, otherwise: str) -> None:
        with file.open("rb") as content:
            md5 = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if md5 != self.md5:
            raise FetchError(f"{otherwise} (its MD5 is {md5}, not {self.md5})")


def unpack(archive: Path, folder: Path, wanted: tuple[str, ...]) -> None:
    """Unpack some members of a tar archive, compressed or not, with a progress bar.

    Args:
        archive: archive file.
        folder: folder to unpack into; nothing is written outside it.
        wanted: prefixes of the names of the members to unpack.

    Raises:
        FetchError: the archive is damaged; a member, wanted or not, lies or points outside the folder; or a wanted one
            is neither file nor folder. The members before it have been unpacked.
    """
    try:
        with (
            archive.open("rb") as file,
            tarfile.open(fileobj=file) as tar,
            byte_bar() as progress,
        ):
            size = archive.stat().st_size
            task = progress.add_task(f"unpacking {archive.name}", total=size)
            for member in tar:
                _require_inside(member, folder, archive.name)
                if posixpath.normpath(member.name).startswith(wanted):
                    _require_file_or_folder(member, archive.name)
                    tar.extract(member, folder, filter="data")
                progress.update(task, completed=file.tell())
            progress.update(task, completed=size)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise FetchError(f"{archive} cannot be unpacked: {error}") from error


def _require_inside(member: tarfile.TarInfo, folder: Path, archive: str) -> None:
    if member.name.startswith("/"):  # Python's filter would strip the slash and continue
        raise FetchError(f"{archive} is refused: its member {member.name} has an absolute path")
    try:
        tarfile.data_filter(member, str(folder))
    except tarfile.FilterError as error:
        raise FetchError(f"{archive} is refused: its member {member.name} is not safe to unpack ({error})") from error


def _require_file_or_folder(member: tarfile.TarInfo, archive: str) -> None:
    """Refuse links, even those within the folder: no data set needs them, and chains of links have fooled filters."""
    if not (member.isreg() or member.isdir()):
        raise FetchError(f"{archive} is refused: its member {member.name} is neither file nor folder")
