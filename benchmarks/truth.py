"""What a folder should hold, and what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How a folder differs from what was pinned; counts of files.

    Attributes:
        right: Files with the bytes that were pinned.
        wrong: Files with other bytes.
        missing: Files that are not there.
        extra: Files that nobody asked for.
    """

    right: int
    wrong: int
    missing: int
    extra: int

    @property
    def is_exact(self) -> bool:
        """Whether every byte is as it was pinned."""
        return not (self.wrong or self.missing or self.extra)

    def __str__(self) -> str:
        if self.is_exact:
            return "exact"
        counts = {"wrong": self.wrong, "missing": self.missing, "extra": self.extra}
        return ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)


def digest_file(path: Path) -> str:
    """Return the BLAKE3 digest of a file's bytes."""
    return blake3().update_mmap(path).hexdigest()


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of each file below a folder, by its path in it."""
    return {
        path.relative_to(folder).as_posix(): digest_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def compare(folder: Path, pinned: Mapping[str, str]) -> Delivery:
    """Hold a folder against the digests that were pinned."""
    found = digests(folder) if folder.is_dir() else {}
    right = sum(found.get(path) == digest for path, digest in pinned.items())
    present = len(found.keys() & pinned.keys())
    return Delivery(
        right=right,
        wrong=present - right,
        missing=len(pinned) - present,
        extra=len(found) - present,
    )
