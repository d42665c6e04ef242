"""Targets: what artlock keeps for itself, and somebody else may have written."""

import math
from collections.abc import Iterable, Iterator

import msgspec
from blake3 import blake3

from artlock.cache.layout import CacheLayout
from artlock.cache.ranges import _RECORD, PartialFile
from artlock.cache.statindex import _MAGIC, WorkspaceIndex, _Columns
from artlock.errors import IntegrityError
from artlock.model.tokens import Tokens
from torture.memory import memory_folder

TRUTH = blake3(b"what is in the store").digest(length=300)
RANGE = 64
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
            len(TRUTH),
            tokens=Tokens.parse(f"blake3:{blake3(TRUTH).hexdigest()}"),
            subject="s3://bucket/key",
            range_length=RANGE,
        ) as partial:
            missing = partial.missing()
            for start, length in missing:
                partial.write(start, [TRUTH[start : start + length]])
            assert partial.missing() == []
            (own,) = (p for p in folder.glob("*.part") if p.stem != "left")
            written = own.read_bytes()
            try:
                partial._check.finish()  # noqa: SLF001 - what `finish` believes
            except IntegrityError:
                assert written != TRUTH
            else:
                assert written == TRUTH
            for start, _, digest in _believed(notes, missing):
                assert blake3(written[start : start + RANGE]).digest() == digest
    return len(missing) < math.ceil(len(TRUTH) / RANGE)


def _believed(
    notes: bytes, missing: Iterable[tuple[int, int]]
) -> Iterator[tuple[int, int, bytes]]:
    """Yield the record of each range that was adopted."""
    absent = {start for start, _ in missing}
    whole = notes[: len(notes) - len(notes) % _RECORD.size]
    claims: dict[int, list[tuple[int, int, bytes]]] = {}
    for record in _RECORD.iter_unpack(whole):
        claims.setdefault(record[0], []).append(record)
    for start in range(0, len(TRUTH), RANGE):
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
