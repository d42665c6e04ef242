"""Which of the rows that went and of those that came are one object under another name.

A pair has equal size, and in common what identifies bytes: a digest, or one of the store's
checksums that are long enough to stand for content (decision record 0028). An etag never
does, and CRC32C has too few bits where a million rows are compared with each other.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec.structs import replace

from artlock.model.diff import Change, ChangeKind
from artlock.model.digest import ChecksumAlgorithm, DigestAlgorithm

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from artlock.model.lock import LockedObject

_IDENTIFYING = frozenset(
    map(str, (*DigestAlgorithm, ChecksumAlgorithm.CRC64NVME, ChecksumAlgorithm.MD5))
)


def with_renames(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return changes with each pair of a deleted and an added row of equal bytes as one.

    Each row is in one pair at most. Where several fit, a row of the same artifact and file
    name goes first, then one of the same artifact, then one of the same file name, then
    any; among equals the first by artifact and path. Empty objects say nothing and are
    not paired. The time is linear in the number of changes, whatever they have in common.

    Args:
        changes: As ``diff`` returns them; the order stays.
    """
    changes = tuple(changes)
    sources: dict[int, int] = {}
    for likeness in (_artifact_and_name, _artifact, _file_name, _anything):
        used = set(sources.values())
        gone = [i for i, c in enumerate(changes) if _row_that_went(c) and i not in used]
        come = [i for i, c in enumerate(changes) if _row_that_came(c) and i not in sources]
        if not (gone and come):
            break
        sources |= _paired(changes, gone, come, likeness)
    used = set(sources.values())
    return tuple(
        _renamed(changes[sources[index]], change) if index in sources else change
        for index, change in enumerate(changes)
        if index not in used
    )


def _paired(
    changes: Sequence[Change],
    gone: Sequence[int],
    come: Sequence[int],
    likeness: Callable[[Change], Hashable],
) -> dict[int, int]:
    """Return for rows that came which row that went each is; only of those alike."""
    # Each the last first: a list gives its last away at once, and takes a tenth of a deque.
    waiting: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index in reversed(gone):
        change = changes[index]
        for identity in _identities(_row_that_went(change)):
            waiting[identity, likeness(change)].append(index)
    pairs: dict[int, int] = {}
    used: set[int] = set()
    for index in come:
        change = changes[index]
        for identity in _identities(_row_that_came(change)):
            candidates = waiting.get((identity, likeness(change)), [])
            while candidates and candidates[-1] in used:
                candidates.pop()  # paired by another token of its row
            if candidates and not _contradict(changes[candidates[-1]], change):
                pairs[index] = candidates.pop()
                used.add(pairs[index])
                break
    return pairs


def _row_that_went(change: Change) -> LockedObject | None:
    return change.old if change.kind is ChangeKind.DELETED else None


def _row_that_came(change: Change) -> LockedObject | None:
    return change.new if change.kind is ChangeKind.ADDED else None


def _identities(row: LockedObject | None) -> Iterator[tuple[str, int]]:
    """Yield what identifies the bytes of a row, the strongest first."""
    if row is None or not row.size:
        return
    for token in row.checksum.split(" "):
        if token.partition(":")[0] in _IDENTIFYING:
            yield token, row.size


def _contradict(went: Change, came: Change) -> bool:
    if went.old is None or came.new is None:
        return True
    if went.old.checksum == came.new.checksum:
        return False  # as with most; parsing takes longer than all else here
    return went.old.tokens.contradicts(came.new.tokens)


def _renamed(went: Change, came: Change) -> Change:
    return replace(came, kind=ChangeKind.RENAMED, old=went.old, old_artifact=went.artifact)


def _artifact_and_name(change: Change) -> Hashable:
    return change.artifact, _file_name(change)


def _artifact(change: Change) -> Hashable:
    return change.artifact


def _file_name(change: Change) -> Hashable:
    return change.path.rpartition("/")[2]


def _anything(_: Change) -> Hashable:
    return None
