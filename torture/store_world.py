"""A random source for the scenario ``stores``, and everything that it ever held."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

from testbed.faults import Fault, Matches, duplicated, s3_error, swapped
from testbed.hostile import Bucket, HostileGcs, HostileS3, Pages, Policy, State, Upload

KEYS = ("a.bin", "b/c.bin", "b/d e+f.bin", "b/deep/er/é.bin", "g%2Eh.bin", "z.bin")
TREE = "tree/"
_SIZES = (0, 1, 3, 3, 3, 700, 70_000)
_STREAMED = 9_000_000
"""Comes in more than one piece, so that a break may lie between two."""
_PLAIN = Upload()
_UPLOADS = (
    Upload(part_size=5000),
    Upload(part_size=5000, checksum="SHA256"),
    Upload(encryption="aws:kms"),
    Upload(etag="random", checksum=""),
    Upload(checksum="CRC32C", checksum_says=False),
    Upload(is_composed=True),
    Upload(encoding="gzip"),
)
_ARCHIVED = Upload(storage_class="GLACIER")


@dataclass(slots=True, kw_only=True)
class World:
    """A bucket, and what was ever written to it.

    Attributes:
        held: Every body by key and version; where a version is overwritten in place, by
            key and etag.
        is_plain: Whether each etag is an MD5, so that it shows wrong bytes.
    """

    luck: Random
    server: HostileS3 | HostileGcs
    bucket: Bucket
    is_plain: bool
    held: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def put(self, key: str = "") -> State:
        """Write a random object."""
        luck = self.luck
        is_large = luck.random() < 0.03  # noqa: PLR2004 - one in thirty
        body = luck.randbytes(_STREAMED if is_large else luck.choice(_SIZES))
        upload = _PLAIN if self.is_plain else luck.choice((_PLAIN, *_UPLOADS))
        if upload.encoding:
            upload = Upload(encoding=upload.encoding) if self._inflates() else _PLAIN
        state = self.bucket.put(TREE + (key or luck.choice(KEYS)), body, upload)
        self.held[state.key, state.version] = body
        self.held[state.key, state.etag] = body
        return state

    def change(self) -> None:
        """Do what owners of buckets do."""
        key = TREE + self.luck.choice(KEYS)
        history = self.bucket.history(key)
        match self.luck.choice(("put", "put", "same", "delete", "forget", "archive")):
            case "put":
                self.put()
            case "same" if history and not history[0].is_marker:
                body = history[0].body
                state = self.bucket.put(key, body, history[0].upload)
                self.held[key, state.version] = self.held[key, state.etag] = body
            case "delete":
                self.bucket.delete(key)
            case "forget" if history:
                self.bucket.forget(key, self.luck.choice(history).version)
            case "archive" if history and self.bucket.service == "s3":
                state = self.luck.choice(history)
                if not state.is_marker:
                    self.bucket.amend(key, state.version, upload=_ARCHIVED)
            case _:
                pass

    def restore(self) -> None:
        """Make everything readable again that is there, and take back every rule."""
        self.server.heal()
        self.bucket.policy = Policy()
        self.bucket.version_pages = Pages()
        self.bucket.plain_pages = Pages()
        for key, states in self.bucket.histories().items():
            for state in states:
                if not state.is_marker:
                    with suppress(StopIteration):
                        self.bucket.amend(key, state.version, restored=True)

    def _inflates(self) -> bool:
        # Bodies are random, so that only a store that never inflates may claim it.
        return self.bucket.service == "s3"


Make: TypeAlias = Callable[[World, Matches, int | None], Fault]


def _is_read(method: str, path: str, query: str) -> bool:
    del query
    return method == "GET" and "tree" in path


def _is_any(method: str, path: str, query: str) -> bool:
    del method, path, query
    return True


def _status(status: int, code: str) -> Make:
    return lambda _world, matches, times: s3_error(
        status, code, matches=matches, times=times
    )


def _of_kind(kind: str, **facts: object) -> Make:
    return lambda _world, matches, times: Fault(
        kind=kind,  # type: ignore[arg-type] # one of Kind
        matches=matches,
        times=times,
        **facts,  # type: ignore[arg-type] # fields of Fault
    )


def _meanwhile(world: World, matches: Matches, times: int | None) -> Fault:
    del times
    return Fault(kind="before", matches=matches, times=1, action=world.change)


def _corrupt(world: World, matches: Matches, times: int | None) -> Fault:
    # Once each, and each elsewhere: two readings of it never agree.
    del times
    offset = world.luck.randrange(3)
    return Fault(kind="corrupt", matches=matches, times=1, offset=offset)


def _swapped(world: World, matches: Matches, times: int | None) -> Fault:
    body = world.luck.randbytes(world.luck.choice(_SIZES))
    return swapped(body, matches=matches, times=times)


SEEN_BY_SIZE: tuple[Make, ...] = (
    *(
        _status(status, code)
        for status, code in (
            (503, "SlowDown"),
            (500, "InternalError"),
            (429, "TooManyRequests"),
            (403, "AccessDenied"),
            (404, "NoSuchKey"),
            (400, "ExpiredToken"),
            (412, "PreconditionFailed"),
        )
    ),
    _of_kind("truncate"),
    _of_kind("truncate", after=0),
    _of_kind("reset", after=0),
    _of_kind("reset", after=2),
    _of_kind("nolen"),
    _of_kind("chunked"),
    _of_kind("stall", seconds=0.02),
    _of_kind("slow", seconds=0.005, after=20_000),
    _of_kind("endless"),
    _of_kind("extra", body=b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"),
    _of_kind("gzip"),
    _of_kind("ignore_range"),
    _of_kind("wrong_range"),
    _of_kind("headers", headers={"ETag": '"other"'}),
    _of_kind("headers", drop=("ETag", "x-goog-hash", "Last-Modified")),
    _of_kind("headers", headers={"x-amz-version-id": "other", "x-goog-generation": "7"}),
    _of_kind("status", status=200, body=b"<html>please log in</html>"),
    _of_kind("status", status=204),
    _of_kind("status", status=302, headers={"Location": "/elsewhere"}),
    lambda _world, matches, times: duplicated(matches=matches, times=times),
    _meanwhile,
)
SEEN_BY_CHECKSUM: tuple[Make, ...] = (_corrupt, _corrupt, _swapped)
"""They leave the size as it is: only a digest or checksum shows them."""

WRONG_PAGES = (
    Pages(lost=frozenset({f"{TREE}a.bin"})),
    Pages(size=2, repeats=True),
    Pages(size=2, loops=True),
    Pages(size=2, ends_after=1),
    Pages(size=2, is_mute=True),
    Pages(size=1),
    Pages(size=2),
    Pages(empty=3),
)
DENIED = (
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "s3:GetBucketVersioning",
    "storage.objects.list",
    "storage.objects.get",
)


def spoil(world: World, *, proven: bool) -> int:
    """Let one to three things go wrong, and return how many.

    Args:
        world: What is spoilt.
        proven: Whether rows have digests or checksums, so that any wrong byte shows.
    """
    luck = world.luck
    count = luck.randint(1, 3)
    for _ in range(count):
        if luck.random() < 0.15:  # noqa: PLR2004 - one in seven
            denied = world.bucket.policy.denied | {luck.choice(DENIED)}
            world.bucket.policy = Policy(
                denied=denied,
                requester_pays=luck.random() < 0.2,  # noqa: PLR2004 - one in five
                conditions=luck.choice(("kept", "ignored", "refused")),
            )
            continue
        makers = SEEN_BY_SIZE + (SEEN_BY_CHECKSUM * 3 if proven else ())
        matches = luck.choice((_is_read, _is_read, _is_any))
        fault = luck.choice(makers)(world, matches, luck.choice((1, 1, 2, 7, None)))
        world.server.inject(fault)
    return count
