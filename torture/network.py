"""A network between artlock and its stores that spoils what passes.

Objects of S3 and the web, small ones and some that come in ranges, locked in each of the
ways that tell right bytes from wrong ones: by digest, by a store's checksum, by an etag
that is an MD5. Each connection draws its own bad luck.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random

import google_crc32c
import msgspec
from blake3 import blake3

from artlock.cache.ranges import PartialFile
from artlock.errors import EXIT_INCOMPLETE, EXIT_OK, EXIT_VIOLATION
from artlock.formats.lockfile import format_lockfile
from artlock.model.lock import LockedArtifact, LockedObject, Lockfile
from artlock.model.tokens import Trust
from artlock.ops import fetch as fetching
from artlock.ops.project import Project
from artlock.ops.resolve import Pins, resolve
from artlock.ops.runtime import Runtime
from artlock.stores.http import HttpStore
from artlock.stores.retry import Retrying
from artlock.stores.transfer import clients
from testbed.http_server import HttpServer
from testbed.proxy import HARMLESS, Choice, Proxy, Toxics
from testbed.seaweedfs import SeaweedFS
from torture.checkout import Checkout, defaults, environment
from torture.scenario import Scenario, Tally, Trial

_BUCKET = "torture"
_SMALL = 16
_SMALL_SIZE = 60_000
_LARGE_SIZE = 3 << 20
_RANGE = 512 << 10
_SILENCE_S = 0.4
_JOBS = 6
_ENDINGS = frozenset({EXIT_OK, EXIT_INCOMPLETE, EXIT_VIOLATION})

_Toxic = Callable[[Random], Toxics]
_TOXICS: tuple[_Toxic, ...] = (
    lambda luck: Toxics(latency_s=luck.uniform(0, 0.1)),
    lambda luck: Toxics(bandwidth=luck.randrange(1 << 20, 20 << 20)),
    lambda luck: Toxics(slices=luck.randrange(500, 20_000)),
    lambda luck: Toxics(reset_after=luck.randrange(_LARGE_SIZE // 8)),
    lambda luck: Toxics(truncate_after=luck.randrange(_LARGE_SIZE // 8)),
    lambda luck: Toxics(stall_after=luck.randrange(_LARGE_SIZE // 8), stall_s=0.1),
    lambda luck: Toxics(
        stall_after=luck.randrange(_LARGE_SIZE // 8), stall_s=3 * _SILENCE_S
    ),
    lambda luck: Toxics(slow_close_s=luck.uniform(0, 0.2)),
    lambda luck: Toxics(flip_every=luck.choice((20_000, 200_000, 2_000_000))),
    lambda luck: Toxics(flip_every=luck.choice((5_000, 100_000)), flips="everything"),
    lambda _luck: Toxics(is_crossed=True),
)


@contextmanager
def _opened(folder: Path) -> Iterator[Trial]:
    with ExitStack() as stack:
        seaweedfs = stack.enter_context(SeaweedFS())
        seaweedfs.create_bucket(_BUCKET)
        web = stack.enter_context(HttpServer())
        s3_proxy = stack.enter_context(Proxy(seaweedfs.endpoint))
        web_proxy = stack.enter_context(Proxy(web.endpoint))
        stack.enter_context(
            environment(
                AWS_ENDPOINT_URL_S3=s3_proxy.endpoint,
                AWS_ACCESS_KEY_ID=seaweedfs.admin.access_key,
                AWS_SECRET_ACCESS_KEY=seaweedfs.admin.secret_key,
                ARTLOCK_TRUST="127.0.0.1",
            )
        )
        stack.enter_context(_impatient())
        checkout = _locked(folder, seaweedfs, web, web_proxy)
        yield _Network(checkout, (s3_proxy, web_proxy)).trial


@contextmanager
def _impatient() -> Iterator[None]:
    """Make waiting short and ranges small, so that a trial takes a second."""
    silence = timedelta(seconds=_SILENCE_S)
    before = clients.READ_TIMEOUT, fetching.LARGE
    with defaults(
        (Retrying, "sleep", lambda _seconds: None),
        (HttpStore, "read_timeout_s", _SILENCE_S),
        (PartialFile, "range_length", _RANGE),
    ):
        clients.READ_TIMEOUT, fetching.LARGE = silence, _LARGE_SIZE
        try:
            yield
        finally:
            clients.READ_TIMEOUT, fetching.LARGE = before


def _locked(
    folder: Path, seaweedfs: SeaweedFS, web: HttpServer, web_proxy: Proxy
) -> Checkout:
    """Fill both stores, and lock them through a network that does no harm yet."""
    luck = Random("objects")  # noqa: S311 - made-up data
    bodies: dict[str, bytes] = {}
    tables = []
    client = seaweedfs.client()
    for trust in (Trust.STRONG, Trust.STORE, Trust.ETAG):
        tables.append(f'[artifacts.{trust}]\nuri = "s3://{_BUCKET}/{trust}/"\n')
        for number in range(_SMALL + 1):
            size = luck.randrange(_SMALL_SIZE) if number < _SMALL else _LARGE_SIZE + number
            body = luck.randbytes(size)
            bodies[f"data/{trust}/{number:02}"] = body
            client.put_object(Bucket=_BUCKET, Key=f"{trust}/{number:02}", Body=body)
    for number in range(4):
        body = luck.randbytes(luck.randrange(_SMALL_SIZE) if number else _LARGE_SIZE)
        name = f"web{number}"
        web.put(f"/{name}", body, etag=f'"{number}"')
        tables.append(f'[artifacts.{name}]\nuri = "{web_proxy.endpoint}/{name}"\n')
        bodies[f"data/{name}/{name}"] = body
    manifest = "[artlock]\nversion = 1\n\n" + "\n".join(tables)
    locked = {p: (blake3(body).hexdigest(), len(body)) for p, body in bodies.items()}
    checkout = Checkout(folder, manifest, format_lockfile(Lockfile()), locked)
    checkout.begin()
    runtime = Runtime.load(os.environ, cache_dir=checkout.cache.root)
    lock = resolve(
        Project.open(checkout.root, runtime), None, pins=Pins.KEEP, digest_all=True
    ).lock
    lock = msgspec.structs.replace(
        lock, artifacts=tuple(_as_trusted(a, bodies) for a in lock.artifacts)
    )
    return replace(checkout, lockfile=format_lockfile(lock))


def _as_trusted(artifact: LockedArtifact, bodies: Mapping[str, bytes]) -> LockedArtifact:
    """Return an artifact with the tokens that its name says."""
    if artifact.name not in set(Trust):
        return artifact
    return msgspec.structs.replace(
        artifact,
        objects=tuple(
            msgspec.structs.replace(
                row,
                checksum=_weakened(
                    Trust(artifact.name), row, bodies[f"data/{artifact.name}/{row.path}"]
                ),
            )
            for row in artifact.objects
        ),
    )


def _weakened(trust: Trust, row: LockedObject, body: bytes) -> str:
    md5 = hashlib.md5(body).hexdigest()  # noqa: S324 - what an etag is
    if row.tokens.etag != md5:
        message = "an etag is no MD5, so that nothing would tell wrong bytes"
        raise ValueError(message)
    match trust:
        case Trust.STRONG:
            return row.checksum
        case Trust.STORE:
            return f"crc32c:{google_crc32c.value(body):08x} etag:{md5}"
        case _:
            return f"etag:{md5}"


@dataclass(frozen=True, slots=True)
class _Network:
    """What one trial needs."""

    checkout: Checkout
    proxies: Sequence[Proxy]

    def trial(self, luck: Random) -> Tally:
        """Sync through bad luck, judge, and sync again through a good network."""
        moved, faults = self._counted()
        self.checkout.begin()
        for proxy in self.proxies:
            proxy.begin(luck.randrange(1 << 32), _weather(luck))
        first = self.checkout.sync(jobs=_JOBS)
        for proxy in self.proxies:
            proxy.heal()
        second = self.checkout.sync(jobs=_JOBS)
        self.checkout.clear()
        if first.exit_code not in _ENDINGS:
            message = f"the sync ended with {first.exit_code}"
            raise ValueError(message)
        moved_now, faults_now = self._counted()
        return Tally(
            faults=faults_now - faults,
            runs=2,
            moved=moved_now - moved,
            wrong=first.wrong + second.wrong,
            lost=first.lost + second.lost,
            diverged=not second.is_whole,
        )

    def _counted(self) -> tuple[int, int]:
        moved = sum(proxy.moved for proxy in self.proxies)
        return moved, sum(proxy.faults.total() for proxy in self.proxies)


def _weather(luck: Random) -> Choice:
    """Return how bad it is today: some connections are good, others suffer."""
    badness = luck.choice((0.2, 0.5, 0.9))
    toxics = luck.sample(_TOXICS, luck.randrange(1, len(_TOXICS) + 1))

    def choice(luck: Random) -> Toxics:
        return luck.choice(toxics)(luck) if luck.random() < badness else HARMLESS

    return choice


NETWORK = Scenario(
    name="network",
    what="connections: slow, sliced, cut, reset, stalled, crossed, bits flipped",
    rows=("4.3", "4.4", "4.5", "4.6", "4.7"),
    open=_opened,
    short=2,
)
