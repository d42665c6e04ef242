"""Where everything in the cache lies.

::

    <cache>/
        CACHEDIR.TAG                        tells backup programs to leave it out
        v1/
            blobs/blake3/ab/<62 hex>        verified bytes, named by digest, mode 0444
            tmp/<temporary>                 bytes on their way in
            partial/<32 hex>/<temporary>    large objects on their way in; their journals
            quarantine/<64 hex>-<random>    blobs that were found damaged
            gc/<64 hex>-<random>            blobs that nobody needs, on their way out
            projects/<32 hex>               paths of the projects that use the cache
            projects/<32 hex>.needs         which blobs each of them needed last
            projects/<32 hex>.missed        since when each has not been found
            index.sqlite                    which row gave which blob; blobs read again
            mutex                           shared by who uses blobs, alone to remove them

``v1`` is the version of this layout. An artlock that wants another one makes another folder
beside it, and neither touches the other's (hazard 3.26).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from artlock.errors import CacheError
from artlock.fs.mutex import WAIT_S, Mutex
from artlock.fs.problems import raising
from artlock.model.digest import Digest, DigestAlgorithm

VERSION = "v1"
OPTION = "--cache-dir"
"""What to name in a hint when another place is the way out."""
_TAG_NAME = "CACHEDIR.TAG"
_TAG = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n"
    b"# This folder is a cache of artlock. See https://bford.info/cachedir/\n"
)
_FOLDERS = ("blobs", "blobs/blake3", "tmp", "partial", "quarantine", "gc", "projects")


def default_root(environment: Mapping[str, str]) -> Path:
    """Return where the cache is if nobody says otherwise.

    ``ARTLOCK_CACHE_DIR``, else ``artlock`` in ``XDG_CACHE_HOME`` (``LOCALAPPDATA`` on
    Windows), else ``~/.cache/artlock``. XDG: a relative path there is to be ignored.
    """
    own = environment.get("ARTLOCK_CACHE_DIR")
    if own:
        return Path(own).absolute()
    variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME"
    base = environment.get(variable, "")
    if Path(base).is_absolute():
        return Path(base) / "artlock"
    home = environment.get("HOME")
    return (Path(home) if home else Path.home()) / ".cache" / "artlock"


class CacheLayout(msgspec.Struct, frozen=True):
    """The paths of one cache.

    Attributes:
        root: The cache; absolute.
    """

    root: Path

    @property
    def home(self) -> Path:
        """The folder of this version."""
        return self.root / VERSION

    @property
    def blobs(self) -> Path:
        """The folder of all blobs."""
        return self.home / "blobs" / "blake3"

    @property
    def temporary(self) -> Path:
        """The folder of bytes on their way in."""
        return self.home / "tmp"

    @property
    def partial(self) -> Path:
        """The folder of large objects on their way in."""
        return self.home / "partial"

    @property
    def quarantine(self) -> Path:
        """The folder of damaged blobs."""
        return self.home / "quarantine"

    @property
    def discarded(self) -> Path:
        """The folder of blobs on their way out."""
        return self.home / "gc"

    @property
    def projects(self) -> Path:
        """The folder that knows the projects."""
        return self.home / "projects"

    @property
    def index(self) -> Path:
        """The database of what is remembered."""
        return self.home / "index.sqlite"

    def blob(self, digest: Digest) -> Path:
        """Return where the blob of a digest is, if it is there.

        Raises:
            CacheError: The digest is not a BLAKE3 digest; blobs have no other names.
        """
        return self.home / blob_name(digest)

    def digest_of(self, path: Path) -> Digest | None:
        """Return the digest of the blob that is at ``path``; ``None`` if blobs are not."""
        if path.parent.parent != self.blobs:
            return None
        try:
            return Digest(DigestAlgorithm.BLAKE3, path.parent.name + path.name)
        except ValueError:
            return None  # something else lies there

    def mutex(self, *, purpose: str, shared: bool = True, wait_s: float = WAIT_S) -> Mutex:
        """Return the mutex: shared while blobs are used, not shared to remove them."""
        path = self.home / "mutex"
        return Mutex(path, purpose=purpose, wait_s=wait_s, shared=shared, kind=CacheError)

    def prepare(self) -> None:
        """Make what is missing, readable by this user alone.

        Raises:
            CacheError: It cannot be made, or others could change what is in it.
        """
        with raising(CacheError, f"cannot make the cache `{self.root}`", option=OPTION):
            for folder in (self.root, self.home):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._refuse_foreign(folder)
            for name in _FOLDERS:
                (self.home / name).mkdir(mode=0o700, exist_ok=True)
            (self.home / "mutex").touch(mode=0o600)
            tag = self.root / _TAG_NAME
            if not tag.exists():
                tag.touch(mode=0o600)
                tag.write_bytes(_TAG)

    def _refuse_foreign(self, folder: Path) -> None:
        """Refuse a folder in which others could put bytes under our names (hazard 3.19)."""
        found = folder.stat()
        if sys.platform == "win32":  # pragma: no cover - Windows has no owner ids
            return
        if found.st_uid not in {os.geteuid(), 0}:
            message = f"the cache `{folder}` belongs to another user"
            raise CacheError(message, hint=f"choose another one with `{OPTION}`")
        if found.st_mode & 0o022:
            message = f"others can write to the cache `{folder}`"
            raise CacheError(message, hint=f"run `chmod go-w {folder}`")

    def other_versions(self) -> tuple[Path, ...]:
        """Return folders of layouts that this artlock does not know, sorted.

        Raises:
            CacheError: The cache cannot be read.
        """
        with raising(CacheError, f"cannot read the cache `{self.root}`"):
            if not self.root.exists():
                return ()
            return tuple(
                sorted(
                    path
                    for path in self.root.iterdir()
                    if path.is_dir() and path.name != VERSION
                )
            )


def blob_name(digest: Digest) -> str:
    """Return the path of a blob below ``CacheLayout.home``, with ``/`` between segments.

    Raises:
        CacheError: The digest is not a BLAKE3 digest; blobs have no other names.
    """
    if digest.algorithm is not DigestAlgorithm.BLAKE3:
        message = f"blobs are named by BLAKE3, not by `{digest.algorithm}`"
        raise CacheError(message)
    return f"blobs/blake3/{digest.hex[:2]}/{digest.hex[2:]}"
