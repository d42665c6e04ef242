"""Move bytes out of buckets: the only place that knows obstore.

One ``Transfer`` reads one bucket. obstore releases the GIL, so threads that share a
transfer read in parallel. Its retries are off: ``stores/retry.py`` alone decides about
them. Whatever the environment says (obstore would read ``AWS_*`` and ``GOOGLE_*`` by
itself), only the arguments of an adapter count. Modules::

    answers   what an answer says of itself, compared with what was asked; no obstore
    clients   obstore's clients for S3 and GCS
    reader    Transfer

Source: obstore 0.12 over object_store 0.14, as observed by ``tests/unit/stores``: it strips
slashes at both ends of a key, cuts a range that ends beyond the object, asks no etag of an
answer, and reports most failures as one class with the cause in the text.
"""

from artlock.stores.transfer.answers import (
    PORTAL_HINT,
    Refine,
    Refusal,
    changed,
    check_answer,
    is_same_etag,
    is_strong,
    short_body,
    unquoted,
)
from artlock.stores.transfer.clients import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    Keys,
    gcs_client,
    s3_client,
)
from artlock.stores.transfer.reader import (
    CHUNK_SIZE,
    WHOLE_SIZE,
    Transfer,
    is_addressable,
)

__all__ = [
    "CHUNK_SIZE",
    "CONNECT_TIMEOUT",
    "PORTAL_HINT",
    "READ_TIMEOUT",
    "WHOLE_SIZE",
    "Keys",
    "Refine",
    "Refusal",
    "Transfer",
    "changed",
    "check_answer",
    "gcs_client",
    "is_addressable",
    "is_same_etag",
    "is_strong",
    "s3_client",
    "short_body",
    "unquoted",
]
