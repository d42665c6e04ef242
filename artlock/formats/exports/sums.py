"""Lists for ``sha256sum --check`` and ``b3sum --check``: a digest, two spaces, a file.

Names have neither line breaks nor backslashes (``model/paths.py``), so none is escaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from artlock.model.exports import Export, ExportedFile


def value_of(file: ExportedFile, algorithm: str) -> str | None:
    """Return the token of that algorithm, in hex; ``None`` if the row has none."""
    for token in file.row.checksum.split(" "):
        name, _, value = token.partition(":")
        if name == algorithm:
            return value
    return None


def refuse_without(export: Export, *algorithms: str) -> None:
    """Refuse rows that have none of some tokens, so that no list is less than it seems.

    Raises:
        ConfigError: There are some.
    """
    lacking = [
        f"{artifact.name}/{file.row.path}"
        for artifact, file in export.files()
        if all(value_of(file, algorithm) is None for algorithm in algorithms)
    ]
    if lacking:
        names = " or ".join(f"`{algorithm}`" for algorithm in algorithms)
        more = f" and {len(lacking) - 1:,} more" if len(lacking) > 1 else ""
        message = f"`{lacking[0]}`{more} have no {names} token in `artifacts.lock`"
        raise ConfigError(message, hint=_way_out(algorithms))


def _way_out(algorithms: tuple[str, ...]) -> str:
    if "sha256" in algorithms:
        return "run `artlock sync`, then add `--sha256`, which reads what the cache has"
    return "`artlock resolve --hash` reads objects that have no digest"


def sums(algorithm: str) -> Callable[[Export], Iterator[str]]:
    """Return what writes the list of one algorithm.

    What it returns raises ``ConfigError`` if a row has no such token.
    """

    def lines(export: Export) -> Iterator[str]:
        refuse_without(export, algorithm)
        for _, file in export.files():
            yield f"{value_of(file, algorithm)}  {file.target}\n"

    return lines
