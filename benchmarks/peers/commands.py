"""Peers that are programs, and loops that come with the suite."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from benchmarks.data import DataSet
from benchmarks.ground import ARTLOCK, Ground, Project
from benchmarks.peers.environments import program
from benchmarks.timing import Contender

_RCLONE_TRANSFERS = "16"


def beside_python(name: str) -> str:
    """Return a program that came into this environment with a package."""
    return str(Path(sys.executable).with_name(name))


def s5cmd_copy(ground: Ground, data: DataSet, *, durable: bool = False) -> Contender:
    """Copy with s5cmd, and flush the file system after it if ``durable``."""
    goal = ground.folder / "s5cmd"
    command = shlex.join((beside_python("s5cmd"), "cp", f"{data.uri}*", f"{goal}/"))
    if durable:
        command += f" && {shlex.join(('sync', '-f', str(goal)))}"
    return Contender(
        name="s5cmd cp; sync -f" if durable else "s5cmd cp",
        command=("sh", "-c", command),
        folder=ground.folder,
        prepare=ground.empty(goal),
        delivers=goal,
    )


def s5cmd_list(ground: Ground, data: DataSet) -> Contender:
    """List all versions with s5cmd."""
    return Contender(
        name="s5cmd ls --all-versions",
        command=(beside_python("s5cmd"), "ls", "--all-versions", f"{data.uri}*"),
        folder=ground.folder,
    )


def rclone_copy(ground: Ground, data: DataSet) -> Contender:
    """Copy with rclone, which compares MD5 where a store has told one."""
    goal = ground.folder / "rclone"
    scheme, _, place = data.uri.partition("://")
    remote = {"s3": "s3", "gs": "gcs"}[scheme]
    return Contender(
        name="rclone copy",
        command=(
            *(beside_python("rclone"), "copy", f"{remote}:{place}", str(goal)),
            *("--transfers", _RCLONE_TRANSFERS, "--checkers", _RCLONE_TRANSFERS),
        ),
        folder=ground.folder,
        prepare=ground.empty(goal),
        delivers=goal,
        is_counted=scheme == "s3",  # GCS itself tells it where to download
    )


def aws_copy(ground: Ground, data: DataSet) -> Contender:
    """Copy with the AWS command line."""
    goal = ground.folder / "aws"
    return Contender(
        name="aws s3 cp",
        command=(
            *(program("awscli", "python"), program("awscli", "aws")),
            *("s3", "cp", "--recursive", "--only-show-errors", data.uri, str(goal)),
        ),
        folder=ground.folder,
        prepare=ground.empty(goal),
        environ={"PYTHONPATH": ""},
        delivers=goal,
        absent=ground.absence("awscli"),
    )


def boto3_loop(ground: Ground, data: DataSet) -> Contender:
    """Download with boto3 in threads."""
    goal = ground.folder / "boto3"
    return Contender(
        name="boto3 loop",
        command=(
            *(sys.executable, "-m", "benchmarks.peers.boto3_loop"),
            *(data.bucket, data.prefix, str(goal)),
        ),
        folder=ground.folder,
        prepare=ground.empty(goal),
        delivers=goal,
    )


def read_loop(ground: Ground, project: Project) -> Contender:
    """Read, hash and write with obstore in threads."""
    goal = ground.folder / "loop"
    return Contender(
        name="obstore read loop",
        command=(
            *(sys.executable, "-m", "benchmarks.peers.read_loop"),
            *(str(project.lockfile), str(goal)),
        ),
        folder=ground.folder,
        prepare=ground.empty(goal),
        delivers=goal,
    )


def copy_tree(ground: Ground, project: Project) -> Contender:
    """Copy the files of a project that is in sync."""
    goal = ground.folder / "copied"
    tree = ground.folder / f"{project.folder.name}-tree"

    def prepare() -> None:
        ground.put_aside(goal)
        if not tree.exists():
            ground.do(*ARTLOCK, "sync", folder=project.folder)
            shutil.copytree(project.data, tree)

    return Contender(
        name="cp -r",
        command=("cp", "-r", str(tree), str(goal)),
        folder=ground.folder,
        prepare=prepare,
        delivers=goal,
    )


def floor(name: str, ground: Ground, goal: Path | None, *words: str) -> Contender:
    """Do the least that artlock's promises cost here; see ``benchmarks.peers.floors``.

    Args:
        name: In the table.
        ground: Where.
        goal: A folder that it makes.
        words: Its verb and arguments.
    """
    return Contender(
        name=f"floor: {name}",
        command=(sys.executable, "-m", "benchmarks.peers.floors", *words),
        folder=ground.folder,
        prepare=(lambda: None) if goal is None else (lambda: ground.put_aside(goal)),
    )


def import_click(ground: Ground) -> Contender:
    """Start Python and import click."""
    return Contender(
        name="python -c 'import click'",
        command=(sys.executable, "-c", "import click"),
        folder=ground.folder,
    )


def import_libraries(ground: Ground) -> Contender:
    """Start Python and import what `check` cannot do without."""
    return Contender(
        name="floor: imports",
        command=(sys.executable, "-c", "import blake3, click, msgspec, tomllib"),
        folder=ground.folder,
    )
