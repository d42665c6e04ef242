"""One function of bytes for each reader of bytes that others wrote.

A target returns whether its input was taken. What it refuses it refuses with an
``ArtlockError`` (below the seams that translate it, with the ``ValueError`` that the reader
promises); any other exception is a defect, and so is a broken law, which is an
``AssertionError``.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
from blake3 import blake3

from artlock.cache.layout import CacheLayout
from artlock.cache.ranges import _RECORD, PartialFile
from artlock.cache.statindex import _MAGIC, WorkspaceIndex, _Columns
from artlock.errors import ArtlockError, ConfigError, IntegrityError, ManifestError
from artlock.formats.lockfile import format_lockfile, parse_lockfile, read_lockfile
from artlock.formats.lockfile_faults import Spot
from artlock.formats.lockfile_read import _check, _read_slowly
from artlock.formats.manifest import parse_manifest
from artlock.formats.manifest_edit import add_artifact, format_manifest, remove_artifact
from artlock.formats.settings import parse_settings
from artlock.formats.trust import format_trust, parse_trust, parse_trust_rules
from artlock.model.globs import problem_with_pattern, selector
from artlock.model.lock import (
    Kind,
    LockedArtifact,
    LockedObject,
    Lockfile,
    content_digest,
    pin_digest,
)
from artlock.model.manifest import Declaration
from artlock.model.objects import ObjectInfo
from artlock.model.paths import (
    MAX_SEGMENT_BYTES,
    collisions,
    problem_with,
    problem_with_target,
    problems_with_all,
)
from artlock.model.safety import check_artifact
from artlock.model.tokens import Tokens, problems_with_tokens
from artlock.model.trust import sensitive_settings
from artlock.model.uri import Uri
from artlock.ops.observe import Observed
from artlock.ops.repair import read_with_markers
from artlock.ops.rows import row_of
from artlock.stores.gcs.listing import described, live_items
from artlock.stores.s3.listing import Marker, Rules, follow, live_entries
from artlock.stores.s3.pages import Page, PageError, parse_page
from artlock.stores.s3.scan import Scan
from torture.memory import memory_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One reader.

    Attributes:
        name: For the command, the corpus and the table.
        run: Reads an input; tells whether it was taken.
        words: Pieces that its inputs are made of, for mutations.
        inputs: How many make one trial of torture.
    """

    name: str
    run: Callable[[bytes], bool]
    words: tuple[bytes, ...]
    inputs: int


# -- lockfiles ----------------------------------------------------------------------------


def lockfile(data: bytes) -> bool:
    """Both readers give one value or one refusal; canonical text is what is written."""
    quick, slow = _outcome(data), _slow_outcome(data)
    assert quick == slow
    if isinstance(quick, str):
        return False
    written = format_lockfile(quick)
    assert read_lockfile(data).is_canonical == (written == data)
    _check_written(quick)
    return True


def markers(data: bytes) -> bool:
    """What is kept of a merge with conflicts is a lockfile."""
    try:
        repaired = read_with_markers(data)
    except ArtlockError:
        return False
    _check_written(repaired.lock)
    return True


def _outcome(data: bytes) -> Lockfile | str:
    try:
        return parse_lockfile(data)
    except ArtlockError as error:
        return f"{type(error).__name__}: {error}"


def _slow_outcome(data: bytes) -> Lockfile | str:
    spot = Spot("artifacts.lock")
    try:
        lock, _ = _read_slowly(data, spot)
        _check(lock, spot)
    except ArtlockError as error:
        return f"{type(error).__name__}: {error}"
    return lock


def _check_written(lock: Lockfile) -> None:
    again = read_lockfile(format_lockfile(lock))
    assert again.lock == lock
    assert again.is_canonical
    pin_digest(lock)
    content_digest(lock)


# -- what people write --------------------------------------------------------------------


def manifest(data: bytes) -> bool:
    """A manifest is read or refused; edits keep it readable; a lockfile can hold it."""
    text = data.decode(errors="replace")
    for edit in (
        format_manifest,
        lambda t: add_artifact(t, "new-one", {"uri": "s3://b/k/"}),
        lambda t: remove_artifact(t, "a"),
    ):
        with suppress(ManifestError):
            edit(text)
    try:
        read = parse_manifest(text)
    except ManifestError:
        return False
    sensitive_settings(read)
    formatted = format_manifest(text)
    assert parse_manifest(formatted) == read
    assert format_manifest(formatted) == formatted
    for artifact in read.artifacts:
        with suppress(ManifestError):  # some spellings cannot be cut out, and say so
            left = parse_manifest(remove_artifact(text, artifact.name))
            assert left.artifacts == tuple(a for a in read.artifacts if a != artifact)
        # A tree may have no rows, so it holds a declaration alone; a web address is none.
        is_web = artifact.uri.scheme in {"http", "https"}
        kind = Kind.LINK if artifact.is_link or is_web else Kind.TREE
        locked = LockedArtifact(name=artifact.name, declared=artifact.declared, kind=kind)
        written = format_lockfile(Lockfile(artifacts=(locked,)))
        (again,) = parse_lockfile(written).artifacts
        assert again.declared == artifact.declared
    return True


def settings(data: bytes) -> bool:
    """The user's own settings are read, or refused with all faults told."""
    try:
        parse_settings(data.decode(errors="replace"))
    except ConfigError:
        return False
    return True


def trust(data: bytes) -> bool:
    """The trust file is what is written, in meaning; so are the rules of CI."""
    text = data.decode(errors="replace")
    taken = False
    with suppress(ConfigError):
        parse_trust_rules(text)
        taken = True
    try:
        store = parse_trust(text)
    except ConfigError:
        return taken
    assert parse_trust(format_trust(store)) == store
    return True


# -- small values -------------------------------------------------------------------------


def uri(data: bytes) -> bool:
    """A URI is its own text; it has no user info; what is below a tree is found there."""
    text = data.decode(errors="replace")
    try:
        parsed = Uri.parse(text)
    except ValueError:
        return False
    assert Uri.parse(str(parsed)) == parsed
    assert str(Uri.parse(str(parsed))) == str(parsed)
    if parsed.scheme in {"http", "https"}:
        seen = urlsplit(str(parsed))
        assert seen.username is None
        assert seen.password is None
        assert seen.fragment == ""
        assert seen.port != 0 or ":0" in seen.netloc
    if parsed.is_relative or parsed.scheme == "file":
        segments = parsed.local_path.split("/")
        assert not {"..", "."} & set(segments)
        assert parsed.local_path.startswith("/") == (parsed.scheme == "file")
    assert "/" not in parsed.file_name or parsed.scheme in {"http", "https", "file"}
    tree = parsed.as_tree()
    assert tree.is_tree
    if not parsed.is_link:
        for below in ("a", "b c/é%2e", "%", "x#y?z"):
            assert tree.relative(tree.child(below)) == below
    assert parsed.is_allowed_by(str(parsed))
    return True


def path(data: bytes) -> bool:
    """A key that may be a file stays below its root, on every operating system."""
    # Of a server's JSON, lone surrogates may come.
    keys = data.decode(errors="surrogateescape").split("\n")
    assert problems_with_all(keys) == [(k, p) for k in keys if (p := problem_with(k))]
    good = [key for key in keys if problem_with(key) is None]
    for key in good:
        _check_inside(key)
    for key in keys:
        if problem_with_target(key) is None:
            _check_inside(key.removesuffix("/"))
        if problem_with_pattern(key) is None:
            select = selector((key,), ())
            for other in islice(good, 5):
                select(other)
    pairs = collisions(good)
    assert pairs == sorted(pairs)
    folded = {key.casefold() for key in good}
    assert pairs or len(folded) == len(good)
    return bool(good)


def _check_inside(key: str) -> None:
    posix, windows = PurePosixPath(key), PureWindowsPath(key)
    assert not posix.is_absolute()
    assert not windows.is_absolute()
    assert windows.drive == ""
    assert windows.root == ""
    assert ".." not in posix.parts
    assert ".." not in windows.parts
    assert posix.parts == windows.parts
    assert str(posix) == key
    assert ".git" not in {part.casefold() for part in posix.parts}
    assert key.isprintable() or not any(ord(c) < ord(" ") for c in key)
    assert all(len(part.encode()) <= MAX_SEGMENT_BYTES for part in posix.parts)
    assert "\0" not in key


def tokens(data: bytes) -> bool:
    """Tokens are their own text, and the fast judge says what the parser says."""
    texts = data.decode(errors="replace").split("\n")
    told = dict(problems_with_tokens(texts))
    for index, text in enumerate(texts):
        try:
            parsed = Tokens.parse(text)
        except ValueError:
            assert index in told
            continue
        assert index not in told
        assert str(parsed) == text
        assert LockedObject("p", 1, text, "").trust is parsed.trust
        assert not parsed.contradicts(parsed)
    return not told


# -- listings -----------------------------------------------------------------------------

PAGE_END = b"\n\x00\n"
"""Between the pages of one input; no page has a zero byte."""


def s3_listing(data: bytes) -> bool:
    """A listing is believed or refused; rows of a listing that is believed can be read.

    The first byte says what is asked: bit 0, whether keys must be sorted; bit 1, ``as-of``.
    """
    how = data[0] if data else 0
    bodies = data[1:].split(PAGE_END)
    prefix = Uri("s3", "bucket", "p/")
    moment = datetime(2026, 6, 1, tzinfo=UTC) if how & 2 else None
    rules = Rules(prefix=prefix.key, is_sorted=bool(how & 1), as_of=moment)
    scan = Scan(
        connection=cast("Any", None),  # nothing is asked of it
        prefix=prefix,
        as_of=moment,
        notice=lambda _: None,
        cross_check=False,
        head=lambda _: ObjectInfo(uri=prefix, size=0),
        page_size=None,
    )
    rest = iter(bodies)

    def ask(_: Marker) -> Page:
        body = next(rest, None)
        if body is None:
            message = "there are no more pages"
            raise PageError(message)
        return parse_page(body)

    try:
        infos = [scan._info(entry) for entry in live_entries(follow(ask), rules)]  # noqa: SLF001 - what a scan makes of an entry
    except PageError:
        return False
    keys = [info.uri.key for info in infos]
    assert len(set(keys)) == len(keys)
    _check_rows(infos, prefix)
    return True


def gcs_listing(data: bytes) -> bool:
    """The same of Google's JSON; the first byte says whether ``as-of`` is asked (bit 1)."""
    how = data[0] if data else 0
    prefix = Uri("gs", "bucket", "p/")
    moment = datetime(2026, 6, 1, tzinfo=UTC) if how & 2 else None
    try:
        pages = [json.loads(body) for body in data[1:].split(PAGE_END)]
    except (ValueError, RecursionError):
        return False  # the vendor's client has refused it
    if not all(isinstance(page, dict) for page in pages):
        return False
    try:
        found = live_items(pages, prefix, as_of=moment)
        infos = [described(item, prefix) for item in found]
    except ArtlockError:
        return False
    _check_rows(infos, prefix)
    return True


def _check_rows(infos: Iterable[ObjectInfo], prefix: Uri) -> None:
    """Lock what was observed, as ``resolve`` does: it is refused, or it can be read."""
    named = ((prefix.relative(info.uri), info) for info in infos)
    rows = {key: row_of(Observed(key, info)) for key, info in named if key is not None}
    locked = LockedArtifact(
        name="a",
        declared=Declaration(uri=prefix),
        kind=Kind.TREE,
        objects=tuple(rows[key] for key in sorted(rows) if key and key[-1] != "/"),
    )
    try:
        check_artifact(locked)
    except ArtlockError:
        return
    lock = Lockfile(artifacts=(locked,))
    assert parse_lockfile(format_lockfile(lock)) == lock


# -- what artlock keeps for itself --------------------------------------------------------

_TRUTH = blake3(b"what is in the store").digest(length=300)
_RANGE = 64
_SECRET = bytes(range(32))


def journal(data: bytes) -> bool:
    """Whatever a dead process left of an object, the whole is what was locked or refused.

    The first two bytes say how much of the rest is the journal; what follows are the bytes.
    """
    cut = int.from_bytes(data[:2], "big")
    notes, part = data[2 : 2 + cut], data[2 + cut :]
    with memory_folder() as home:
        layout = CacheLayout(home)
        layout.partial.mkdir(parents=True)
        folder = layout.partial / "key"
        folder.mkdir()
        folder.joinpath("left.journal").write_bytes(notes)
        folder.joinpath("left.part").write_bytes(part)
        with PartialFile(
            layout,
            "key",
            len(_TRUTH),
            tokens=Tokens.parse(f"blake3:{blake3(_TRUTH).hexdigest()}"),
            subject="s3://bucket/key",
            range_length=_RANGE,
        ) as partial:
            missing = partial.missing()
            for start, length in missing:
                partial.write(start, [_TRUTH[start : start + length]])
            assert partial.missing() == []
            (own,) = (p for p in folder.glob("*.part") if p.stem != "left")
            written = own.read_bytes()
            try:
                partial._check.finish()  # noqa: SLF001 - what `finish` believes
            except IntegrityError:
                assert written != _TRUTH
            else:
                assert written == _TRUTH
            for start, _, digest in _believed(notes, missing):
                assert blake3(written[start : start + _RANGE]).digest() == digest
    return len(missing) < math.ceil(len(_TRUTH) / _RANGE)


def _believed(
    notes: bytes, missing: Iterable[tuple[int, int]]
) -> Iterator[tuple[int, int, bytes]]:
    """Yield the record of each range that was adopted."""
    absent = {start for start, _ in missing}
    whole = notes[: len(notes) - len(notes) % _RECORD.size]
    claims: dict[int, list[tuple[int, int, bytes]]] = {}
    for record in _RECORD.iter_unpack(whole):
        claims.setdefault(record[0], []).append(record)
    for start in range(0, len(_TRUTH), _RANGE):
        if start not in absent and len(claims[start]) == 1:
            yield claims[start][0]


def statindex(data: bytes) -> bool:
    """An index without its seal is empty; of one with it nothing but entries comes out.

    The first byte says what the rest is: bit 0, the payload, which is sealed here; else the
    file.
    """
    how, rest = (data[0], data[1:]) if data else (0, b"")
    is_payload = bool(how & 1)
    if is_payload:
        rest = _MAGIC + blake3(rest, key=_SECRET).digest() + rest
    with memory_folder() as folder:
        file = folder / "index"
        file.write_bytes(rest)
        index = WorkspaceIndex.load(file, secret=_SECRET)
        assert len(WorkspaceIndex.load(file, secret=bytes(32))) == 0
        entries = list(index.entries())
        assert [entry.path for entry in entries] == index.paths
        assert index.doubtful([None] * len(index)) == list(range(len(index)))
        for entry in entries:
            assert index.get(entry.path) is not None
        updated = index.updated(entries[:1], removed={e.path for e in entries[1:2]})
        updated.save(file, secret=_SECRET)
        again = WorkspaceIndex.load(file, secret=_SECRET)
        assert list(again.entries()) == list(updated.entries())
    return bool(entries)


def index_payload(index: WorkspaceIndex) -> bytes:
    """Return what an index is on disk, without the seal: for the corpus."""
    with memory_folder() as folder:
        file = folder / "index"
        index.save(file, secret=_SECRET)
        data = file.read_bytes()
    payload = data[len(_MAGIC) + 32 :]
    msgspec.msgpack.decode(payload, type=_Columns)
    return payload


_TOML = (
    *(b"\n", b"\r\n", b'"', b"'", b",", b"[", b"]", b"{", b"}", b"=", b".", b"#", b"\\"),
    *(b"\t", b" ", b"\x7f", b"\x00", b"\xff", b"\xc3\xa9", b"\xef\xbb\xbf", b'"""', b"'''"),
    *(b"\\u007f", b"\\u0041", b"\\ud83d\\ude00", b"\\uD800", b"true", b"false", b"nan"),
    *(
        b"inf",
        b"1.0",
        b"1e2",
        b"0x1",
        b"0o7",
        b"1_0",
        b"-1",
        b"9223372036854775808",
        b"[[a]]",
    ),
    *(b"1979-05-27T07:32:00Z", b"07:32:00", b"1979-05-27", b"a.b = {}\n", b"x = 1\n"),
)
_LOCK_WORDS = (
    *_TOML,
    *(b"],\n", b"]\n", b"objects = [\n", b"\n[[artifact]]\n", b"null", b'["a",1,"",""],\n'),
    *(
        b"blake3:",
        b"sha256:",
        b"md5:",
        b"crc32c:",
        b"etag:",
        b"x-y:",
        b"%20",
        b"%2",
        b"%2f",
    ),
    *(b'uri = "', b"s3://", b"file:///", b'root = "', b'kind = "tree"\n', b"portable = "),
    *(b"version = 2\n", b"revision = 1\n", b"include = [", b"rename = {", b'as-of = "'),
    *(b"../", b"/", b".git/", b"..", b"con", b"artifacts.toml", b"parts = 1\n"),
)
_MANIFEST_WORDS = (
    *_TOML,
    *(
        b"[artifacts.a]\n",
        b"[artifacts.",
        b'uri = "',
        b"s3://b/",
        b"gs://b/",
        b"https://h/",
    ),
    *(b'path = "', b"include = [", b"exclude = [", b"rename = {", b"groups = [", b"**/"),
    *(b'checksum = "blake3"\n', b'version = "1"\n', b'as-of = "', b"link = true\n"),
    *(b'fallback = "link"\n', b"mirrors = [", b"headers = {", b'endpoint = "https://e"\n'),
    *(b"[policy]\n", b"allow = [", b'require = "strong"\n', b"[trackers]\n", b"${A}"),
    *(b"[artlock]\n", b"version = 1\n", b"portable = false\n", b"[tool.x]\n", b"meta = {"),
)
_URI_WORDS = (
    *(b"s3://", b"gs://", b"gcs://", b"http://", b"https://", b"file:///", b"doi:", b"//"),
    *(b"@", b":", b"/", b"..", b".", b"%2e", b"%2f", b"%", b"%00", b"?", b"#", b"&", b";"),
    *(b"?versionId=1", b"#1234567890", b"?X-Amz-Signature=", b"sig=", b"token=", b"\\"),
    *(b"C:", b"~", b"[::1]", b":80", b"user:pw@", b"./", b"\xc3\xa9", b"\x7f", b"+", b" "),
)
_PATH_WORDS = (
    *(b"/", b"..", b".", b"\\", b":", b".git", b"git~1", b".GIT", b"\n", b"con", b"nul."),
    *(
        b"artifacts.toml",
        b".artlock",
        b" ",
        b"\xe2\x80\x8c",
        b"\xe2\x80\xae",
        b"\x7f",
        b"C:",
    ),
    *(b"e\xcc\x81", b"\xc3\xa9", b"\xe2\x84\xaa", b"\xc5\xbf", b"\xef\xac\x81", b"\x00"),
    *(b"*", b"**", b"?", b"[", b"]", b"[!a]", b"**/", b"\xed\xa0\x80", b"x" * 255),
)
_XML_WORDS = (
    *(b"<Key>", b"</Key>", b"<Version>", b"</Version>", b"<DeleteMarker>", b"<Contents>"),
    *(b"</Contents>", b"<VersionId>", b"null", b"<IsLatest>true</IsLatest>", b"false"),
    *(b"<Size>", b"-1", b"</Size>", b"9223372036854775808", b"&#13;", b"&amp;", b"&x;"),
    *(b"<EncodingType>url</EncodingType>", b"%2F", b"%ff", b"+", b"<IsTruncated>true"),
    *(
        b"<NextKeyMarker>",
        b"<NextContinuationToken>",
        b"<!DOCTYPE x>",
        b"<![CDATA[",
        b"]]>",
    ),
    *(
        b"2026-01-01T00:00:00Z",
        b"2026-01-01T00:00:00",
        b"<?xml?>",
        b"<!--",
        b"-->",
        PAGE_END,
    ),
    *(b"\xd9\xa3", b"1_0", b" 7 ", b'xmlns="x"', b"<ETag>&quot;a&quot;</ETag>", b"GLACIER"),
)
_JSON_WORDS = (
    *(b'"items":', b'"name":', b'"size":', b'"generation":', b'"crc32c":', b'"md5Hash":'),
    *(b'"nextPageToken":', b'"kind":"storage#objects"', b'"contentEncoding":', b"null"),
    *(
        b"[]",
        b"{}",
        b"[",
        b"]",
        b"{",
        b"}",
        b",",
        b'"',
        b"NaN",
        b"Infinity",
        b"1e400",
        b"-1",
    ),
    *(b"true", b'"\\ud800"', b'"\\u0000"', b'"p/a"', b'"1"', b"1.5", b"[[[[", PAGE_END),
    *(b'"timeCreated":', b'"timeDeleted":', b'"2026-01-01T00:00:00Z"', b'"2026-01-01"'),
)
_NUMBERS = (
    *(b"\0" * 8, b"\xff" * 8, b"\x40" + b"\0" * 7, b"\x80" + b"\0" * 7, b"\x92", b"\x9b"),
    *(b"\xc4\x00", b"\xc4\x08", b"\xdb\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\x81"),
    *(b"\xa1a", b"\xa0", b"\xc0", b"\xcf" + b"\xff" * 8, _MAGIC),
)
_TOKEN_WORDS = (
    *(b"blake3:", b"sha256:", b"sha512:", b"crc64nvme:", b"crc32c:", b"md5:", b"etag:"),
    *(b" ", b"\n", b"0" * 64, b"a" * 32, b"W/", b"%20", b"%", b"x-new:", b"F", b'"', b"-2"),
)
_TRUST_WORDS = (
    *_JSON_WORDS,
    *(b'"projects":', b'"version":1', b"blake3:" + b"0" * 64, b"endpoint=", b"profile="),
    *(b"headers.X=", b"127.0.0.1", b"[::1]:80", b"*.example.com", b"host:99999", b","),
)

TARGETS: tuple[Target, ...] = (
    Target(name="lockfile", run=lockfile, words=_LOCK_WORDS, inputs=1500),
    Target(
        name="markers",
        run=markers,
        words=(*_LOCK_WORDS, b"<<<<<<< a\n", b"=======\n", b">>>>>>> b\n", b"||||||| c\n"),
        inputs=1000,
    ),
    Target(name="manifest", run=manifest, words=_MANIFEST_WORDS, inputs=200),
    Target(name="uri", run=uri, words=_URI_WORDS, inputs=5000),
    Target(name="path", run=path, words=_PATH_WORDS, inputs=3000),
    Target(name="tokens", run=tokens, words=_TOKEN_WORDS, inputs=5000),
    Target(name="s3-listing", run=s3_listing, words=_XML_WORDS, inputs=3000),
    Target(name="gcs-listing", run=gcs_listing, words=_JSON_WORDS, inputs=3000),
    Target(name="journal", run=journal, words=_NUMBERS, inputs=300),
    Target(name="statindex", run=statindex, words=_NUMBERS, inputs=300),
    Target(name="trust", run=trust, words=_TRUST_WORDS, inputs=5000),
    Target(
        name="settings",
        run=settings,
        words=(
            *_MANIFEST_WORDS,
            b'[sources."s3://b/"]\n',
            b"jobs = 1\n",
            b'cache-dir = "/',
        ),
        inputs=1000,
    ),
)
