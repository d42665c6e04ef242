"""Objects in S3, and in servers that speak as S3 does.

botocore lists, describes and signs; ``stores/transfer`` moves the bytes. Modules::

    records   what a page usually has, read without an XML parser
    pages     text of one page of a listing -> values
    listing   pages -> live objects, or an error if they cannot be believed
    scan      the ways to list a bucket
    heads     one object
    retention what a bucket's settings say about how long objects stay
    session   credentials, endpoint and region of one bucket
    failures  what botocore and S3 say -> StoreError
    store     S3Store
"""

from artlock.stores.s3.store import S3Store

__all__ = ["S3Store"]
