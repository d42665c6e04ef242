"""Which adapter reads which scheme: the one table of stores.

An adapter is imported when its scheme is first met: botocore and Google's client take a
third of a second each.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from artlock.errors import StoreError
from artlock.stores.base import Store, StoreContext
from artlock.stores.retry import RetryBudget, Retrying

if TYPE_CHECKING:
    from artlock.model.manifest import Access
    from artlock.model.uri import Uri

Opener = Callable[["Uri", StoreContext], Store]


def _open_s3(uri: Uri, context: StoreContext) -> Store:
    from artlock.stores.s3 import S3Store

    return S3Store(uri, context)


def _open_gcs(_uri: Uri, context: StoreContext) -> Store:
    from artlock.stores.gcs import GcsStore

    return GcsStore(context)


def _open_http(uri: Uri, context: StoreContext) -> Store:
    from artlock.stores.http import HttpStore

    return HttpStore(uri, context)


def _open_file(uri: Uri, context: StoreContext) -> Store:
    from artlock.stores.file import FileStore

    return FileStore(uri, context)


OPENERS: dict[str, Opener] = {
    "s3": _open_s3,
    "gs": _open_gcs,
    "http": _open_http,
    "https": _open_http,
    "file": _open_file,
    "": _open_file,
}
"""One line a scheme; ``""`` is a path relative to the project."""


def open_store(
    uri: Uri, context: StoreContext, *, budget: RetryBudget | None = None
) -> Store:
    """Return a store that reads ``uri`` and what is below it, and repeats failed reads.

    Nothing is asked yet, no credentials are looked for. Whoever opens a store closes it;
    one store serves every URI of the same ``store_key``.

    Args:
        uri: A declared source: no store reads beyond it, a bucket's or host's other keys
            excepted.
        context: What it needs from here.
        budget: Of repetitions, shared by all stores of a run.

    Raises:
        StoreError: No store reads this scheme.
    """
    opener = OPENERS.get(uri.scheme)
    if opener is None:
        message = f"no store reads `{uri.scheme}:`"
        hint = "such a source is a link: it is recorded, and never fetched"
        raise StoreError(message, uri=str(uri), hint=hint)
    return Retrying(opener(uri, context), budget=budget)


def store_key(uri: Uri, access: Access) -> Hashable:
    """Return what two sources have in common if one store may serve both.

    Buckets and hosts are one store each, because credentials and headers belong to them;
    declared paths of files are, because nothing beside them is read.
    """
    if uri.authority:
        return uri.scheme, uri.authority, access
    return uri.scheme, uri.key.removesuffix("/")
