"""Manifests of Weights & Biases artifacts, version 1: references to objects elsewhere.

::

    {"version": 1, "contents": {"a.txt": {"digest": "6654…", "size": 2,
        "ref": "s3://bkt/d/a.txt", "extra": {"etag": "6654…", "versionID": "3HL4…"}}}}
"""

from __future__ import annotations

import json

from artlock.formats.imports.faults import (
    etag_of,
    from_base64,
    mapping,
    md5,
    refuse,
    size_of,
    text,
    uri_of,
    version_of,
)
from artlock.model.imports import PinnedObject, Pins
from artlock.model.tokens import Tokens


def read_wandb(content: str, name: str) -> Pins:
    """Read a manifest.

    Raises:
        ConfigError: It is damaged, or an entry is kept by W&B itself.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        refuse(f"`{name}`", "is not JSON")
    document = mapping(found, f"`{name}`")
    if document.get("version") != 1:
        refuse(f"`{name}`", "is not a manifest of version 1")
    contents = mapping(document.get("contents"), f"`{name}`: contents")
    if not contents:
        refuse(f"`{name}`", "has no entries")
    entries = {path: mapping(entry, _at(name, path)) for path, entry in contents.items()}
    stored = [path for path, entry in entries.items() if entry.get("ref") is None]
    if stored:
        problem = f"{len(stored)} entries, such as `{stored[0]}`, are kept by W&B itself"
        hint = (
            "download them with `wandb artifact get`, and keep them where artlock can read"
        )
        refuse(f"`{name}`", problem, hint=hint)
    return Pins(objects=tuple(_object(name, *pair) for pair in entries.items()))


def _object(name: str, path: str, entry: dict[str, object]) -> PinnedObject:
    at = _at(name, path)
    extra = mapping(entry.get("extra") or {}, f"{at}.extra")
    uri = uri_of(text(entry["ref"], f"{at}.ref"), f"{at}.ref")
    tokens = Tokens()
    if uri.scheme in {"file", ""}:
        digest = from_base64(entry.get("digest"), "md5", f"{at}.digest")
        tokens = Tokens(checksums=md5(digest))
    elif uri.scheme != "gs":  # there it changes with the metadata, and no listing has it
        tokens = Tokens(etag=etag_of(extra.get("etag"), f"{at}.extra.etag"))
    return PinnedObject(
        path=path,
        uri=uri,
        size=size_of(entry.get("size"), f"{at}.size"),
        tokens=tokens,
        version=version_of(extra.get("versionID"), uri, f"{at}.extra.versionID"),
    )


def _at(name: str, path: str) -> str:
    return f"`{name}`: contents[{json.dumps(path)}]"
