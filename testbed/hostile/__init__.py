"""A store that does everything wrong that a store can, when a test says so.

Without such orders it keeps to the protocols: the contract suite of artlock's stores runs
against it beside other servers, so that it cannot lie. Modules::

    uploads     how an object was written: its etag and checksums
    history     a bucket: states, rules, pages, as data
    order       entries in the order of a listing, cut into pages
    s3          what S3 answers: objects and buckets
    s3_pages    what S3 answers to listings
    gcs         what GCS answers: JSON for listings and descriptions, bytes as XML's API
    gcs_pages   what GCS answers to listings
    server      the listeners, with faults of ``testbed/faults.py``

Source: botocore's service model of S3 and S3's API reference; the JSON and XML APIs of
Google Cloud Storage.
"""

from testbed.hostile.history import Bucket, Pages, Policy, State
from testbed.hostile.server import HostileGcs, HostileS3, HostileServer
from testbed.hostile.uploads import Upload

__all__ = [
    "Bucket",
    "HostileGcs",
    "HostileS3",
    "HostileServer",
    "Pages",
    "Policy",
    "State",
    "Upload",
]
