"""Read what W&B's client writes when it is offline: ``run-<id>.wandb``.

::

    ":W&B" E1 BE 00, then blocks of 32 KiB counted from the start of the file
    record   CRC-32 (LE), length (u16 LE), kind (1 whole, 2 first, 3 middle, 4 last), data
    data     a `Record` of W&B's protocol buffers

The rest of a block that has no room for a record's head is padding.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

_MESSAGES: Any = wandb_internal_pb2  # its types are made when it is imported
_HEADER = b":W&B\xe1\xbe\x00"
_BLOCK = 32 * 1024
_HEAD = struct.Struct("<IHB")
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def records(path: Path) -> Iterator[Any]:
    """Yield the records of a file.

    Raises:
        ValueError: It is no such file, or breaks off.

    """
    data = path.read_bytes()
    if not data.startswith(_HEADER):
        message = f"{path} has no header of W&B's"
        raise ValueError(message)
    pieces = b""
    for kind, piece in _pieces(data):
        pieces = piece if kind in {_WHOLE, _FIRST} else pieces + piece
        if kind in {_WHOLE, _LAST}:
            record = _MESSAGES.Record()
            record.ParseFromString(pieces)
            yield record


def _pieces(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = len(_HEADER)
    while at < len(data):
        left = _BLOCK - at % _BLOCK
        if left < _HEAD.size:
            at += left
            continue
        _, length, kind = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        if not _WHOLE <= kind <= _LAST or at + length > len(data):
            message = f"a record breaks off at {at}"
            raise ValueError(message)
        yield kind, data[at : at + length]
        at += length


def artifacts(folder: Path) -> list[Any]:
    """Return the artifact records of all runs below a folder, in the order of the runs."""
    return [
        record.artifact
        for path in sorted(folder.glob("offline-run-*/run-*.wandb"))
        for record in records(path)
        if record.HasField("artifact")
    ]
