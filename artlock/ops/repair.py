"""A lockfile in which git left conflict markers: what both sides agree on stays.

Hosting services run no merge drivers, so people meet such files. Rows that are equal on
both sides are kept; an artifact with any other row is disputed, and is listed again by
``resolve``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from artlock.errors import LaterFormatError, LockfileError
from artlock.formats.lockfile import parse_lockfile
from artlock.formats.lockfile_faults import TAKE_OURS
from artlock.formats.lockfile_parts import LockText
from artlock.model.lock import LockedArtifact, Lockfile

_BOTH, _OURS, _BASE, _THEIRS = "both", "ours", "base", "theirs"
_STEPS = {
    b"<": ({_BOTH}, _OURS),
    b"|": ({_OURS}, _BASE),
    b"=": ({_OURS, _BASE}, _THEIRS),
    b">": ({_THEIRS}, _BOTH),
}
"""By the character of a marker: the parts that it may end, and the one that it begins."""
_MARKER = re.compile(rb"^(<{7,}|\|{7,}|={7,}|>{7,})(?: .*)?\r?$")


class Repaired(msgspec.Struct, frozen=True):
    """What could be read.

    Attributes:
        lock: Rows that both sides have.
        disputed: Names of artifacts in which the sides differ.
    """

    lock: Lockfile = msgspec.field(default_factory=Lockfile)
    disputed: frozenset[str] = frozenset()


def _without_parts(data: bytes) -> LockText:
    return LockText(data=data)


def read_with_markers(
    data: bytes, text_of: Callable[[bytes], LockText] = _without_parts
) -> Repaired:
    """Read a lockfile that may have conflict markers.

    Args:
        data: The file.
        text_of: Returns the text of a side, which may list parts.

    Raises:
        LockfileError: A side is not a lockfile; without markers, what ``parse_lockfile``
            says.
        PolicyError: A side has a row that its declaration does not cover.
    """
    if b"<<<<<<<" not in data:
        return Repaired(parse_lockfile(text_of(data).data))
    texts = [_text_in_merge(side, text_of) for side in _sides(data)]
    ours, theirs = (parse_lockfile(text.data) for text in texts)
    names = {a.name for a in (*ours.artifacts, *theirs.artifacts)}
    agreed: list[LockedArtifact] = []
    disputed: set[str] = set()
    for name in sorted(names):
        mine, other = ours.get(name), theirs.get(name)
        if mine is None or other is None or mine != other:
            disputed.add(name)
        if mine is not None and other is not None:
            common = set(mine.objects) & set(other.objects)
            rows = tuple(row for row in mine.objects if row in common)
            agreed.append(mine if mine == other else replace(mine, objects=rows))
    return Repaired(replace(ours, artifacts=tuple(agreed)), frozenset(disputed))


def _text_in_merge(side: bytes, text_of: Callable[[bytes], LockText]) -> LockText:
    try:
        return text_of(side)
    except LaterFormatError:
        raise
    except LockfileError as error:
        raise LockfileError(error.message, hint=TAKE_OURS) from error


def _sides(data: bytes) -> tuple[bytes, bytes]:
    """Return the text as each side of the merge had it; a common base is left out."""
    ours: list[bytes] = []
    theirs: list[bytes] = []
    receivers = {_BOTH: (ours, theirs), _OURS: (ours,), _BASE: (), _THEIRS: (theirs,)}
    part = _BOTH
    for line in data.splitlines(keepends=True):
        marker = _MARKER.match(line.rstrip(b"\n"))
        if marker is None:
            for side in receivers[part]:
                side.append(line)
            continue
        before, after = _STEPS[marker[1][:1]]
        if part not in before:
            raise _unpaired()
        part = after
    if part != _BOTH:
        raise _unpaired()
    return b"".join(ours), b"".join(theirs)


def _unpaired() -> LockfileError:
    message = "`artifacts.lock` has conflict markers that do not pair"
    return LockfileError(
        message,
        hint="take one side with `git checkout --ours artifacts.lock`, then run "
        "`artlock resolve`",
    )
