"""Lockfile text to values, by two readers that never disagree.

The fast reader cuts the blocks of rows out, gives them to msgspec piece by piece and the
small rest to ``tomllib``, and believes the result only if writing it again gives the same
bytes. Such text has one meaning. All other text goes through ``tomllib`` as a whole.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, cast

import msgspec
from msgspec.structs import replace

from artlock.errors import ArtlockError, LockfileError
from artlock.formats.lockfile_faults import MAKE_ANEW, Spot
from artlock.formats.lockfile_heads import check_top, extra_of, head_of, name_of
from artlock.formats.lockfile_pieces import (
    Proof,
    are_apart,
    are_proven,
    cut_rows,
    decode_rows,
    proof_of,
)
from artlock.formats.lockfile_rows import check_rows, rows_of
from artlock.formats.lockfile_write import FORMAT, HEADER, format_lockfile
from artlock.model.lock import Lockfile
from artlock.model.safety import check_artifact, check_collisions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from artlock.model.lock import LockedArtifact, LockedObject

MAX_BYTES = 2**30
"""Largest lockfile that is read, in bytes."""
_START = f"{HEADER}\nversion = {FORMAT}\nrevision = ".encode()
_OPENING = b"\nobjects = [\n"
_CLOSING = b"\n]\n"
_NEXT = _CLOSING + b"\n[[artifact]]\n"
"""The end of rows with another artifact below: a long text is found sooner than a short."""
_VERSION_LINE = re.compile(rb"^version = ([0-9]{1,9})\r?$", re.MULTILINE)
_CONFLICT = re.compile(r"^(?:<{7,}|={7,}|>{7,}|\|{7,})(?: |\r?$)", re.MULTILINE)
_LONG_KEY = re.compile(
    r"""(?:^|[\[{,])(?:[ \t]*+(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.){33}""",
    re.MULTILINE,
)
"""A dotted key of 34 parts; ``tomllib`` takes time quadratic in them (hazard 5.11)."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
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
    lock = _read_fast(data, spot)
    if lock is not None:
        return Reading(lock=lock, oddity=None)
    lock, oddity = _read_slowly(data, spot)
    _check(lock.artifacts, spot)
    return Reading(lock=lock, oddity=oddity)


def _check(artifacts: Sequence[LockedArtifact], spot: Spot) -> None:
    for artifact in artifacts:
        inside = spot.at(f"artifact `{artifact.name}`")
        check_rows(artifact.objects, artifact.kind, inside)
        check_artifact(artifact)


def _read_fast(data: bytes, spot: Spot) -> Lockfile | None:
    """Return what canonical text means, or ``None`` for other text.

    Raises:
        ArtlockError: The text is canonical, but rows are not what a lockfile may have.
    """
    outline = outline_of(data, spot)
    if outline is None:
        return None
    artifacts: list[LockedArtifact] = []
    proven: list[list[Proof | None]] = []
    for head, block in zip(outline.lock.artifacts, outline.blocks, strict=True):
        rows: list[LockedObject] = []
        proofs: list[Proof | None] = []
        for piece in cut_rows(block, data):
            some = decode_rows(data[piece])
            if some is None:
                return None
            rows += some
            proofs.append(proof_of(some, head))
        artifacts.append(replace(head, objects=tuple(rows)))
        proven.append(proofs)
    # Not before all text is known to be canonical: the slow reader may find another fault.
    for artifact, proofs in zip(artifacts, proven, strict=True):
        if not are_proven(proofs, artifact, len(artifact.objects)):
            _check([artifact], spot)
        elif not are_apart(proofs):
            check_collisions(artifact, [row.path for row in artifact.objects])
    return replace(outline.lock, artifacts=tuple(artifacts))


class Outline(msgspec.Struct, frozen=True):
    """A text that is canonical, if its rows are.

    Attributes:
        lock: Its artifacts, without their rows.
        rest: The text without its rows; it means ``lock``.
        blocks: Where in the text the rows of each artifact are.
    """

    lock: Lockfile
    rest: bytes
    blocks: tuple[slice, ...]


def outline_of(data: bytes, spot: Spot) -> Outline | None:
    """Find the rows of what may be canonical text; ``None`` if it certainly is not.

    Raises:
        LockfileError: The text is too large to be read at all.
    """
    if len(data) > MAX_BYTES:
        spot.refuse(f"it is larger than {MAX_BYTES} bytes")
    if not data.startswith(_START):
        return None
    rest, blocks = _cut(data)
    lock = lock_of_rest(rest, spot)
    if lock is None or len(lock.artifacts) != len(blocks):
        return None
    return Outline(lock, rest, blocks)


def lock_of_rest(rest: bytes, spot: Spot) -> Lockfile | None:
    """Return what canonical text without rows means, or ``None`` for other text."""
    try:
        lock = _lockfile(_parsed(rest.decode(), spot), spot)
    except (ValueError, RecursionError, ArtlockError):
        return None  # The slow reader finds the same fault, or none, and knows its spot.
    return lock if format_lockfile(lock) == rest else None


def _cut(data: bytes) -> tuple[bytes, tuple[slice, ...]]:
    """Return the text without its rows, and where the rows of each artifact are."""
    view = memoryview(data)
    rest: list[memoryview] = []
    blocks: list[slice] = []
    done = 0
    while (opening := data.find(_OPENING, done)) >= 0:
        start = opening + len(_OPENING)
        closing = data.find(_NEXT, start - 1)
        if closing < 0:
            if not data.endswith(_CLOSING):
                break
            closing = len(data) - len(_CLOSING)
        rest.append(view[done:start])
        blocks.append(slice(start, closing + 1))
        done = closing + 1
    return b"".join([*rest, view[done:]]), tuple(blocks)


def _read_slowly(data: bytes, spot: Spot) -> tuple[Lockfile, str]:
    lock, oddity, lists = read_values(data, spot)
    for name in lists:
        spot.at(f"artifact `{name}`").refuse(
            "its rows are in parts, which only `artifacts.lock` has, as artlock writes it"
        )
    return lock, oddity


def read_values(data: bytes, spot: Spot) -> tuple[Lockfile, str, dict[str, object]]:
    """Read text that is spelled otherwise than artlock does.

    Returns:
        The lockfile, whose rows are not judged; in what its text is not canonical; and by
        artifact what stands for `parts` where those are in place of rows.

    Raises:
        ArtlockError: As ``read_lockfile``.
    """
    # A later format need not be what this version can parse.
    version = _VERSION_LINE.search(data, 0, max(data.find(b"\n[["), 0) or len(data))
    if version and int(version[1]) > FORMAT:
        spot.refuse_format(int(version[1]))
    document = _parsed(_text_of(data, spot), spot)
    lock = _lockfile(document, spot)
    tables = cast("list[dict[str, object]]", document.get("artifact", []))
    lists = {
        a.name: t["parts"]
        for a, t in zip(lock.artifacts, tables, strict=True)
        if "parts" in t and "objects" not in t
    }
    artifacts = [
        a
        if a.name in lists
        else replace(a, objects=_rows(t, spot.at(f"artifact `{a.name}`")))
        for a, t in zip(lock.artifacts, tables, strict=True)
    ]
    oddity = "it is not spelled as artlock writes it"
    if b"\r\n" in data:
        oddity = "its lines end in CRLF; git must not convert it (`artifacts.lock -text`)"
    return replace(lock, artifacts=tuple(artifacts)), oddity, lists


def _rows(table: Mapping[str, object], spot: Spot) -> tuple[LockedObject, ...]:
    if "parts" in table:
        spot.refuse("it has both `objects` and `parts`")
    return rows_of(table.get("objects"), spot)


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
