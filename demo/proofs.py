"""Compare files and lockfile rows with the originals, without asking artlock."""

import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path

from blake3 import blake3

from demo.stage import checked, expect

Row = tuple[str, int, str, str]
"""Path, size, checksum, version: one line of the lockfile."""


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def same_bytes(folder: Path, originals: Mapping[str, Path]) -> None:
    """Insist that a folder holds exactly the originals.

    Raises:
        SurpriseError: A file is missing, too many, or has other bytes.
    """
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    expect(found == set(originals), f"`{folder}` holds {sorted(found)}")
    for path, original in originals.items():
        expect(
            (folder / path).read_bytes() == original.read_bytes(),
            f"`{path}` has other bytes",
        )
    checked(f"{folder.name}: {len(found)} of {len(originals)} files equal, byte for byte")


def rows_of(lockfile: Path) -> dict[str, list[Row]]:
    """Read a lockfile with Python's own TOML parser, as anybody can."""
    content = tomllib.loads(lockfile.read_text("utf-8"))
    return {
        artifact["name"]: [(*row,) for row in artifact["objects"]]
        for artifact in content["artifact"]
    }


def every_object_locked(
    rows: list[Row], originals: Mapping[str, Path], versions: Mapping[str, str]
) -> None:
    """Insist that rows are the originals: size, digest where there is one, version.

    Args:
        rows: Of one artifact.
        originals: What was put there.
        versions: What the store itself says; no key where it keeps no versions.

    Raises:
        SurpriseError: They are not.
    """
    expect({row[0] for row in rows} == set(originals), "rows and objects differ")
    for path, size, tokens, version in rows:
        data = originals[path].read_bytes()
        expect(size == len(data), f"`{path}` is locked with another size")
        expect(bool(tokens), f"`{path}` is locked without a checksum")
        for token in tokens.split():
            algorithm, _, value = token.partition(":")
            _expect_token(path, algorithm, value, data)
        expect(version == versions.get(path, ""), f"`{path}` is locked in another version")


def _expect_token(path: str, algorithm: str, value: str, data: bytes) -> None:
    computed = {
        "blake3": lambda: blake3(data).hexdigest(),
        "md5": lambda: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    }
    if algorithm in computed:
        expect(
            value == computed[algorithm](), f"`{path}` is locked with a wrong {algorithm}"
        )
