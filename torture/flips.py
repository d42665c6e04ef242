"""Large bodies through a proxy that turns over one bit in a million bytes.

Most bodies of a megabyte come through whole at the first or second try, and hardly any
large one does: what is damaged must never get a name, and what came right must stay. The
servers do as little as they can, so that ten gigabytes take minutes.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from blake3 import blake3

from artlock.errors import EXIT_OK, EXIT_VIOLATION
from artlock.formats.lockfile import format_lockfile
from artlock.formats.manifest import parse_manifest
from artlock.model.lock import Kind, LockedArtifact, LockedObject, Lockfile
from artlock.ops.fetch import LARGE
from testbed.http_server import HttpServer
from testbed.proxy import Proxy, Toxics, always
from torture.checkout import Checkout, environment
from torture.scenario import Scenario, Tally, Trial

_FLIP_EVERY = 10**6
_POOL_SIZE = LARGE + (64 << 20)
_MEDIUM = 96
_MEDIUM_SIZE = 10**6
_WEB = 4
_JOBS = 4
_RUNS = 2
"""Syncs through the proxy before one without faults; each keeps what came right."""


@contextmanager
def _opened(folder: Path) -> Iterator[Trial]:
    pool = memoryview(Random("pool").randbytes(_POOL_SIZE))  # noqa: S311 - made-up data
    with ExitStack() as stack:
        server = stack.enter_context(HttpServer())
        proxy = stack.enter_context(Proxy(server.endpoint))
        stack.enter_context(
            environment(
                AWS_ENDPOINT_URL_S3=proxy.endpoint,
                AWS_ACCESS_KEY_ID="nobody",
                AWS_SECRET_ACCESS_KEY="nothing",  # noqa: S106 - nobody checks it
                ARTLOCK_TRUST="127.0.0.1",
            )
        )
        yield _Flips(folder, pool, server, proxy).trial


@dataclass(frozen=True, slots=True)
class _Flips:
    """What one trial needs."""

    folder: Path
    pool: memoryview
    server: HttpServer
    proxy: Proxy

    def trial(self, luck: Random) -> Tally:
        """Sync through the proxy a few times, then without faults; judge each time."""
        checkout = self._locked(luck)
        moved, faults = self.proxy.moved, self.proxy.faults.total()
        checkout.begin()
        self.proxy.begin(luck.randrange(1 << 32), always(Toxics(flip_every=_FLIP_EVERY)))
        runs = [checkout.sync(jobs=_JOBS) for _ in range(_RUNS)]
        self.proxy.heal()
        last = checkout.sync(jobs=_JOBS)
        checkout.clear()
        self.server.clear()
        unexpected = {run.exit_code for run in runs} - {EXIT_OK, EXIT_VIOLATION}
        if unexpected:
            message = f"a sync ended with {unexpected}"
            raise ValueError(message)
        return Tally(
            faults=self.proxy.faults.total() - faults,
            runs=_RUNS + 1,
            moved=self.proxy.moved - moved,
            wrong=sum(run.wrong for run in runs) + last.wrong,
            lost=sum(run.lost for run in runs) + last.lost,
            diverged=not last.is_whole,
        )

    def _locked(self, luck: Random) -> Checkout:
        """Serve parts of the pool, and lock them without asking anybody."""
        locked: dict[str, tuple[str, int]] = {}
        objects = []
        for number in range(_MEDIUM + 1):
            size = (
                luck.randrange(_MEDIUM_SIZE) if number else LARGE + luck.randrange(1 << 20)
            )
            row = self._served(luck, f"/flips/tree/{number:03}", f"{number:03}", size)
            objects.append(row)
            locked[f"data/tree/{row.path}"] = _expected(row)
        tables = ['[artifacts.tree]\nuri = "s3://flips/tree/"\n']
        pages = {}
        for number in range(_WEB):
            name = f"page{number}"
            size = (
                luck.randrange(_MEDIUM_SIZE) if number else LARGE + luck.randrange(1 << 20)
            )
            row = self._served(luck, f"/{name}", name, size, version="")
            pages[name] = row
            locked[f"data/{name}/{name}"] = _expected(row)
            tables.append(f'[artifacts.{name}]\nuri = "{self.proxy.endpoint}/{name}"\n')
        manifest = "[artlock]\nversion = 1\n\n" + "\n".join(tables)
        lock = Lockfile(artifacts=tuple(_artifacts(manifest, objects, pages)))
        return Checkout(self.folder, manifest, format_lockfile(lock), locked)

    def _served(
        self, luck: Random, path: str, name: str, size: int, *, version: str = "v1"
    ) -> LockedObject:
        start = luck.randrange(len(self.pool) - size)
        body = self.pool[start : start + size]
        etag = hashlib.md5(path.encode() + body[:99]).hexdigest()  # noqa: S324 - what an etag is
        headers = {"x-amz-version-id": version} if version else {}
        self.server.put(path, body, etag=f'"{etag}"', headers=headers)
        checksum = f"blake3:{blake3(body).hexdigest()} etag:{etag}"
        return LockedObject(name, size, checksum, version)


def _expected(row: LockedObject) -> tuple[str, int]:
    return row.checksum.partition(" ")[0].removeprefix("blake3:"), row.size


def _artifacts(
    manifest: str, objects: Sequence[LockedObject], pages: dict[str, LockedObject]
) -> Iterator[LockedArtifact]:
    for artifact in parse_manifest(manifest).artifacts:
        page = pages.get(artifact.name)
        yield LockedArtifact(
            name=artifact.name,
            declared=artifact.declared,
            kind=Kind.TREE if page is None else Kind.FILE,
            objects=tuple(objects) if page is None else (page,),
        )


FLIPS = Scenario(
    name="flips",
    what="one bit in 10^6 bytes of large bodies",
    rows=("4.5",),
    open=_opened,
    short=1,
)
