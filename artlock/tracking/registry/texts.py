"""Which text both databases can keep."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from artlock.model.registration import Labels, Provenance, Run

ODD = re.compile(r"[\0\ud800-\udfff]")
"""PostgreSQL has no zero character in text, and UTF-8 no half of a pair."""
_MOST_KEY = 1024
"""Bytes of what is looked for; an index of PostgreSQL takes some 2,700 bytes."""


def problem_with_text(*texts: str | None) -> str | None:
    """Return why one of the texts cannot be kept, or ``None``."""
    for text in texts:
        if text is not None and ODD.search(text):
            return f"{text[:80]!a} has a zero character, or half of a surrogate pair"
    return None


def words_of(
    provenance: Provenance, labels: Labels, run: Run | None
) -> Iterator[str | None]:
    """Yield all the text that comes with a registration from people and services."""
    yield from (provenance.time, provenance.commit, provenance.remote, provenance.author)
    yield from (*labels.aliases, *labels.tags)
    for pair in labels.meta:
        yield from pair
    if run is not None:
        yield from (run.id, run.service)


def problem_with_keys(labels: Labels, run: Run | None) -> str | None:
    """Return why a label, a key of the metadata or a run cannot be kept, or ``None``."""
    keys = [*labels.aliases, *labels.tags, *(key for key, _ in labels.meta)]
    if run is not None:
        keys += [run.id, run.service]
    for key in keys:
        if len(key.encode("utf-8", "surrogatepass")) > _MOST_KEY:
            return f"`{key[:40]}…` is longer than {_MOST_KEY} bytes"
    return None
