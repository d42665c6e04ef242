"""Measure this working tree beside s5cmd, cp and git, and print the table.

``make bench`` runs it with 10,000 objects; ``--objects`` and ``--rounds`` change that.
"""

from __future__ import annotations

import argparse
import os
import platform
import secrets
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.data import BIG, MANY, load
from benchmarks.timing import Contender, race
from testbed.seaweedfs import SeaweedFS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROUNDS = 5
_OBJECTS = 10_000
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


def main() -> None:
    """Start the server, make the data, run the comparisons, print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--objects", type=int, default=_OBJECTS)
    parser.add_argument("--rounds", type=int, default=_ROUNDS)
    parser.add_argument("--only", default="", help="run the lines that contain this text")
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="artlock-bench-") as folder,
        SeaweedFS() as server,
    ):
        load(server, objects=chosen.objects)
        bench = _Bench(Path(folder), server)
        _print_head(chosen.objects, chosen.rounds)
        for comparison in bench.comparisons():
            if chosen.only in comparison.what:
                _print_line(comparison, bench.environ, rounds=chosen.rounds)


def _print_head(objects: int, rounds: int) -> None:
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.release()}"
    print(f"{objects:,} objects of 10 kB and 4 of 256 MB; {rounds} rounds, medians")
    print(f"{machine}, Python {platform.python_version()}")
    print(
        f"{'what':<30}{'artlock':>10}{'CPU':>8}  {'peer':<22}{'':>8}{'CPU':>8}"
        f"{'ratio':>8}{'target':>8}"
    )


def _print_line(comparison: Comparison, environ: Mapping[str, str], *, rounds: int) -> None:
    times = race([comparison.ours, comparison.peer], environ, rounds=rounds)
    ours, peer = times[comparison.ours.name], times[comparison.peer.name]
    ratio = ours.wall_median / peer.wall_median
    print(
        f"{comparison.what:<30}{ours.wall_median:>9.2f}s{ours.cpu_median:>7.2f}s  "
        f"{comparison.peer.name:<22}{peer.wall_median:>7.2f}s{peer.cpu_median:>7.2f}s"
        f"{ratio:>8.2f}{comparison.target:>8.2f}",
        flush=True,
    )


class _Bench:
    """The folders and commands of one run."""

    def __init__(self, folder: Path, server: SeaweedFS) -> None:
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
                if not k.startswith(("AWS_", "ARTLOCK_"))
            },
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
        ours = self._ours
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
                what="check", ours=ours("k", "check", project=many), peer=click, target=2.0
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
        for copy in (self._repository, self._tree):
            shutil.copytree(self._many / "data", copy)
        for command in (
            ("git", "init", "-q"),
            ("git", "config", "gc.auto", "0"),
            ("git", "add", "."),
            ("git", "-c", "user.name=b", "-c", "user.email=b@b", "commit", "-qm", "b"),
            ("git", "status"),
        ):
            self._do(command, self._repository)


if __name__ == "__main__":
    main()
