"""Rows for programs: a JSON document or a line of CSV for each object.

::

    {"schema":"artlock.row/1","artifact":"encoder","kind":"tree","path":"config.json",
     "file":"data/encoder/config.json","uri":"s3://models/minilm/config.json","size":14,
     "checksum":"blake3:2e02…","version":"3HL4…","trust":"strong"}

each on one line. An artifact without objects, such as a link, has one line too, whose
``path``, ``file`` and what follows ``uri`` are ``null``, or empty in CSV.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from artlock.model.exports import Export

COLUMNS = (
    "artifact",
    "kind",
    "path",
    "file",
    "uri",
    "size",
    "checksum",
    "version",
    "trust",
)
"""In this order, in both forms."""
_SCHEMA = "artlock.row/1"


def as_jsonl(export: Export) -> Iterator[str]:
    """Yield a line for each object, in ASCII."""
    for cells in _rows(export):
        document = {"schema": _SCHEMA, **dict(zip(COLUMNS, cells, strict=True))}
        yield json.dumps(document, separators=(",", ":")) + "\n"


def as_csv(export: Export) -> Iterator[str]:
    r"""Yield a line of names, then one for each object (RFC 4180, but lines end in ``\n``).

    A cell is what was locked and nothing else: a name that begins with ``=`` stays as it
    is, and a spreadsheet may take it for a formula.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for cells in (COLUMNS, *_rows(export)):
        writer.writerow(cells)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def _rows(export: Export) -> Iterator[tuple[object, ...]]:
    for artifact in export.artifacts:
        head = (artifact.name, str(artifact.kind))
        if not artifact.files:
            yield (*head, None, None, str(artifact.uri), None, None, None, None)
        for file in artifact.files:
            row = file.row
            yield (
                *head,
                row.path,
                file.target,
                str(file.uri),
                row.size,
                row.checksum,
                row.version,
                str(row.trust),
            )
