"""Lockfile text to values, by two readers that never disagree.

The fast reader cuts the blocks of rows out, gives them to msgspec and the small rest to
``tomllib``, and believes the result only if writing it again gives the same bytes. Such
text has one meaning. All other text goes through ``tomllib`` as a whole.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import msgspec

from artlock.errors import ArtlockError, LockfileError
from artlock.formats.lockfile_faults import MAKE_ANEW, Spot
from artlock.formats.lockfile_heads import check_top, extra_of, head_of, name_of
from artlock.formats.lockfile_rows import check_rows, rows_of
from artlock.formats.lockfile_write import FORMAT, HEADER, encode_rows, format_lockfile
from artlock.model.lock import LockedObject, Lockfile
from artlock.model.safety import check_artifact

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES = 2**30
"""Largest lockfile that is read, in bytes."""
_START = f"{HEADER}\nversion = {FORMAT}\nrevision = ".encode()
_OPENING = b"\nobjects = [\n"
_CLOSING = b"\n]\n"
_DECODER = msgspec.json.Decoder(LockedObject)
_VERSION_LINE = re.compile(rb"^version = ([0-9]{1,9})\r?$", re.MULTILINE)
_CONFLICT = re.compile(r"^(?:<{7,}|={7,}|>{7,}|\|{7,})(?: |\r?$)", re.MULTILINE)
_LONG_KEY = re.compile(
    r"""(?:^|[\[{,])(?:[ \t]*+(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.){33}""",
    re.MULTILINE,
)
"""A dotted key of 34 parts; ``tomllib`` takes time quadratic in them (hazard 5.11)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read.

    Attributes:
        oddity: In what the text is not the one that artlock writes; ``None`` if it is.
    """

    lock: Lockfile
    oddity: str | None

    @property
    def is_canonical(self) -> bool:
        """Whether the text is byte for byte what artlock writes for these values."""
        return self.oddity is None


def read_lockfile(data: bytes, *, name: str = "artifacts.lock") -> Reading:
    """Read a lockfile; nothing in it is believed before it was checked.

    Args:
        data: The whole text.
        name: What the text is, for messages.

    Raises:
        LockfileError: The text is not a lockfile, or of a later format.
        UnsafePathError: A row's path cannot be a file that is safe everywhere.
        PolicyError: A URI has a credential, or a row points outside of its declaration.
    """
    spot = Spot(name)
    if len(data) > MAX_BYTES:
        spot.refuse(f"it is larger than {MAX_BYTES} bytes")
    lock = _read_fast(data, spot)
    oddity = None
    if lock is None:
        lock, oddity = _read_slowly(data, spot)
    _check(lock, spot)
    return Reading(lock=lock, oddity=oddity)


def _check(lock: Lockfile, spot: Spot) -> None:
    for artifact in lock.artifacts:
        inside = spot.at(f"artifact `{artifact.name}`")
        check_rows(artifact.objects, artifact.kind, inside)
        check_artifact(artifact)


def _read_fast(data: bytes, spot: Spot) -> Lockfile | None:
    """Return what canonical text means, rows not yet checked; ``None`` for other text."""
    if not data.startswith(_START):
        return None
    rest, blocks = _cut(data)
    try:
        rows = [_decoded(block) for block in blocks]
        document = _parsed(rest.decode(), spot)
        lock = _lockfile(document, spot)
    except (ValueError, RecursionError, msgspec.MsgspecError, ArtlockError):
        return None  # The slow reader finds the same fault, or none, and knows its spot.
    if len(lock.artifacts) != len(blocks) or format_lockfile(lock) != rest:
        return None
    # Only safe because each block encodes to itself, and the rest to itself.
    artifacts = zip(lock.artifacts, rows, strict=True)
    return replace(lock, artifacts=tuple(replace(a, objects=r) for a, r in artifacts))


def _cut(data: bytes) -> tuple[bytes, list[bytes]]:
    """Return the text without its rows, and the rows of each artifact."""
    view = memoryview(data)
    rest: list[memoryview] = []
    blocks: list[bytes] = []
    done = 0
    while (opening := data.find(_OPENING, done)) >= 0:
        start = opening + len(_OPENING)
        closing = data.find(_CLOSING, start - 1)
        if closing < 0:
            break
        rest.append(view[done:start])
        blocks.append(data[start : closing + 1])
        done = closing + 1
    return b"".join([*rest, view[done:]]), blocks


def _decoded(block: bytes) -> tuple[LockedObject, ...]:
    rows = _DECODER.decode_lines(block.replace(b",\n", b"\n"))
    if encode_rows(rows) != block:
        raise ValueError("the rows are not as artlock writes them")  # noqa: EM101, TRY003 - never shown
    return tuple(rows)


def _read_slowly(data: bytes, spot: Spot) -> tuple[Lockfile, str]:
    # A later format need not be what this version can parse.
    version = _VERSION_LINE.search(data, 0, max(data.find(b"\n[["), 0) or len(data))
    if version and int(version[1]) > FORMAT:
        spot.refuse_format(int(version[1]))
    document = _parsed(_text_of(data, spot), spot)
    lock = _lockfile(document, spot)
    tables = cast("list[dict[str, object]]", document.get("artifact", []))
    artifacts = [
        replace(a, objects=rows_of(t.get("objects"), spot.at(f"artifact `{a.name}`")))
        for a, t in zip(lock.artifacts, tables, strict=True)
    ]
    oddity = "it is not spelled as artlock writes it"
    if b"\r\n" in data:
        oddity = "its lines end in CRLF; git must not convert it (`artifacts.lock -text`)"
    return replace(lock, artifacts=tuple(artifacts)), oddity


def _text_of(data: bytes, spot: Spot) -> str:
    if data.startswith(b"\xef\xbb\xbf"):
        spot.refuse("it starts with a byte order mark")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        spot.line(line).refuse("it is not UTF-8")


def _parsed(text: str, spot: Spot) -> dict[str, object]:
    if _LONG_KEY.search(text):
        spot.refuse("a key has more than 32 dots")
    try:
        return tomllib.loads(text)
    except RecursionError:
        spot.refuse("it is nested too deeply")
    except ValueError as error:
        if conflict := _CONFLICT.search(text):
            line = text.count("\n", 0, conflict.start()) + 1
            reason = f"`{spot.name}:{line}` has conflict markers of a merge"
            raise LockfileError(reason, hint="run `artlock resolve`") from error
        raise _syntax_error(str(error), spot) from error


def _syntax_error(reason: str, spot: Spot) -> LockfileError:
    found = re.search(r" \(at line (\d+), column \d+\)$", reason)
    where = f"{spot.name}:{found[1]}" if found else spot.name
    phrase = reason[: found.start()] if found else reason
    message = f"`{where}` is not valid: {phrase[:1].lower()}{phrase[1:]}"
    return LockfileError(message, hint=MAKE_ANEW)


def _lockfile(document: Mapping[str, object], spot: Spot) -> Lockfile:
    """Build a lockfile without rows."""
    revision = check_top(document, spot)
    tables = document.get("artifact", [])
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        spot.refuse("`artifact` is not a list of tables")
    artifacts = []
    previous = ""
    for index, table in enumerate(cast("list[dict[str, object]]", tables)):
        name = name_of(table, spot.at(f"artifact {index + 1}"))
        inside = spot.at(f"artifact `{name}`")
        if name <= previous:
            problem = (
                "it is there twice" if name == previous else "artifacts are not sorted"
            )
            inside.refuse(problem)
        previous = name
        artifacts.append(head_of(table, name, inside))
    extra = extra_of(document, spot, top=True)
    return Lockfile(artifacts=tuple(artifacts), revision=revision, extra=extra)
