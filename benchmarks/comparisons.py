"""What is held against what: the lines of the table, and the folders that they need."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.data import BIG, MANY, make_files
from benchmarks.timing import Contender, race

if TYPE_CHECKING:
    from collections.abc import Sequence

    from testbed.seaweedfs import SeaweedFS

_ARTLOCK = (sys.executable, "-m", "artlock", "--no-progress")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One line of the table.

    Attributes:
        what: Is measured.
        ours: artlock's command.
        peer: What it is held against.
        target: The ratio of wall times that ours is to stay below.
    """

    what: str
    ours: Contender
    peer: Contender
    target: float


class Bench:
    """The folders and commands of one run.

    Args:
        folder: Empty; for everything that is made.
        server: Has the objects of ``data.load``.
        files: In the workspace that is asked whether anything changed.
    """

    def __init__(self, folder: Path, server: SeaweedFS, *, files: int) -> None:
        self._folder = folder
        self._server = server
        self._s5cmd = str(Path(sys.executable).with_name("s5cmd"))
        admin = server.admin
        home = folder / "home"
        home.mkdir()
        self._aside = folder / "aside"
        self._aside.mkdir()
        self.environ = {
            **{
                k: v
                for k, v in os.environ.items()
                if not k.startswith(("AWS_", "ARTLOCK_", "PYTHON"))
            },
            # Whoever installs artlock has compiled modules; the tree stays as it is.
            "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
            "HOME": str(home),
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "AWS_ENDPOINT_URL_S3": server.endpoint,
            "S3_ENDPOINT_URL": server.endpoint,
            "AWS_ACCESS_KEY_ID": admin.access_key,
            "AWS_SECRET_ACCESS_KEY": admin.secret_key,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "ARTLOCK_CACHE_DIR": str(folder / "cache"),
        }
        self._many = self._project("many", f"s3://{MANY}/t/")
        self._big = self._project("big", f"s3://{BIG}/w/")
        self._tree = folder / "tree"
        self._repository = folder / "repository"
        self._files = files
        self._large = folder / "large"
        self._large_repository = folder / "large-repository"

    def _project(self, name: str, uri: str) -> Path:
        """Make a project with one locked artifact, in a git repository."""
        project = self._folder / name
        project.mkdir()
        for command in (
            ("git", "init", "-q"),
            (*_ARTLOCK, "init"),
            (*_ARTLOCK, "add", uri, "--name", name),
        ):
            self._do(command, project)
        return project

    def _do(self, command: Sequence[str], folder: Path) -> None:
        contender = Contender(name=" ".join(command), command=command, folder=folder)
        race([contender], self.environ, rounds=1)

    def _put_aside(self, *paths: Path) -> None:
        """Take folders out of the way without deleting what is in them.

        ext4 does not give the inodes of files that were deleted in the last seconds to new
        ones, and searches: right after a deletion, making files takes three times as long.
        """
        for path in paths:
            if path.exists():
                path.rename(self._aside / f"{path.name}-{secrets.token_hex(4)}")

    def _ours(
        self, name: str, *arguments: str, project: Path, empty: Sequence[Path] = ()
    ) -> Contender:
        return Contender(
            name=name,
            command=(*_ARTLOCK, *arguments),
            folder=project,
            prepare=lambda: self._put_aside(*empty),
        )

    def _s5(self, name: str, uri: str, *, durable: bool = False) -> Contender:
        goal = self._folder / "s5cmd"

        def prepare() -> None:
            self._put_aside(goal)
            goal.mkdir()

        copy = f"'{self._s5cmd}' cp '{uri}*' '{goal}/'"
        command = ("sh", "-c", f"{copy} && sync -f '{goal}'" if durable else copy)
        return Contender(name=name, command=command, folder=goal.parent, prepare=prepare)

    def comparisons(self) -> list[Comparison]:
        """Return the lines of the table; those that fill a workspace come in order."""
        many, big = self._many, self._big
        cache, state = self._folder / "cache", many / ".artlock"
        cold = (cache, state, many / "data")
        cold_big = (cache, big / ".artlock", big / "data")
        loop = self._folder / "loop"

        def fresh_loop() -> None:
            self._put_aside(loop)
            loop.mkdir()

        read_loop = Contender(
            name="obstore read loop",
            command=(
                sys.executable,
                "-m",
                "benchmarks.read_loop",
                self._server.endpoint,
                MANY,
                str(many / "artifacts.lock"),
                str(loop),
            ),
            folder=self._folder,
            prepare=fresh_loop,
        )
        listing = Contender(
            name="s5cmd ls --all-versions",
            command=(self._s5cmd, "ls", "--all-versions", f"s3://{MANY}/t/*"),
            folder=self._folder,
        )
        click = Contender(
            name="python -c import click",
            command=(sys.executable, "-c", "import click"),
            folder=self._folder,
        )
        copied = self._folder / "copied"

        def fresh_copy() -> None:
            self._put_aside(copied)
            self._grow_tree()

        copy = Contender(
            name="cp -r",
            command=("cp", "-r", str(self._tree), str(copied)),
            folder=self._folder,
            prepare=fresh_copy,
        )
        git = Contender(
            name="git status",
            command=("git", "status", "--porcelain"),
            folder=self._repository,
            prepare=self._grow_tree,
        )
        large_git = replace(
            git, folder=self._large_repository, prepare=self._grow_large_workspace
        )
        ours = self._ours

        def at_rest(name: str, command: str) -> Contender:
            prepare = self._grow_large_workspace
            return replace(ours(name, command, project=self._large), prepare=prepare)

        small = self._s5("s5cmd cp", f"s3://{MANY}/t/")
        return [
            Comparison(
                what="--version",
                ours=ours("v", "--version", project=many),
                peer=click,
                target=1.3,
            ),
            Comparison(
                what="resolve --regenerate",
                ours=ours("r", "resolve", "--regenerate", project=many),
                peer=listing,
                target=1.0,
            ),
            Comparison(
                what="cold sync",
                ours=ours("c", "sync", project=many, empty=cold),
                peer=small,
                target=1.0,
            ),
            Comparison(
                what="cold sync, against the floor",
                ours=ours("c", "sync", project=many, empty=cold),
                peer=read_loop,
                target=1.5,
            ),
            Comparison(
                what="warm sync",
                ours=ours("w", "sync", project=many, empty=(state, many / "data")),
                peer=copy,
                target=1.5,
            ),
            Comparison(
                what="no-op sync",
                ours=ours("n", "sync", project=many),
                peer=git,
                target=1.0,
            ),
            Comparison(
                what="status",
                ours=ours("s", "status", project=many),
                peer=git,
                target=1.0,
            ),
            Comparison(
                what=f"no-op sync, {self._files:,} files",
                ours=at_rest("n", "sync"),
                peer=large_git,
                target=1.0,
            ),
            Comparison(
                what=f"status, {self._files:,} files",
                ours=at_rest("s", "status"),
                peer=large_git,
                target=1.0,
            ),
            Comparison(
                what="check", ours=ours("k", "check", project=many), peer=click, target=2.0
            ),
            Comparison(
                what="check, small project",
                ours=ours("k", "check", project=big),
                peer=click,
                target=2.0,
            ),
            Comparison(
                what="cold sync, 4 x 256 MB",
                ours=ours("b", "sync", project=big, empty=cold_big),
                peer=self._s5("s5cmd cp; sync -f", f"s3://{BIG}/w/", durable=True),
                target=1.3,
            ),
            Comparison(
                what="the same with hardlinks",
                ours=ours(
                    "h", "sync", "--link-mode", "hardlink", project=big, empty=cold_big
                ),
                peer=self._s5("s5cmd cp", f"s3://{BIG}/w/"),
                target=1.3,
            ),
        ]

    def _grow_tree(self) -> None:
        """Copy the same files twice, once into a git repository that git has seen."""
        if self._tree.exists():
            return
        self._do((*_ARTLOCK, "sync"), self._many)
        shutil.copytree(self._many / "data", self._tree)
        shutil.copytree(self._many / "data", self._repository)
        self._commit_all(self._repository)

    def _grow_large_workspace(self) -> None:
        """Sync a large workspace from files, and commit the same files to git."""
        if self._large.exists():
            return
        source = self._large_repository
        make_files(source, count=self._files)
        self._project("large", f"{source.as_uri()}/")
        self._do((*_ARTLOCK, "sync"), self._large)
        self._commit_all(source)

    def _commit_all(self, folder: Path) -> None:
        """Make a folder a repository whose index git has refreshed."""
        for command in (
            ("git", "init", "-q"),
            ("git", "config", "gc.auto", "0"),
            ("git", "add", "."),
            ("git", "-c", "user.name=b", "-c", "user.email=b@b", "commit", "-qm", "b"),
            ("git", "status"),
        ):
            self._do(command, folder)
