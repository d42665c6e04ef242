"""Objects in Google Cloud Storage, and in servers that speak as it does.

google-cloud-storage lists and describes; ``stores/transfer.py`` moves the bytes. What
Google calls a generation is a version here. Modules::

    session   endpoint and credentials
    failures  what Google's libraries and the service say -> StoreError
    listing   pages of a listing -> objects, or an error if they cannot be believed
    retention what settings and holds say about how long objects stay
    store     GcsStore
"""

from artlock.stores.gcs.store import GcsStore

__all__ = ["GcsStore"]
