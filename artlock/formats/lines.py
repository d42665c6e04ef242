"""Where something stands in the two files, for whoever points at a line."""

from __future__ import annotations

from artlock.formats.faults import render_string
from artlock.formats.toml_source import line_of

_HEAD = "[[artifact]]\n"


def line_of_declaration(manifest: str, artifact: str) -> int | None:
    """Return the line of an artifact's ``uri`` in a manifest, or of its table; from 1.

    The artifact must be declared there. ``None`` if the text cannot be scanned.
    """
    return line_of(manifest, ("artifacts", artifact, "uri"))


def line_of_row(lockfile: bytes, artifact: str, path: str = "") -> int | None:
    """Return the line of a row in the text of a lockfile, from 1.

    Text that is not canonical is searched in the same way, and may hide what it has.

    Args:
        lockfile: The text.
        artifact: Whose row.
        path: Of the row; empty for the artifact's head.

    Returns:
        The line of the head where there is no such row; ``None`` if there is no head.
    """
    lead = f"{_HEAD}name = {render_string(artifact)}\n".encode()
    head = 0 if lockfile.startswith(lead) else lockfile.find(b"\n" + lead) + 1
    if not head and not lockfile.startswith(lead):
        return None
    found = head
    if path:
        end = lockfile.find(f"\n{_HEAD}".encode(), head)
        row = f"\n[{render_string(path)},".encode()
        at = lockfile.find(row, head, end if end >= 0 else len(lockfile))
        found = at + 1 if at >= 0 else head
    return lockfile.count(b"\n", 0, found) + 1
