"""Rows as values of the types that they should be of.

SQLite keeps any value in any column, and a file that came from anybody may lack the
constraints that it should have: nothing that a query gives is believed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from artlock.tracking.registry.failures import damaged

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

    from artlock.errors import IntegrityError

T = TypeVar("T")
URL = "artlock_url"
"""Where ``Connection.info`` has the URL of the registry; ``Database`` sets it."""


def rows_of(connection: Connection, query: Select[Any], into: type[T]) -> list[T]:
    """Return what a query finds, each row as a value.

    Args:
        connection: Lent by ``Database``.
        query: Its parameters are in the range of their columns.
        into: A tuple, or a structure of the form of one.

    Raises:
        IntegrityError: A row is of other types.
    """
    try:
        found = [tuple(row) for row in connection.execute(query)]
        return msgspec.convert(found, list[into])  # type: ignore[valid-type] # a value here
    # What SQLAlchemy makes of columns of bytes and of yes and no takes not everything;
    # the errors of msgspec are a ValueError.
    except (TypeError, ValueError) as error:
        raise _damaged(connection, str(error)) from error


def value_of(connection: Connection, query: Select[Any], into: type[T]) -> T | None:
    """Return the only value that a query of one column finds, or ``None`` for no row.

    Raises:
        IntegrityError: There are more rows, or it is of another type.
    """
    found = rows_of(connection, query, tuple[into])  # type: ignore[valid-type] # as above
    if len(found) > 1:
        raise _damaged(connection, f"{len(found)} rows where there is one at most")
    return found[0][0] if found else None


def _damaged(connection: Connection, actual: str) -> IntegrityError:
    url = str(connection.info.get(URL, ""))
    return damaged(url, "a row", "values of its columns", actual)
