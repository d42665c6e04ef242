"""The folders, variables and projects of one run."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.environments import absence
from benchmarks.servers import Servers
from benchmarks.sizes import Sizes
from benchmarks.timing import Contender, run

ARTLOCK = (sys.executable, "-m", "artlock", "--no-progress")
_SOURCE = Path(__file__).parents[1]
_LARGE = 2**20
_HIDDEN = ("AWS_", "ARTLOCK_", "PYTHON", "RCLONE_", "S3_", "STORAGE_", "WANDB_", "COMET_")


@dataclass(frozen=True, slots=True)
class Project:
    """A folder in which artlock has locked one artifact.

    Attributes:
        folder: With ``artifacts.toml`` and ``artifacts.lock``, in a git repository.
        data: Where the artifact's files go.
    """

    folder: Path
    data: Path

    @property
    def lockfile(self) -> Path:
        """The lockfile."""
        return self.folder / "artifacts.lock"

    @property
    def state(self) -> Path:
        """What artlock remembers about the workspace."""
        return self.folder / ".artlock"


class Ground:
    """Where one run happens.

    Args:
        folder: Empty; for everything that is made.
        servers: Run until the end.
        sizes: How much is made.

    Attributes:
        folder: As given.
        servers: As given.
        sizes: As given.
        cache: artlock's.
        state: What it remembers for its user.
        environ: The variables of all commands.
    """

    def __init__(self, folder: Path, servers: Servers, sizes: Sizes) -> None:
        self.folder = folder
        self.servers = servers
        self.sizes = sizes
        self.cache = folder / "cache"
        self.state = folder / "state"
        self._aside = folder / "aside"
        home = folder / "home"
        for each in (home, self._aside):
            each.mkdir()
        self.environ: Mapping[str, str] = {
            **{k: v for k, v in os.environ.items() if not k.startswith(_HIDDEN)},
            "PYTHONPATH": str(_SOURCE),
            "HOME": str(home),
            "XDG_STATE_HOME": str(self.state),
            "ARTLOCK_CACHE_DIR": str(self.cache),
            **servers.variables(),
        }

    def do(
        self, *command: str, folder: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        """Run a command that has to go well.

        Raises:
            RunError: It did not.
        """
        contender = Contender(
            name=" ".join(command), command=command, folder=folder, environ=environ or {}
        )
        run(contender, self.environ)

    def project(self, name: str, uri: str) -> Project:
        """Lock what lies at a URI; the second time, return the same project."""
        folder = self.folder / name
        if not folder.exists():
            folder.mkdir()
            self.do("git", "init", "-q", folder=folder)
            self.do(*ARTLOCK, "init", folder=folder)
            self.do(*ARTLOCK, "add", uri, "--name", name, folder=folder)
        return Project(folder, folder / "data" / name)

    def put_aside(self, *paths: Path) -> None:
        """Take folders out of the way, and delete no more than their large files.

        ext4 does not give the inodes of files that were deleted in the last seconds to new
        ones, and searches: right after a deletion, making files takes three times as long.
        Large files are few, and would fill the disk.
        """
        for path in paths:
            if path.exists():
                goal = path.rename(self._aside / f"{path.name}-{secrets.token_hex(4)}")
                for file in goal.rglob("*"):
                    if file.is_file() and file.stat().st_size >= _LARGE:
                        file.unlink()

    def artlock(
        self,
        name: str,
        *arguments: str,
        project: Project,
        empty: Sequence[Path] = (),
        environ: Mapping[str, str] | None = None,
    ) -> Contender:
        """Return one of artlock's commands; ``empty`` is put aside before each run."""
        return Contender(
            name=name,
            command=(*ARTLOCK, *arguments),
            folder=project.folder,
            prepare=lambda: self.put_aside(*empty),
            environ=environ or {},
        )

    def absence(self, peer: str) -> str:
        """Return why a peer with an environment of its own cannot run, or nothing."""
        return absence(peer) if self.sizes.has_environments else "left out"

    def empty(self, goal: Path) -> Callable[[], None]:
        """Return what makes a folder anew before a run."""

        def prepare() -> None:
            self.put_aside(goal)
            goal.mkdir()

        return prepare
