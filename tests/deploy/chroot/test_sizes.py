from pathlib import Path

from deploy.chroot.sizes import sizes


def test_each_file_is_counted_once_and_with_its_part(tmp_path: Path) -> None:
    libraries = tmp_path / "opt/venv/lib/python3.11/site-packages"
    for folder, size in {libraries / "torch/lib": 5, libraries / "numpy": 2, libraries / "numpy.libs": 3}.items():
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(bytes(size))
    (libraries / "torch/again").hardlink_to(libraries / "torch/lib/file")
    (tmp_path / "srv/app/static").mkdir(parents=True)
    (tmp_path / "srv/app/static/page.html").write_bytes(bytes(7))
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_bytes(bytes(1))
    assert sizes(tmp_path) == {"torch": 5, "numpy": 5, "srv/app": 7, "base system and Python": 1}
