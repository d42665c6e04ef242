"""Rows of a lockfile: made up, read and written.

``python -m benchmarks.rows VERB ... FILE``. The verbs that read and write measure only
that, and print the seconds.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from artlock.formats.lockfile import format_lockfile, parse_lockfile
from artlock.model.lock import LockedObject, Lockfile
from benchmarks.timing import INSIDE

_CHANGED = 100
_FOLDERS = 1000


def _fill(count: str, path: str) -> None:
    """Replace the rows of the only artifact by ``count`` others."""
    chance = random.Random(count)
    rows = [
        LockedObject(
            path=f"d{number * _FOLDERS // int(count):03}/f{number:07}.bin",
            size=chance.randrange(10_000_000),
            checksum=f"blake3:{_hex(chance, 32)} etag:{_hex(chance, 16)}",
            version=_hex(chance, 16),
        )
        for number in range(int(count))
    ]
    _replace_rows(Path(path), rows)


def _hex(chance: random.Random, length: int) -> str:
    return chance.randbytes(length).hex()


def _change(path: str) -> None:
    """Give one row of a hundred another size."""
    rows = [
        replace(row, size=row.size + 1) if number % _CHANGED == 0 else row
        for number, row in enumerate(_rows(Path(path)))
    ]
    _replace_rows(Path(path), rows)


def _lines(goal: str, path: str) -> None:
    """Write the rows as JSON lines."""
    rows = _rows(Path(path))
    Path(goal).write_bytes(msgspec.json.Encoder().encode_lines(rows))


def _read_lock(path: str) -> None:
    text = Path(path).read_bytes()
    _measure(lambda: parse_lockfile(text))


def _write_lock(path: str) -> None:
    lock = parse_lockfile(Path(path).read_bytes())
    _measure(lambda: format_lockfile(lock))


def _read_lines(path: str) -> None:
    text = Path(path).read_bytes()
    decoder = msgspec.json.Decoder(LockedObject)
    _measure(lambda: decoder.decode_lines(text))


def _write_lines(path: str) -> None:
    rows = msgspec.json.Decoder(LockedObject).decode_lines(Path(path).read_bytes())
    encoder = msgspec.json.Encoder()
    _measure(lambda: encoder.encode_lines(rows))


def _measure(deed: Callable[[], object]) -> None:
    started = time.perf_counter()
    deed()
    print(INSIDE, time.perf_counter() - started)


def _lock(path: Path) -> Lockfile:
    return parse_lockfile(path.read_bytes())


def _rows(path: Path) -> tuple[LockedObject, ...]:
    (artifact,) = _lock(path).artifacts
    return tuple(artifact.objects)


def _replace_rows(path: Path, rows: list[LockedObject]) -> None:
    lock = _lock(path)
    (artifact,) = lock.artifacts
    filled = replace(lock, artifacts=(replace(artifact, objects=tuple(rows)),))
    path.write_bytes(format_lockfile(filled))


_VERBS: dict[str, Callable[..., None]] = {
    "fill": _fill,
    "change": _change,
    "lines": _lines,
    "read-lock": _read_lock,
    "write-lock": _write_lock,
    "read-lines": _read_lines,
    "write-lines": _write_lines,
}

if __name__ == "__main__":
    verb, *arguments = sys.argv[1:]
    _VERBS[verb](*arguments)
