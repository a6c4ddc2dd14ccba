"""A tar archive on the web: download, checksum, and unpacking that stays inside its folder."""

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
    """A tar archive and where it is served.

    Attributes:
        name: name of the file on disk, whatever the address ends in.
        url: http or https.
        md5: of the whole file, hexadecimal, as its publishers and other users know it.
    """

    name: str
    url: str
    md5: str

    def download(self, folder: Path) -> Path:
        """The file in a folder: the one that is there if it is right, else downloaded.

        An unfinished or unchecked download has the suffix ``.part``, and is completed if there is one.

        Raises:
            FetchError: the download failed, or the file has another checksum. A download is removed then, so
                that the next one begins anew; a file that was there is not.
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
    """Unpack some members of a tar archive, compressed or not, and show how far it is.

    Args:
        archive: archive file.
        folder: folder to unpack into; everything stays below it.
        wanted: what the names of these members begin with.

    Raises:
        FetchError: the archive is damaged; a member, wanted or not, would lie outside or lead there; or a wanted
            one is neither file nor folder. Members before it have been unpacked then.
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
    if member.name.startswith("/"):  # Python's filter would take the slash off and go on
        raise FetchError(f"{archive} is refused: its member {member.name} has an absolute path")
    try:
        tarfile.data_filter(member, str(folder))
    except tarfile.FilterError as error:
        raise FetchError(f"{archive} is refused: its member {member.name} is not safe to unpack ({error})") from error


def _require_file_or_folder(member: tarfile.TarInfo, archive: str) -> None:
    """Refuse links, even those that stay inside: no data set needs one, and chains of them have fooled filters."""
    if not (member.isreg() or member.isdir()):
        raise FetchError(f"{archive} is refused: its member {member.name} is neither file nor folder")
