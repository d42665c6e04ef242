"""A lockfile for data in S3, GCS, on the web and in files.

``artifacts.toml`` declares remote data, ``artifacts.lock`` pins every object of it,
and the bytes that are delivered are the bytes that were locked, or none.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
