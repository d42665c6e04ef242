"""Somebody edits ``artifacts.lock`` in a pull request, and nothing else (hazard 5.1).

What ``sync`` promises then, and what is judged here:

* It asks nobody but the places that ``artifacts.toml`` declares, or allows.
* If it does not end with 0, the workspace is as it was.
* If it ends with 0, the lockfile is valid and answers the manifest, and each file is what
  its row says, as far as the row says anything. A row that was not edited gives the bytes
  that it always gave; one that was gives what the declared source holds, or the bytes of
  which it names the digest. Nothing in a lockfile proves itself (hazard 5.2): so each edit
  that gives other bytes must be seen in ``artlock diff``.
* With the right lockfile back, ``sync`` makes everything as it was.
"""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from blake3 import blake3

from artlock.cache.layout import CacheLayout
from artlock.formats.lockfile import format_lockfile, parse_lockfile
from artlock.model.diff import diff
from artlock.model.lock import Kind, LockedArtifact, LockedObject, Lockfile
from artlock.model.manifest import Declaration
from artlock.model.uri import Uri
from testbed.http_server import HttpServer
from tests.invariants import assert_names_are_promises, texts_below
from torture.inside import Ended, alone, artlock
from torture.lock_edits import edited
from torture.memory import memory_folder
from torture.scenario import Scenario, Tally, Trial
from torture.versions import Versions, etag_of

_MINE = "data/data/mine.txt"
"""What a person keeps among the data."""
_BODIES = {
    "a.bin": ("va2", b"alpha2"),
    "b.bin": ("vb1", b"bravo1"),
    "c/d.bin": ("vd1", b"delta1!"),
    "e.bin": ("ve1", b"echo, by etag"),
    "f.bin": ("", b"foxtrot without versions"),
}
_OTHERS = (
    ("data/a.bin", "va1", b"alpha1"),
    ("data/secret.bin", "vs1", b"hidden"),
    ("other/x.bin", "vx1", b"others"),
    ("outside.bin", "vo1", b"outer!"),
)
_PAGE = b'{"page": 1}\n'
_FROZEN = 0.25
"""How often the lockfile alone says where bytes lie; then ``[policy] allow`` holds it."""
_STATES = ("new", "cached", "synced")


@dataclass(frozen=True, slots=True, kw_only=True)
class Poisoned:
    """A project, the places of its data, and its true lockfile."""

    root: Path
    home: Path
    lock: Lockfile
    bucket: Versions
    web: HttpServer
    beside: dict[str, bytes] = field(default_factory=dict)
    """What lay beside the project when it was made."""

    @property
    def layout(self) -> CacheLayout:
        """The cache."""
        return CacheLayout(self.home / ".cache" / "artlock")

    def write(self, lockfile: bytes) -> None:
        """Put a lockfile into the project."""
        self.root.joinpath("artifacts.lock").write_bytes(lockfile)

    def prepare(self, state: str) -> None:
        """Bring workspace and cache into a state: ``new``, ``cached`` or ``synced``."""
        if state != "synced":
            for folder in ("data", ".artlock"):
                shutil.rmtree(self.root / folder, ignore_errors=True)
            mine = self.root / _MINE
            mine.parent.mkdir(parents=True)
            mine.write_bytes(b"mine")
        if state == "new":
            shutil.rmtree(self.layout.root, ignore_errors=True)
        self.bucket.clear()
        self.web.clear()

    def sync(self, *options: str) -> Ended:
        """Run ``artlock sync``."""
        return artlock("sync", "-C", self.root, *options)

    def files(self) -> dict[str, bytes]:
        """Return what lies below the project, but for artlock's own files."""
        found = texts_below(self.root)
        own = {"artifacts.toml", "artifacts.lock"}
        return {
            path: data
            for path, data in found.items()
            if path not in own and not path.startswith(".artlock/")
        }

    def outside(self) -> dict[str, bytes]:
        """Return what lies beside the project: the home, but for cache and state."""
        found = texts_below(self.home.parent)
        own = ("project/", "home/.cache/artlock/", "home/.local/state/artlock/")
        return {path: data for path, data in found.items() if not path.startswith(own)}

    def strangers(self) -> list[str]:
        """Return what was asked for and is not declared."""
        # Whether the bucket is there is asked when an object is not.
        asked = [r.path for r in self.bucket.requests if r.path != "/bucket"]
        asked = [path for path in asked if not path.startswith("/bucket/data/")]
        return asked + [r.path for r in self.web.requests if r.path != "/page.json"]

    def asked(self) -> int:
        """Return how many requests were made."""
        return self.bucket.count() + self.web.count()


@contextmanager
def poisoned() -> Iterator[Poisoned]:
    """Make a project of an S3 tree, a web file and a link, and sync it once."""
    with (
        memory_folder() as folder,
        Versions("bucket") as bucket,
        HttpServer() as web,
        alone(folder / "home") as settings,
    ):
        home, root = folder / "home", folder / "project"
        root.mkdir()
        web.put("/page.json", _PAGE)
        for key, version, body in _OTHERS:
            bucket.put(key, version, body)
        for path, (version, body) in _BODIES.items():
            bucket.put(f"data/{path}", version, body)
        settings.write_text(
            'allow-private-hosts = ["127.0.0.1"]\n[sources."s3://bucket/"]\n'
            f'endpoint = "{bucket.endpoint}"\nanonymous = true\nregion = "us-east-1"\n'
        )
        root.joinpath("artifacts.toml").write_text(
            '[policy]\nallow = ["s3://bucket/data/", "doi:10.5281/zenodo.1", '
            f'"{web.url("/page.json")}"]\n'
            '[artifacts.data]\nuri = "s3://bucket/data/"\n'
            f'[artifacts.page]\nuri = "{web.url("/page.json")}"\n'
            '[artifacts.paper]\nuri = "doi:10.5281/zenodo.1"\n'
        )
        lock = _lock(web.url("/page.json"))
        project = Poisoned(root=root, home=home, lock=lock, bucket=bucket, web=web)
        project.prepare("new")
        project.write(format_lockfile(lock))
        ended = project.sync()
        assert ended.code == 0, ended
        project.beside.update(project.outside())
        yield project


def _lock(page: str) -> Lockfile:
    def declared(uri: str) -> Declaration:
        return Declaration(uri=Uri.parse(uri))

    def row(path: str, version: str, body: bytes) -> LockedObject:
        tokens = {
            "c/d.bin": f"md5:{etag_of(body)} etag:{etag_of(body)}",
            "e.bin": f"etag:{etag_of(body)}",
            "f.bin": f"etag:{etag_of(body)}",
        }
        strong = f"blake3:{blake3(body).hexdigest()}"
        text = tokens.get(path, f"{strong} etag:{etag_of(body)}" if version else strong)
        return LockedObject(path, len(body), text, version)

    data = tuple(row(path, *_BODIES[path]) for path in sorted(_BODIES))
    return Lockfile(
        artifacts=(
            LockedArtifact(
                name="data",
                declared=declared("s3://bucket/data/"),
                kind=Kind.TREE,
                objects=data,
            ),
            LockedArtifact(
                name="page",
                declared=declared(page),
                kind=Kind.FILE,
                objects=(row("page.json", "", _PAGE),),
            ),
            LockedArtifact(
                name="paper", declared=declared("doi:10.5281/zenodo.1"), kind=Kind.LINK
            ),
        )
    )


# -- the judge ----------------------------------------------------------------------------


def judge(
    project: Poisoned,
    lockfile: bytes,
    ended: Ended,
    before: dict[str, bytes],
    *,
    frozen: bool = False,
) -> int:
    """Return how many bytes are wrong after a sync of an edited lockfile.

    Args:
        project: As it is now.
        lockfile: The edited one.
        ended: How the sync ended.
        before: The files before it.
        frozen: Whether it did not ask whether the lockfile is stale.

    Raises:
        AssertionError: It asked a place that is not declared, wrote outside of the project,
            or took what it must refuse.
    """
    assert project.strangers() == [], project.strangers()
    assert project.outside() == project.beside
    assert_names_are_promises(project.layout)
    after = project.files()
    if ended.code != 0:
        assert ended.code in {1, 2, 3, 4}, ended
        assert after == before, ended
        return 0
    lock = parse_lockfile(lockfile)
    locked = [a for a in lock.artifacts if project.lock.get(a.name)]
    if not frozen:
        told = [(a.name, a.declared) for a in lock.artifacts]
        assert told == [(a.name, a.declared) for a in project.lock.artifacts]
    wrong = 0
    wanted = {_MINE}
    for artifact in locked:
        for row in artifact.objects:
            target = f"data/{artifact.name}/{row.path}"
            wanted.add(target)
            body = after[target]
            assert _is_what_the_row_says(row, body), (row, body)
            if _is_edited(project, artifact, row):
                assert _may_come(project, artifact, row, body), (row, body)
                assert diff(project.lock, lock) != ()
            elif body != _true_bytes(row.path):
                wrong += len(body) or 1
    assert set(after) == wanted, ended
    return wrong


def _is_edited(project: Poisoned, artifact: LockedArtifact, row: LockedObject) -> bool:
    right = project.lock.get(artifact.name)
    return right is None or artifact.declared != right.declared or row not in right.objects


def _true_bytes(path: str) -> bytes:
    return _PAGE if path == "page.json" else _BODIES.get(path, ("", b"\0"))[1]


def _is_what_the_row_says(row: LockedObject, body: bytes) -> bool:
    """Compare bytes with a row, by other code than artlock's."""
    known = {
        "blake3": lambda: blake3(body).hexdigest(),
        "sha256": lambda: hashlib.sha256(body).hexdigest(),
        "sha512": lambda: hashlib.sha512(body).hexdigest(),
        "md5": lambda: hashlib.md5(body, usedforsecurity=False).hexdigest(),
    }
    tokens = dict(token.split(":", 1) for token in row.checksum.split(" ") if token)
    return len(body) == row.size and all(
        known[name]() == value for name, value in tokens.items() if name in known
    )


def _may_come(
    project: Poisoned, artifact: LockedArtifact, row: LockedObject, body: bytes
) -> bool:
    """Tell whether an edited row may give these bytes: a digest or its source says so."""
    if (
        body == _true_bytes(row.path)
        or f"blake3:{blake3(body).hexdigest()}" in row.checksum
    ):
        return True
    if f"sha256:{hashlib.sha256(body).hexdigest()}" in row.checksum:
        return True
    if artifact.kind is Kind.FILE:
        return body == _PAGE
    held = project.bucket.bodies(artifact.uri_of(row).key)
    return body == held.get(row.version) if row.version else body in held.values()


# -- the scenario -------------------------------------------------------------------------


@contextmanager
def _open(_: Path) -> Iterator[Trial]:
    with poisoned() as project:

        def trial(luck: Random) -> Tally:
            lockfile = edited(project.lock, luck)
            project.prepare(luck.choice(_STATES))
            before = project.files()
            project.write(lockfile)
            frozen = luck.random() < _FROZEN
            ended = project.sync(*["--frozen"] * frozen)
            wrong = judge(project, lockfile, ended, before, frozen=frozen)
            moved = sum(r.response_bytes for r in project.bucket.requests)
            moved += sum(r.response_bytes for r in project.web.requests)
            lost = len(b"mine") * (project.files().get(_MINE) != b"mine")
            project.write(format_lockfile(project.lock))
            again = project.sync()
            return Tally(
                faults=1,
                runs=2,
                moved=moved,
                wrong=wrong,
                lost=lost,
                diverged=int(again.code != 0 or project.files() != _whole()),
            )

        yield trial


def _whole() -> dict[str, bytes]:
    files = {f"data/data/{path}": body for path, (_, body) in _BODIES.items()}
    return {**files, "data/page/page.json": _PAGE, _MINE: b"mine"}


LOCKS = Scenario(
    name="poisoned lock",
    what="one edit of `artifacts.lock`: a cell, a row, a head, a line, or bytes",
    rows=("5.1", "5.2", "5.3"),
    open=_open,
    short=60,
)
