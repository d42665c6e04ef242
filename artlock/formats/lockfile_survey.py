"""A lockfile judged without keeping its rows: its heads, and a tally of each artifact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.formats.lockfile_cuts import end_of_part, name_of_part
from artlock.formats.lockfile_faults import Spot
from artlock.formats.lockfile_pieces import (
    Proof,
    are_apart,
    are_proven,
    cut_rows,
    decode_rows,
    proof_of,
)
from artlock.formats.lockfile_read import lock_of_rest, outline_of, read_lockfile
from artlock.model.paths import collisions
from artlock.model.tally import Tally

if TYPE_CHECKING:
    from artlock.formats.lockfile_parts import LockText
    from artlock.formats.lockfile_read import Outline
    from artlock.model.lock import Lockfile


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What a valid lockfile says beside its rows.

    Attributes:
        lock: Its artifacts, without their rows.
        tallies: Of the rows of each artifact, in the same order.
        rest: The text without its rows if it is canonical, else ``None``.
        oddity: In what its parts or its frame are not as artlock writes them; ``None`` if
            they are, or it has none.
    """

    lock: Lockfile
    tallies: tuple[Tally, ...]
    rest: bytes | None
    oddity: str | None = None

    @property
    def is_canonical(self) -> bool:
        """Whether the text is byte for byte what artlock writes."""
        return self.rest is not None


Share = Callable[
    [Callable[[int], bytes], Sequence[int], Callable[[int, bytes], None]], None
]
"""Calls the first with each number, in any order and perhaps in several processes, and the
last with each number and what came of it: ``engine.forks.share_out``."""


class _Judged(msgspec.Struct, frozen=True, array_like=True):
    proof: Proof
    tally: Tally


def one_by_one(
    work: Callable[[int], bytes],
    items: Sequence[int],
    take: Callable[[int, bytes], None],
) -> None:
    """Do the work here, in order: a ``Share``."""
    for item in items:
        take(item, work(item))


def survey_lockfile(
    data: bytes, *, name: str = "artifacts.lock", share: Share = one_by_one
) -> Survey:
    """Judge a lockfile exactly as ``read_lockfile`` does, and drop the rows.

    Canonical text is judged piece by piece, and no more than a piece is in memory twice;
    where that leaves a doubt the text is read as a whole.

    Args:
        data: The whole text.
        name: What the text is, for messages.
        share: What the pieces are shared out by.

    Raises:
        ArtlockError: As ``read_lockfile``.
    """
    outline = outline_of(data, Spot(name))
    tallies = None if outline is None else _proven(data, outline, share)
    if outline is not None and tallies is not None:
        return Survey(lock=outline.lock, tallies=tallies, rest=outline.rest)
    reading = read_lockfile(data, name=name)
    artifacts = reading.lock.artifacts
    return Survey(
        lock=replace(
            reading.lock, artifacts=tuple(replace(a, objects=()) for a in artifacts)
        ),
        tallies=tuple(Tally.of(artifact.objects) for artifact in artifacts),
        rest=outline.rest if outline is not None and reading.is_canonical else None,
    )


def survey_text(
    text: LockText, *, name: str = "artifacts.lock", share: Share = one_by_one
) -> Survey:
    """Judge a lockfile with its parts, and how they are cut and named.

    Args:
        text: The lockfile.
        name: What it is, for messages.
        share: What the work is shared out by.

    Raises:
        ArtlockError: As ``read_lockfile``.
    """
    found = survey_lockfile(text.data, name=name, share=share)
    oddity = text.oddity
    if oddity is None and found.is_canonical and text.blocks:
        oddity = _oddity_of_parts(text, share)
    return replace(found, oddity=oddity)


def _oddity_of_parts(text: LockText, share: Share) -> str | None:
    parts = [
        (part, place, block[-1][1].stop, index == 0)
        for block in text.blocks
        for index, (part, place) in enumerate(block)
    ]
    odd: list[int] = []

    def work(number: int) -> bytes:
        part, place, stop, is_first = parts[number]
        end = end_of_part(text.data, place.start, stop)
        name = name_of_part(text.data, place.start, is_first=is_first)
        return b"" if (end, name) == (place.stop, part.name) else b"odd"

    def take(number: int, result: bytes) -> None:
        if result:
            odd.append(number)

    share(work, range(len(parts)), take)
    if not odd:
        return None
    artifact = parts[min(odd)][0].artifact
    return f"the parts of `{artifact}` are not cut as artlock cuts them"


def survey_again(rest: bytes, tallies: tuple[Tally, ...]) -> Survey | None:
    """Return the survey that had this rest and these tallies; ``None`` if none had."""
    lock = lock_of_rest(rest, Spot("artifacts.lock"))
    if lock is None or len(lock.artifacts) != len(tallies):
        return None
    return Survey(lock=lock, tallies=tallies, rest=rest)


def _proven(data: bytes, outline: Outline, share: Share) -> tuple[Tally, ...] | None:
    """Return the tallies of artifacts in whose rows there certainly is nothing wrong."""
    pieces = [
        (artifact, piece)
        for artifact, block in zip(outline.lock.artifacts, outline.blocks, strict=True)
        for piece in cut_rows(block, data)
    ]
    judged: dict[int, _Judged] = {}
    has_doubt = False

    def work(number: int) -> bytes:
        artifact, piece = pieces[number]
        rows = None if has_doubt else decode_rows(data[piece])
        proof = None if rows is None else proof_of(rows, artifact)
        if rows is None or proof is None:
            return b""
        return msgspec.msgpack.encode(_Judged(proof, Tally.of(rows)))

    def take(number: int, result: bytes) -> None:
        nonlocal has_doubt
        if result:
            judged[number] = msgspec.msgpack.decode(result, type=_Judged)
        else:
            has_doubt = True

    share(work, range(len(pieces)), take)
    if has_doubt:
        return None
    proofs: dict[str, list[Proof]] = {a.name: [] for a in outline.lock.artifacts}
    tallies = dict.fromkeys(proofs, Tally())
    for number, (artifact, _) in enumerate(pieces):
        proofs[artifact.name].append(judged[number].proof)
        tallies[artifact.name] += judged[number].tally
    for artifact, block in zip(outline.lock.artifacts, outline.blocks, strict=True):
        own = proofs[artifact.name]
        if not are_proven(own, artifact, tallies[artifact.name].objects):
            return None
        if not are_apart(own) and collisions(_paths(data, block)):
            return None
    return tuple(tallies.values())


def _paths(data: bytes, block: slice) -> list[str]:
    return [
        row.path
        for piece in cut_rows(block, data)
        for row in decode_rows(data[piece]) or ()
    ]
