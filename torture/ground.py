"""A project whose sources move from one state to another, and the judgement of runs on it.

::

    FOLDER/states/old, new      what the source folder held and holds
    FOLDER/source               a link to one of them: `artifacts.toml` names it
    FOLDER/template             a project and a cache, synced in the old state
    FOLDER/place/project        what a trial works on, made anew for each
    FOLDER/place/cache

What is right is known from the bytes that the sources were given, not from what artlock
says.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from blake3 import blake3

from artlock.cache.layout import CacheLayout
from artlock.cache.sweep import sweep
from artlock.fs.durability import sync_filesystem
from artlock.fs.root import Root
from artlock.model.digest import Digest
from testbed.http_server import HttpServer
from tests import invariants
from torture.scenario import Tally

REPOSITORY = Path(__file__).parents[1]
_LONG_AGO_S = 8 * 24 * 3600.0
"""After that nothing is kept that an ended process left."""
LOCKFILE = "artifacts.lock"
MANIFEST = "artifacts.toml"
EDITED = "data/tree/changed-0.bin"
"""A target that a person changed, where a deed says so."""
_EDIT = b"edited by a person\n"
_OWN = {"notes.txt": b"a person's notes\n", "data/tree/mine.txt": b"a person's file\n"}
_HERE = ("all", "all", "no cache", "half a cache", "nothing")
_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The sources at one moment.

    Attributes:
        tree: What the source folder holds, by path.
        web: What the web server holds, by name.
    """

    tree: Mapping[str, bytes]
    web: Mapping[str, bytes]

    @property
    def files(self) -> dict[str, str]:
        """Digests by the path in a project that is in this state."""
        tree = {f"data/tree/{path}": body for path, body in self.tree.items()}
        web = {f"data/{name}/{name}": body for name, body in self.web.items()}
        return {path: blake3(body).hexdigest() for path, body in (tree | web).items()}

    @property
    def size(self) -> int:
        """Bytes of all objects."""
        return sum(map(len, (*self.tree.values(), *self.web.values())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """A command, and what it may leave.

    Attributes:
        arguments: Of artlock.
        before: The lockfile before it.
        after: The lockfile after it.
        syncs: Whether it changes the workspace.
        edited: Whether a person changed a target before.
    """

    arguments: tuple[str, ...]
    before: bytes
    after: bytes
    syncs: bool = False
    edited: bool = False


@dataclass(slots=True)
class Ground:
    """The project, its sources and its cache; see the module.

    Attributes:
        folder: Of everything.
        place: Holds the project and the cache of a trial.
        server: Of the objects on the web.
        altered: Flags of ``torture.altered`` for every command.
        name: Of the folder of the project.
        locks: Lockfiles by name: of both states, and what ``resolve`` makes of the first.
        took_s: Seconds of each command when nothing disturbed it.
        before: Digests of the files of the project when the trial began.
        needed: Digests of blobs that were there then, and that no deed may remove.
    """

    folder: Path
    server: HttpServer
    old: State
    new: State
    place: Path
    altered: tuple[str, ...] = ()
    name: str = "project"
    locks: dict[str, bytes] = field(default_factory=dict)
    took_s: dict[str, float] = field(default_factory=dict)
    before: dict[str, str] = field(default_factory=dict)
    needed: set[str] = field(default_factory=set)

    @property
    def project(self) -> Path:
        """The folder of the project."""
        return self.place / self.name

    @property
    def cache(self) -> Path:
        """The folder of the cache."""
        return self.place / "cache"

    @property
    def layout(self) -> CacheLayout:
        """The paths of the cache."""
        return CacheLayout(self.cache)

    @property
    def deeds(self) -> dict[str, Deed]:
        """What is done to it, by name."""
        old, resolved, new = (self.locks[name] for name in ("old", "resolved", "new"))
        return {
            "sync": Deed(arguments=("sync",), before=new, after=new, syncs=True),
            "sync --force": Deed(
                arguments=("sync", "--force"),
                before=new,
                after=new,
                syncs=True,
                edited=True,
            ),
            "resolve": Deed(arguments=("resolve",), before=old, after=resolved),
            "update": Deed(arguments=("update",), before=old, after=new),
            "prune": Deed(
                arguments=("cache", "prune", "--grace", "0s"), before=new, after=new
            ),
        }

    # Making it.

    def show(self, state: State) -> None:
        """Let the sources be in a state."""
        name = "old" if state is self.old else "new"
        link = self.folder / "source"
        link.unlink(missing_ok=True)
        link.symlink_to(self.folder / "states" / name)
        for web, body in state.web.items():
            etag = f'"{blake3(body).hexdigest()[:16]}"'
            self.server.put(f"/{web}", body, etag=etag)

    def make(self) -> None:
        """Make the states, the lockfiles and the template."""
        for name, state in (("old", self.old), ("new", self.new)):
            _write_all(self.folder / "states" / name, state.tree)
        self.project.mkdir(parents=True)
        _write_all(self.project, _OWN)
        self._declare(self.old)
        self.show(self.old)
        self._succeed("resolve")
        self._succeed("sync")
        self.locks["old"] = self._lockfile()
        self._declare(self.new)
        _put_blob(self.layout, b"bytes that nobody needs\n")
        template = self.folder / "template"
        shutil.copytree(self.place, template, symlinks=True)
        self.show(self.new)
        self._succeed("resolve")
        self.locks["resolved"] = self._lockfile()
        self._succeed("update")
        self.locks["new"] = self._lockfile()
        self._succeed("sync")

    def reset(self, deed: Deed, luck: Random | None = None) -> None:
        """Make cache and project anew, before a deed.

        Args:
            deed: Which.
            luck: Decides how much of the data is here already; all if ``None``.
        """
        here = luck.choice(_HERE) if luck else "all"
        shutil.rmtree(self.cache, ignore_errors=True)
        if here in {"all", "half a cache"}:
            shutil.copytree(self.folder / "template" / "cache", self.cache, symlinks=True)
        if luck and here == "half a cache":
            for path in sorted(invariants.blob_files(self.layout)):
                if luck.random() < 0.5:  # noqa: PLR2004 - half
                    path.unlink()
        self.reset_project(deed, empty=here == "nothing")

    def empty_cache(self) -> None:
        """Remove the cache; its folder too."""
        shutil.rmtree(self.cache, ignore_errors=True)
        self.needed = set()

    def reset_project(self, deed: Deed, *, empty: bool = False) -> None:
        """Make only the project anew; ``empty`` is without any data or folder for it."""
        shutil.rmtree(self.project, ignore_errors=True)
        shutil.copytree(self.folder / "template" / "project", self.project, symlinks=True)
        (self.project / LOCKFILE).write_bytes(deed.before)
        if empty:
            shutil.rmtree(self.project / ".artlock")
            for name in self.old.files:
                (self.project / name).unlink()
            for folder, _, _ in os.walk(self.project / "data", topdown=False):
                with suppress(OSError):  # a person's file is in it
                    Path(folder).rmdir()
        if deed.edited:
            path = self.project / EDITED
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.write_bytes(_EDIT)
        names = (*self.old.files, *_OWN, *([EDITED] if deed.edited else []))
        there = {name for name in names if (self.project / name).is_file()}
        self.before = {
            name: invariants.digest_of(self.project / name) for name in sorted(there)
        }
        digests = {*self.old.files.values(), *self.new.files.values()}
        self.needed = digests.difference(invariants.missing_blobs(self.layout, digests))

    def neighbour(self, number: int) -> "Ground":
        """Return a ground with a project of its own and the same cache."""
        return replace(self, name=f"project-{number}")

    def settle(self) -> None:
        """Let everything be on the disk, so that only what comes now can be lost."""
        fd = os.open(self.place, os.O_RDONLY)
        try:
            sync_filesystem(fd)
        finally:
            os.close(fd)

    def _declare(self, state: State) -> None:
        lines = [f'[artlock]\nversion = 1\n\n[artifacts.tree]\nuri = "{self._tree_uri}"\n']
        lines += [
            f'[artifacts.{name}]\nuri = "{self.server.url("/" + name)}"\n'
            for name in sorted(state.web)
        ]
        (self.project / MANIFEST).write_text("\n".join(lines))

    @property
    def _tree_uri(self) -> str:
        return f"{(self.folder / 'source').as_uri()}/"

    def _lockfile(self) -> bytes:
        return (self.project / LOCKFILE).read_bytes()

    # Running artlock.

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the commands."""
        own = {
            "ARTLOCK_CACHE_DIR": str(self.cache),
            "ARTLOCK_TRUST": "127.0.0.1",
            "HOME": str(self.folder),
            "PYTHONPATH": str(REPOSITORY),
            "XDG_STATE_HOME": str(self.folder / "state"),
        }
        return {**os.environ, **own}

    def command(self, *arguments: str, altered: Sequence[str] = ()) -> list[str]:
        """Return the command line for arguments of artlock."""
        flags = (*self.altered, *altered)
        if flags:
            return [sys.executable, "-m", "torture.altered", *flags, "--", *arguments]
        return [sys.executable, "-m", "artlock", *arguments]

    def start(
        self, *arguments: str, altered: Sequence[str] = (), project: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start artlock in the project; whoever starts it waits for it."""
        return subprocess.Popen(
            self.command(*arguments, altered=altered),
            cwd=project or self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def run(
        self, *arguments: str, altered: Sequence[str] = (), project: Path | None = None
    ) -> tuple[int, str]:
        """Run artlock in the project; return its exit code and what it said."""
        process = self.start(*arguments, altered=altered, project=project)
        said = process.communicate()[1].decode("utf-8", "replace")
        return process.returncode, said

    def _succeed(self, *arguments: str) -> None:
        started = time.monotonic()
        code, said = self.run(*arguments)
        self.took_s[arguments[0]] = time.monotonic() - started
        if code:
            message = f"`artlock {' '.join(arguments)}` ended with {code}: {said}"
            raise RuntimeError(message)

    # Judging.

    def judge(self, deed: Deed, *, ended: bool = False, forgot: bool = False) -> Tally:
        """Count what is not as it may be after a deed that was disturbed.

        Args:
            deed: Which.
            ended: Whether it said that it was done.
            forgot: Whether it may not have known which files artlock wrote before: then it
                leaves those that are not locked any more.
        """
        results = {deed.after} if ended else {deed.before, deed.after}
        lockfile = invariants.problem_with_lockfile(self.project / LOCKFILE, results)
        allowed, absent = self._allowed(deed, ended=ended)
        if forgot:
            unlocked = self.before.keys() - allowed.keys()
            allowed |= {path: {self.before[path]} for path in unlocked}
            absent |= unlocked
        wrong = [
            *map(str, invariants.false_names(self.layout)),
            *invariants.wrong_files(self.project, allowed, absent=absent),
            *invariants.other_files(self.project, {*allowed, MANIFEST, LOCKFILE}),
            *([] if lockfile is None else [lockfile]),
        ]
        own = [*_OWN.values(), *([_EDIT] if deed.edited else [])]
        lost = invariants.lost_bytes(
            [blake3(body).hexdigest() for body in own],
            invariants.lasting_files(self.project, self.layout),
        )
        gone = invariants.missing_blobs(self.layout, self.needed)
        tell("wrong", wrong)
        tell("lost", lost)
        tell("removed although it is needed", gone)
        return Tally(wrong=len(wrong), lost=len(lost), diverged=len(gone))

    def _allowed(
        self, deed: Deed, *, ended: bool
    ) -> tuple[dict[str, set[str]], AbstractSet[str]]:
        """Return what each file may be, and which may be missing."""
        own = {path: {self.before[path]} for path in _OWN}
        new = {path: {digest} for path, digest in self.new.files.items()}
        if deed.syncs and ended:
            return new | own, frozenset()
        allowed = {path: {digest} for path, digest in self.before.items()}
        if not deed.syncs:
            return allowed, frozenset()
        for path, digests in new.items():
            allowed.setdefault(path, set()).update(digests)
        lasting = self.before.keys() & (new.keys() | own.keys())
        if deed.edited:
            lasting -= {EDITED}  # it goes to the trash first
        return allowed, allowed.keys() - lasting

    def finish(
        self,
        deed: Deed,
        run: Callable[..., tuple[int, str]] | None = None,
        *,
        forgot: bool = False,
    ) -> Tally:
        """Do the deed once more, without a disturbance, and judge where it ended.

        Args:
            deed: Which.
            run: What runs its arguments; ``self.run`` if ``None``.
            forgot: See ``judge``.
        """
        code, said = (run or self.run)(*deed.arguments)
        tally = Tally(runs=1, moved=self.moved())
        if code:
            tell(f"exit code {code} of the rerun", [said])
            return tally + self.judge(deed) + Tally(diverged=1)
        tally += self.judge(deed, ended=True, forgot=forgot)
        return tally + Tally(diverged=len(self.sweep()))

    def moved(self) -> int:
        """Return how many bytes the server has sent since this was asked last."""
        sent = sum(request.response_bytes for request in self.server.requests)
        self.server.clear()
        return sent

    def sweep(self) -> list[str]:
        """Let a sweep of a later day clear away; return what it left."""
        now_s = time.time() + _LONG_AGO_S
        sweep(self.layout, now_s=now_s)
        with Root(self.project) as root:
            for path in root.staging.sweep(now_s):
                root.discard(path, invariants.TRASH)
        left = [*self.temporaries(), *map(str, self.layout.partial.rglob("*"))]
        tell("left over", left)
        return left

    def temporaries(self) -> list[str]:
        """Return what waits for a name; large objects may go on from where they are."""
        waiting = invariants.files_below(self.layout.temporary)
        return [*map(str, waiting), *invariants.temporaries(self.project)]


def _put_blob(layout: CacheLayout, body: bytes) -> None:
    path = layout.blob(Digest.blake3(blake3(body).digest()))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(body)


def tell(what: str, which: Sequence[str]) -> None:
    """Say on stderr what was found to be broken; a tally only counts."""
    for one in which:
        print(f"{what}: {one}", file=sys.stderr, flush=True)


def _write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)


def two_states(seed: str, *, files: int, large: int = 0) -> tuple[State, State]:
    """Make up two states of some sources: much stays, changes, comes, goes and is swapped.

    Args:
        seed: The same gives the same.
        files: About how many the source folder holds.
        large: Bytes of an object on the web that is only in the later state.
    """
    luck = Random(seed)  # noqa: S311 - made-up data
    old: dict[str, bytes] = {}
    new: dict[str, bytes] = {}
    for number in range(max(files // 8, 1)):
        size = luck.choice([0, 20, 4_000, 20_000, 60_000])
        a, b, c, d = (luck.randbytes(size + n) for n in range(4))
        old |= {f"same-{number}.bin": a, f"in/same-{number}.bin": a}
        new |= {f"same-{number}.bin": a, f"in/same-{number}.bin": a}
        old |= {
            f"changed-{number}.bin": b,
            f"swapped/{number}-a": a,
            f"swapped/{number}-b": c,
        }
        new |= {
            f"changed-{number}.bin": c,
            f"swapped/{number}-a": c,
            f"swapped/{number}-b": a,
        }
        old |= {f"goes/{number}/x.bin": b, f"file-{number}": d}
        new |= {f"comes/{number}/y.bin": d, f"file-{number}/below": b}
    long = luck.randbytes(3 * _MIB + 7)
    old["long.bin"], new["long.bin"] = long[::-1], long
    web_old = {f"web-{n}": luck.randbytes(5_000) for n in range(3)}
    web_new = {**web_old, "web-1": luck.randbytes(6_000), "web-new": luck.randbytes(7_000)}
    if large:
        block = luck.randbytes(_MIB)
        web_new["web-large"] = (block * (large // _MIB + 1))[:large]
    return State(tree=old, web=web_old), State(tree=new, web=web_new)


@contextmanager
def lend_ground(
    folder: Path,
    states: tuple[State, State],
    *,
    place: Path | None = None,
    altered: Sequence[str] = (),
) -> Iterator[Ground]:
    """Make a ground in a folder; its server runs until the block ends.

    Args:
        folder: Empty.
        states: Of the sources.
        place: For project and cache; in ``folder`` if ``None``.
        altered: Flags of ``torture.altered`` for every command.
    """
    with HttpServer() as server:
        ground = Ground(
            folder=folder,
            server=server,
            old=states[0],
            new=states[1],
            place=place or folder / "place",
            altered=tuple(altered),
        )
        ground.make()
        yield ground
