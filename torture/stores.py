"""Stores that answer wrong: listings, bodies, versions and rights, while others write.

Each trial makes a source with a random history, locks it, lets it change, and syncs it into
an empty workspace while the store misbehaves. Then the store behaves again, and the sync
must come to where an undisturbed one comes.
"""

import contextlib
import io
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from unittest.mock import patch

from blake3 import blake3

from artlock.cache.layout import CacheLayout
from artlock.cli.main import run
from artlock.errors import EXIT_INCOMPLETE, EXIT_OK, EXIT_VIOLATION
from artlock.model.lock import LockedObject
from artlock.ops.names import LOCKFILE, MANIFEST
from artlock.ops.project import Project
from artlock.ops.runtime import Runtime
from artlock.stores.gcs import GcsStore
from artlock.stores.retry import Retrying
from artlock.stores.s3 import S3Store
from testbed.hostile import HostileGcs, HostileS3
from tests.invariants import assert_names_are_promises
from torture.scenario import Scenario, Tally, Trial
from torture.store_world import KEYS, TREE, WRONG_PAGES, World, spoil

_HONEST = ("object-not-found", "object-changed", "object-archived", "integrity-error")
"""What may be said of a state that cannot be had any more."""
_KINDS = (
    ("s3", "Enabled"),
    ("s3", "Enabled"),
    ("s3", "Suspended"),
    ("s3", None),
    ("gcs", "Enabled"),
    ("gcs", None),
)


@dataclass(slots=True, kw_only=True)
class _Run:
    """One trial.

    Attributes:
        said: What artlock said last on stderr.
    """

    luck: Random
    folder: Path
    world: World
    proven: bool
    faults: int = 0
    runs: int = 0
    wrong: int = 0
    diverged: int = 0
    said: str = ""
    locked: dict[str, bytes] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def cache(self) -> CacheLayout:
        return CacheLayout(self.folder / "cache")

    def trial(self) -> Tally:
        """Lock, change, sync, heal, sync."""
        for _ in range(self.luck.randint(3, 9)):
            self.world.put()
        for _ in range(self.luck.randint(0, 3)):
            self.world.bucket.delete(TREE + self.luck.choice(KEYS))
        self.world.put()
        self._declare()
        self._lock()
        self._fresh(keeps_cache=self.luck.random() < 0.3)  # noqa: PLR2004 - three in ten
        for _ in range(self.luck.randint(0, 5)):
            self.world.change()
        if self.luck.random() < 0.2:  # noqa: PLR2004 - one in five
            self.faults += 1
            self._expire()
        self.faults += spoil(self.world, proven=self.proven)
        self._sync()
        self.world.restore()
        self._renew()
        self._converge()
        requests = self.world.server.requests
        return Tally(
            faults=self.faults,
            runs=self.runs,
            moved=sum(request.response_bytes for request in requests),
            wrong=self.wrong,
            diverged=self.diverged,
        )

    # -- steps -------------------------------------------------------------------------

    def _declare(self) -> None:
        self.project.mkdir()
        scheme = "s3" if self.world.bucket.service == "s3" else "gs"
        checksum = 'checksum = "blake3"\n' if self._reads else ""
        (self.project / MANIFEST).write_text(
            "[artlock]\nversion = 1\n\n[artifacts.data]\n"
            f'uri = "{scheme}://{self.world.bucket.name}/{TREE}"\n{checksum}',
            "utf-8",
        )

    @property
    def _reads(self) -> bool:
        return self.proven and self.world.bucket.service == "s3"

    def _lock(self) -> None:
        """Lock while the store misbehaves, and once more when it does not."""
        bucket = self.world.bucket
        is_spoilt = self.luck.random() < 0.4  # noqa: PLR2004 - two in five
        if is_spoilt:
            self.faults += spoil(self.world, proven=False)
        elif bucket.service == "s3" and bucket.versioning is not None:
            # Of the others there is one listing, and nothing to compare it with.
            which = self.luck.choice(("version_pages", "plain_pages"))
            setattr(bucket, which, self.luck.choice(WRONG_PAGES))
            self.faults += 1
        if self._artlock("resolve") == EXIT_OK:
            self._judge_lock(is_whole=not is_spoilt)
        elif (self.project / LOCKFILE).exists():
            message = "a resolve that failed wrote a lockfile"
            raise AssertionError(message)
        self.world.restore()
        if not self.world.bucket.contents():
            self.world.put()
        (self.project / LOCKFILE).unlink(missing_ok=True)
        if self._artlock("resolve") != EXIT_OK:
            message = f"an undisturbed resolve failed: {self.said}"
            raise AssertionError(message)
        self._judge_lock(is_whole=True)

    def _fresh(self, *, keeps_cache: bool) -> None:
        if not keeps_cache:
            shutil.rmtree(self.cache.root, ignore_errors=True)

    def _expire(self) -> None:
        server = self.world.server
        if isinstance(server, HostileS3):
            server.expire(os.environ["AWS_ACCESS_KEY_ID"], after=self.luck.randrange(6))

    def _renew(self) -> None:
        os.environ["AWS_ACCESS_KEY_ID"] = secrets.token_hex(10).upper()

    def _sync(self) -> None:
        code = self._artlock("sync")
        self._judge(code)

    def _converge(self) -> None:
        can = all(self._is_there(row) for row in self._rows())
        code = self._artlock("sync")
        self._judge(code)
        if code != EXIT_OK and can:
            self.diverged += 1
        elif code != EXIT_OK and not any(code_ in self.said for code_ in _HONEST):
            message = f"what is gone is not said to be: {self.said}"
            raise AssertionError(message)

    # -- judgements --------------------------------------------------------------------

    def _rows(self) -> tuple[LockedObject, ...]:
        runtime = Runtime.load(os.environ, cache_dir=self.cache.root)
        lock = Project.open(self.project, runtime).read_lockfile()
        artifact = lock.get("data")
        if artifact is None:
            message = "nothing is locked"
            raise AssertionError(message)
        return artifact.objects

    def _judge_lock(self, *, is_whole: bool) -> None:
        """Every row names a state that was there, and every live object has a row."""
        self.locked = {}
        for row in self._rows():
            key = TREE + row.path
            name = row.version or row.tokens.etag or ""
            body = self.world.held.get((key, name))
            if body is None or len(body) != row.size:
                self.wrong += 1
                continue
            digest = row.tokens.blake3
            if digest is not None and digest.hex != blake3(body).hexdigest():
                self.wrong += 1
            self.locked[row.path] = body
        contents = self.world.bucket.contents()
        live = {key.removeprefix(TREE): body for key, body in contents.items()}
        if is_whole and self.locked != live:
            self.wrong += 1

    def _is_there(self, row: LockedObject) -> bool:
        """Tell whether the bytes of a row can certainly be had, now that all is well."""
        key = TREE + row.path
        if row.version:
            return self.world.bucket.state(key, row.version) is not None
        live = self.world.bucket.live(key)
        return live is not None and live.etag == row.tokens.etag

    def _judge(self, code: int) -> None:
        if code not in {EXIT_OK, EXIT_INCOMPLETE, EXIT_VIOLATION}:
            message = f"exit code {code}: {self.said}"
            raise AssertionError(message)
        data = self.project / "data" / "data"
        found = {
            path.relative_to(data).as_posix(): path.read_bytes()
            for path in data.rglob("*")
            if not path.is_dir()
        }
        if found != (self.locked if code == EXIT_OK else {}):
            self.wrong += 1
        assert_names_are_promises(self.cache)

    def _artlock(self, command: str) -> int:
        stdout, stderr = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            code = run(
                ["-C", str(self.project), "--cache-dir", str(self.cache.root), command]
            )
        self.runs += 1
        self.said = stderr.getvalue()
        if "internal-error" in self.said:
            raise AssertionError(self.said)
        return code


@contextmanager
def _opened(folder: Path) -> Iterator[Trial]:
    settings = {"AWS_SECRET_ACCESS_KEY": "secret", "AWS_ACCESS_KEY_ID": "KEY"}
    with HostileS3() as s3, HostileGcs() as gcs, contextlib.ExitStack() as stack:
        settings["AWS_ENDPOINT_URL_S3"] = s3.endpoint
        settings["STORAGE_EMULATOR_HOST"] = gcs.endpoint
        stack.enter_context(patch.dict(os.environ, settings))
        for kind, name, value in (
            (Retrying, "sleep", lambda _seconds: None),
            (S3Store, "attempts", 2),
            (GcsStore, "patience_s", 0),
        ):
            # Of how long to wait only: what is done is as ever.
            stack.enter_context(patch.dict(kind.__init__.__kwdefaults__, {name: value}))

        def trial(luck: Random) -> Tally:
            service, versioning = luck.choice(_KINDS)
            server: HostileS3 | HostileGcs = s3 if service == "s3" else gcs
            server.clear()
            name = f"bucket-{secrets.token_hex(4)}"
            bucket = server.create_bucket(name, versioning=versioning)  # type: ignore[arg-type] # one of Versioning
            is_plain = luck.random() < 0.5  # noqa: PLR2004 - every other
            world = World(luck=luck, server=server, bucket=bucket, is_plain=is_plain)
            place = folder / name
            place.mkdir()
            proven = service == "gcs" or luck.random() < 0.6  # noqa: PLR2004 - three in five
            os.environ["AWS_ACCESS_KEY_ID"] = secrets.token_hex(10).upper()
            try:
                return _Run(luck=luck, folder=place, world=world, proven=proven).trial()
            finally:
                server.heal()
                del server.buckets[name]
                shutil.rmtree(place)

        yield trial


STORES = Scenario(
    name="stores",
    what="listings, bodies, versions and rights of S3 and GCS",
    rows=(
        *("1.10", "1.11", "1.12", "1.13", "1.14", "1.17", "1.28", "1.29", "1.32"),
        *("1.34", "1.35", "1.36", "4.1", "4.4", "4.8", "4.9"),
    ),
    open=_opened,
    short=12,
)
