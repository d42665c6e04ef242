"""Registries of pooch: ``NAME HASH [URL]`` on a line; ``#`` begins a comment.

A hash is SHA-256 unless it says otherwise, as in ``md5:14f3…``. Sizes are not told, so the
objects have to be read before they can be locked.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from urllib.parse import quote

from artlock.formats.imports.faults import refuse, uri_of
from artlock.model.imports import PinnedObject, Pins

_FIELDS = {2, 3}
_HEX = re.compile(r"[0-9a-f]+")


def read_pooch(content: str, name: str, base: str | None) -> Pins:
    """Read a registry.

    Args:
        content: Its text.
        name: What it is called in messages.
        base: The registry's base URL, for lines without a URL of their own.

    Raises:
        ConfigError: It is damaged, or a URL is missing.
    """
    objects = []
    for number, line in enumerate(content.splitlines(), 1):
        at = f"`{name}:{number}`"
        if line.strip().startswith("#"):
            continue
        try:
            fields = shlex.split(line)
        except ValueError:
            refuse(at, "has a quotation mark without its other one")
        if fields:
            objects.append(_object(fields, at, base))
    if not objects:
        refuse(f"`{name}`", "has no entries")
    return Pins(objects=tuple(objects))


def _object(fields: list[str], at: str, base: str | None) -> PinnedObject:
    if len(fields) not in _FIELDS:
        refuse(at, "is not `NAME HASH [URL]`")
    path, known, *rest = fields
    digest = _digest(known.lower(), at)
    if rest:
        uri = uri_of(rest[0], at)
    elif base is None:
        refuse(at, "has no URL", hint="give the registry's base URL with `--base`")
    else:
        root = uri_of(base, "`--base`").as_tree()
        # Only the keys of the web are percent-encoded as they stand in a URI.
        below = quote(path) if root.scheme in {"http", "https"} else path
        uri = uri_of(str(root.child(below)), at)
    return PinnedObject(path=path, uri=uri, digest=digest)


def _digest(known: str, at: str) -> str:
    algorithm, colon, value = known.rpartition(":")
    algorithm = algorithm if colon else "sha256"
    if algorithm not in hashlib.algorithms_guaranteed or algorithm.startswith("shake"):
        refuse(at, f"has a hash of `{algorithm}`, which cannot be compared here")
    if len(value) != 2 * hashlib.new(algorithm).digest_size or not _HEX.fullmatch(value):
        refuse(at, f"has no hash of `{algorithm}`")
    return f"{algorithm}:{value}"
