"""A build under way."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from deploy.chroot.base import remove_compiled_modules, stand_in
from deploy.chroot.dockerfile import Section
from deploy.chroot.errors import CheckError
from deploy.chroot.inside import NETWORK_FILES, inside, make_mount_points
from deploy.chroot.stage import Stage


@dataclass(slots=True)
class Build:
    """Stages, each made of those before it.

    Attributes:
        context: the folder that files come from.
        folder: holds the base (kept for the next time) and the stages.
        mirror: Debian mirror; empty leaves it to debootstrap.
        arguments: values of ``--build-arg``.
        stages: those begun, by name; the last one is being built.
    """

    context: Path
    folder: Path
    mirror: str
    arguments: dict[str, str]
    stages: dict[str, Stage] = field(default_factory=dict)

    @property
    def stage(self) -> Stage:
        return next(reversed(self.stages.values()))

    def begin(self, section: Section) -> None:
        """Make the section's stage, from a base or from an earlier one."""
        root = self.folder / "stages" / str(len(self.stages))
        origin = self.stages.get(section.origin)
        if origin is not None:
            # Files are shared: nothing is written into in place.
            subprocess.run(["cp", "--archive", "--link", origin.root, root], check=True)
            self.stages[section.name] = origin.successor(root, section.name)
            return
        base, python = stand_in(section.origin, self.folder, self.mirror)
        subprocess.run(["cp", "--archive", "--reflink=auto", base, root], check=True)
        remove_compiled_modules(root)
        make_mount_points(root, NETWORK_FILES)
        stage = self.stages[section.name] = Stage(root, section.name)
        program = f"import sys; sys.exit(sys.version_info[:2] != tuple(map(int, '{python}'.split('.'))))"
        if subprocess.run(inside(stage, ["python", "-c", program], {}), check=False).returncode:
            raise CheckError(f"{section.origin}: that release of Debian has another Python")
