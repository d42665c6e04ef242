"""The rows of a lockfile: out of tables, and judged alike wherever they came from."""

from __future__ import annotations

from itertools import islice
from operator import ge
from typing import TYPE_CHECKING, NoReturn

from artlock.model.lock import MAX_SIZE, Kind, LockedObject
from artlock.model.tokens import problems_with_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artlock.formats.lockfile_faults import Spot

_VISIBLE = bytes(set(range(ord("!"), ord("~") + 1)) - set(b'"\\'))
"""ASCII without space, ``"`` and backslash, as S3's IDs and GCS's generations are."""
_MAX_VERSION = 1024
"""Longest version in bytes, as S3 has it."""


def rows_of(value: object, spot: Spot) -> tuple[LockedObject, ...]:
    """Build rows from what ``tomllib`` made of ``objects``.

    Raises:
        LockfileError: It is not a list of rows.
    """
    if not isinstance(value, list):
        spot.refuse("it has no `objects`")
    return tuple(_row(cells, index, spot) for index, cells in enumerate(value))


def _row(cells: object, index: int, spot: Spot) -> LockedObject:
    # `type`, not `isinstance`: true and false are no sizes.
    if not isinstance(cells, list) or [type(c) for c in cells] != [str, int, str, str]:
        wanted = '["path", size, "checksum", "version"]'
        spot.refuse(f"row {index + 1} is not of the form `{wanted}`")
    return LockedObject(*cells)


def check_rows(rows: Sequence[LockedObject], kind: Kind, spot: Spot) -> None:
    """Check what the format asks of rows; ``model.safety`` asks for more.

    Raises:
        LockfileError: Not sorted, doubled, a cell that is not valid, or too many or few.
    """
    check_part_of_rows(rows, spot)
    check_count(len(rows), kind, spot)


def check_part_of_rows(rows: Sequence[LockedObject], spot: Spot) -> None:
    """Check what the format asks of rows in a row, whatever stands above and below them.

    Raises:
        LockfileError: Not sorted, doubled, or a cell that is not valid.
    """
    paths = [row.path for row in rows]
    if any(map(ge, paths, islice(paths, 1, None))):
        _refuse_disorder(paths, spot)
    sizes = [row.size for row in rows]
    if rows and not 0 <= min(sizes) <= max(sizes) <= MAX_SIZE:
        index = next(i for i, size in enumerate(sizes) if not 0 <= size <= MAX_SIZE)
        problem = f"the size {sizes[index]} is not from 0 to 2^63-1"
        spot.at(f"row `{paths[index]}`").refuse(problem)
    for index, problem in problems_with_tokens([row.checksum for row in rows]):
        spot.at(f"row `{paths[index]}`").refuse(problem)
    versions = [row.version for row in rows]
    if not _are_versions(versions):
        index = next(i for i, v in enumerate(versions) if not _are_versions([v]))
        spot.at(f"row `{paths[index]}`").refuse("the version is none that a store gives")


def check_count(count: int, kind: Kind, spot: Spot) -> None:
    """Check how many rows an artifact has.

    Raises:
        LockfileError: Too many or too few for its kind.
    """
    if kind is Kind.LINK and count:
        spot.refuse("a link has no rows")
    if kind is Kind.FILE and count != 1:
        spot.refuse(f"a file has one row, not {count}")


def _refuse_disorder(paths: Sequence[str], spot: Spot) -> NoReturn:
    one, other = next(
        pair for pair in zip(paths, islice(paths, 1, None), strict=False) if ge(*pair)
    )
    if one == other:
        spot.refuse(f"row `{one}` is there twice")
    spot.refuse(f"row `{other}` stands behind `{one}`, but rows are sorted by path")


def _are_versions(versions: Sequence[str]) -> bool:
    """Tell whether all are versions; ``null`` is S3's word for none."""
    joined = "".join(versions)
    return (
        joined.isascii()
        and not joined.encode().translate(None, _VISIBLE)
        and max(map(len, versions), default=0) <= _MAX_VERSION
        and "null" not in versions
    )
