"""The disk fills up: that of the cache, of the workspace, or of the lockfile's folder.

Bytes are scarce, or inodes; it is known before, or found out on the way (hazard 3.7).
"""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from random import Random

from torture.disk import lend_memory, problem_with_mounting
from torture.ground import Deed, Ground, lend_ground, tell, two_states
from torture.scenario import Scenario, Tally, Trial

_ROOMY = "size=256m,nr_inodes=100000"
_TIGHT = "no room: [0-9,]+ bytes|no space left on device"
_WAY_OUT = "hint: free ([0-9]+ bytes|some)"


@contextmanager
def _opened(folder: Path) -> Iterator[Trial]:
    with lend_ground(folder, two_states("disk", files=40, large=3 << 20)) as ground:
        small = replace(ground, name="small/project", altered=("small-ranges",))
        tried = {"cache": _in_cache, "workspace": _in_workspace, "lockfile": _at_lockfile}

        def trial(luck: Random) -> Tally:
            return tried[luck.choice(sorted(tried))](ground, small, luck)

        yield trial


def _in_cache(ground: Ground, _: Ground, luck: Random) -> Tally:
    deed = ground.deeds["sync"]
    ground.reset(deed)
    ground.empty_cache()
    with lend_memory(ground.cache, _limits(ground, luck)):
        tally = _refused(ground, deed)
        _free(ground.cache)
        return tally + ground.finish(deed)


def _in_workspace(_: Ground, small: Ground, luck: Random) -> Tally:
    deed = small.deeds["sync"]
    with lend_memory(small.project.parent, _ROOMY):
        small.reset(deed)
        _remount(small.project.parent, _limits(small, luck, more=small.old.size))
        tally = _refused(small, deed)
        _free(small.project.parent)
        return tally + small.finish(deed)


def _at_lockfile(_: Ground, small: Ground, luck: Random) -> Tally:
    deed = small.deeds[luck.choice(["resolve", "update"])]
    with lend_memory(small.project.parent, _ROOMY):
        small.reset(deed)
        filler = small.project.parent / "filler"
        _remount(small.project.parent, f"size={small.old.size + (1 << 20)},nr_inodes=500")
        _fill(filler, left=luck.choice([0, 4096]))
        tally = _refused(small, deed)
        filler.unlink()
        return tally + small.finish(deed)


def _limits(ground: Ground, luck: Random, *, more: int = 0) -> str:
    """Return the options of a disk that is about large enough for the later state."""
    share = luck.uniform(0.3, 1.2)
    if luck.random() < 0.5:  # noqa: PLR2004 - half
        return f"size={more + int(share * ground.new.size)},nr_inodes=10000"
    files = len(ground.new.files) + (2 * len(ground.old.files) if more else 0)
    return f"size=256m,nr_inodes={20 + int(share * 1.5 * files)}"


def _fill(path: Path, *, left: int) -> None:
    """Let a file take all room but so many bytes."""
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    try:
        size = 0
        with suppress(OSError):
            while True:
                size += os.write(fd, bytes(4096))
        os.ftruncate(fd, size - left)
    finally:
        os.close(fd)


def _remount(place: Path, options: str) -> None:
    # A disk cannot be made smaller than what is on it: then it is just full.
    subprocess.run(
        ["mount", "-o", f"remount,{options}", str(place)], check=False, capture_output=True
    )


def _free(place: Path) -> None:
    subprocess.run(["mount", "-o", f"remount,{_ROOMY}", str(place)], check=True)


def _refused(ground: Ground, deed: Deed) -> Tally:
    """Do a deed that may find no room: it says so, and leaves nothing half done."""
    code, said = ground.run(*deed.arguments)
    tally = Tally(faults=int(code != 0), runs=1) + ground.judge(deed, ended=code == 0)
    problems = [f"left over: {one}" for one in ground.temporaries()]
    if code not in {0, 3}:
        problems.append(f"exit code {code}: {said}")
    elif code and not (re.search(_TIGHT, said) and re.search(_WAY_OUT, said)):
        problems.append(f"does not say what there is too little of: {said}")
    tell("full disk", problems)
    return tally + Tally(diverged=len(problems))


FULL_DISK = Scenario(
    name="full disk",
    what="bytes or inodes of the cache, of the workspace, or beside the lockfile run out",
    rows=("3.7",),
    open=_opened,
    short=4,
    problem=problem_with_mounting,
)
