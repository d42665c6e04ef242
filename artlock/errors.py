"""Every error that artlock raises on purpose, in one tree.

::

    ArtlockError                 exit  code
    +-- ConfigError               2    config-error
    |   +-- ManifestError         2    invalid-manifest
    |   +-- LockfileError         2    invalid-lockfile
    |       +-- LaterFormatError  2    invalid-lockfile
    |   +-- RefNotFoundError      2    ref-not-found
    |   +-- LaterRegistryError    2    later-registry
    +-- GitError                  2    git-error
    +-- StaleLockfileError        1    stale-lockfile
    +-- DirtyLockfileError        1    dirty-lockfile
    +-- ConflictError             1    conflict
    +-- IntegrityError            4    integrity-error
    +-- PolicyError               4    policy-error
    |   +-- UnsafePathError       4    unsafe-path
    +-- StoreError                3    store-error
    |   +-- ObjectNotFoundError   3    object-not-found
    |   |   +-- BucketNotFoundError 3  bucket-not-found
    |   +-- AccessDeniedError     3    access-denied
    |   |   +-- KeysExpiredError  3    access-denied
    |   +-- ObjectChangedError    4    object-changed
    |   +-- ObjectArchivedError   3    object-archived
    |   +-- StoreUnavailableError 3    store-unavailable
    +-- CacheError                3    cache-error
    |   +-- BlobMissingError      3    blob-missing
    +-- TrackingError             3    tracking-error
    |   +-- TrackerUnavailableError 3  tracker-unavailable
    |   +-- TrackerDeniedError    3    tracker-denied
    |   +-- RegistrationRefusedError 3 registration-refused
    +-- WorkspaceError            3    workspace-error
    +-- ManyErrors                *    the gravest of what it holds

An error is a fact, a place and a way out: ``message`` is one lower-case phrase without a
full stop, facts are attributes, ``hint`` is the next deed where there is one. Exit codes
follow ``docs/reference/errors.md``: 1 means that the answer is "no" and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable

EXIT_OK = 0
EXIT_NO = 1
EXIT_USAGE = 2
EXIT_INCOMPLETE = 3
EXIT_VIOLATION = 4
EXIT_INTERRUPTED = 130

_GRAVITY = (EXIT_VIOLATION, EXIT_INCOMPLETE, EXIT_USAGE, EXIT_NO)
"""Which exit code wins when several errors are reported together, gravest first."""


class ArtlockError(Exception):
    """The root of the tree; callers of the library catch this one.

    Attributes:
        code: A stable, searchable name of the failure.
        exit_code: What the process ends with.
        message: What went wrong and where; one lower-case phrase.
        hint: What to do next, or ``None``.
    """

    code: ClassVar[str] = "error"
    exit_code: int = EXIT_INCOMPLETE

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def facts(self) -> dict[str, object]:
        """Return what ``--json`` tells beside ``code``, ``message`` and ``hint``."""
        return {}


class PathsError(ArtlockError):
    """Some paths are the trouble; raised as one of the kinds below.

    Attributes:
        paths: Them.
    """

    def __init__(
        self, message: str, *, paths: Iterable[str], hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.paths = tuple(paths)

    def facts(self) -> dict[str, object]:
        """Return the paths."""
        return {"paths": list(self.paths)}


class ConfigError(ArtlockError):
    """A setting, flag or argument is not valid."""

    code = "config-error"
    exit_code = EXIT_USAGE


class ManifestError(ConfigError):
    """``artifacts.toml`` is missing or not valid."""

    code = "invalid-manifest"


class LockfileError(ConfigError):
    """``artifacts.lock`` is missing, not valid, or of a later format."""

    code = "invalid-lockfile"


class GitError(ArtlockError):
    """git is absent, this is not a repository, or a revision does not exist."""

    code = "git-error"
    exit_code = EXIT_USAGE


class LaterFormatError(LockfileError):
    """``artifacts.lock`` was written by a later artlock; making it anew would lose it."""


class RefNotFoundError(ConfigError):
    """A tracker has no such name, version or alias.

    Attributes:
        ref: What was asked for.
    """

    code = "ref-not-found"

    def __init__(self, message: str, *, ref: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.ref = ref

    def facts(self) -> dict[str, object]:
        """Return the ref."""
        return {"ref": self.ref}


class LaterRegistryError(ConfigError):
    """The registry was written by a later artlock; this one leaves it alone."""

    code = "later-registry"


class DirtyLockfileError(ArtlockError):
    """The lockfile or the manifest is not what git has committed."""

    code = "dirty-lockfile"
    exit_code = EXIT_NO


class StaleLockfileError(ArtlockError):
    """``artifacts.lock`` does not answer ``artifacts.toml``."""

    code = "stale-lockfile"
    exit_code = EXIT_NO


class ConflictError(PathsError):
    """``sync`` would destroy what a person did to files of the workspace.

    Attributes:
        paths: The files, relative to the project, sorted.
    """

    code = "conflict"
    exit_code = EXIT_NO


class IntegrityError(ArtlockError):
    """Bytes are not those that were locked; never retry, look.

    Attributes:
        subject: What the bytes are: a URI or a path.
        expected: The token that does not hold, as ``alg:value``, or ``N bytes``.
        actual: What was found instead, in the same form.
        kept: Where the wrong bytes are kept as evidence, or ``None`` if they are not.
    """

    code = "integrity-error"
    exit_code = EXIT_VIOLATION

    def __init__(
        self,
        *,
        subject: str,
        expected: str,
        actual: str,
        hint: str | None = None,
        record: str = "artifacts.lock",
    ) -> None:
        super().__init__(f"`{subject}` does not match `{record}`", hint=hint)
        self.subject = subject
        self.expected = expected
        self.actual = actual
        self.kept: str | None = None

    def facts(self) -> dict[str, object]:
        """Return subject, expected and actual, and where the bytes are."""
        return {
            "subject": self.subject,
            "expected": self.expected,
            "actual": self.actual,
            "kept": self.kept,
        }


class PolicyError(ArtlockError):
    """A URI, row or setting is outside of what is allowed or trusted."""

    code = "policy-error"
    exit_code = EXIT_VIOLATION


class UnsafePathError(PathsError, PolicyError):
    """A key cannot become a file name that is safe everywhere, or two keys collide.

    Attributes:
        paths: The offending paths, sorted.
    """

    code = "unsafe-path"


class StoreError(ArtlockError):
    """A store refused or failed.

    Attributes:
        uri: The object or prefix that was asked for.
    """

    code = "store-error"
    exit_code = EXIT_INCOMPLETE

    def __init__(self, message: str, *, uri: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.uri = uri

    def facts(self) -> dict[str, object]:
        """Return the URI."""
        return {"uri": self.uri}


class ObjectNotFoundError(StoreError):
    """There is no such object, or no such version of it."""

    code = "object-not-found"


class BucketNotFoundError(ObjectNotFoundError):
    """There is no such bucket."""

    code = "bucket-not-found"


class AccessDeniedError(StoreError):
    """There are no credentials, they have expired, or they do not suffice."""

    code = "access-denied"


class KeysExpiredError(AccessDeniedError):
    """The credentials have expired and there are no others: what is asked next fails."""


class ObjectChangedError(StoreError):
    """The object that was locked is no longer what the store holds under that name.

    A retry cannot help: the store answered, and the answer is another object.
    """

    code = "object-changed"
    exit_code = EXIT_VIOLATION


class ObjectArchivedError(StoreError):
    """The object lies in an archive class and must be restored before it can be read."""

    code = "object-archived"


class StoreUnavailableError(StoreError):
    """Timeout, reset, cut body, throttling or a 5xx: the only error that is retried.

    Attributes:
        wait_s: How many seconds the store asks to wait, or 0.
    """

    code = "store-unavailable"
    TRY_AGAIN: ClassVar[str] = (
        "try again; `artlock doctor` tells what this machine can reach"
    )

    def __init__(
        self, message: str, *, uri: str, hint: str | None = None, wait_s: float = 0.0
    ) -> None:
        super().__init__(message, uri=uri, hint=hint or self.TRY_AGAIN)
        self.wait_s = wait_s


class CacheError(ArtlockError):
    """The cache cannot be read or written."""

    code = "cache-error"
    exit_code = EXIT_INCOMPLETE


class BlobMissingError(CacheError):
    """The cache does not hold these bytes: never, no longer, or only damaged; fetch them.

    Attributes:
        digest: The name of the blob, as ``blake3:<hex>``.
        quarantined: Where the damaged blob was put aside, or ``None`` if there was none.
    """

    code = "blob-missing"

    def __init__(self, digest: str, *, quarantined: str | None = None) -> None:
        message = f"the cache has no intact blob `{digest}`"
        super().__init__(message, hint="run `artlock sync`, which fetches it again")
        self.digest = digest
        self.quarantined = quarantined

    def facts(self) -> dict[str, object]:
        """Return the digest and where the damaged blob is."""
        return {"digest": self.digest, "quarantined": self.quarantined}


class TrackingError(ArtlockError):
    """A tracker refused or failed.

    Attributes:
        tracker: Its URL, without credentials.
        status: The HTTP status that it answered, or ``None``.
    """

    code = "tracking-error"
    exit_code = EXIT_INCOMPLETE

    def __init__(
        self,
        message: str,
        *,
        tracker: str,
        status: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.tracker = tracker
        self.status = status

    def facts(self) -> dict[str, object]:
        """Return the tracker, and what it answered."""
        return {"tracker": self.tracker, "status": self.status}


class TrackerUnavailableError(TrackingError):
    """No connection, no answer in time, throttled or a 5xx: what waits is sent later."""

    code = "tracker-unavailable"


class TrackerDeniedError(TrackingError):
    """No credentials, wrong ones, or no permission: what waits needs somebody's deed."""

    code = "tracker-denied"


class RegistrationRefusedError(TrackingError):
    """The tracker cannot take this registration as it is, now or later."""

    code = "registration-refused"


class WorkspaceError(ArtlockError):
    """The workspace or a project file cannot be read or written."""

    code = "workspace-error"
    exit_code = EXIT_INCOMPLETE


class ManyErrors(ArtlockError):  # noqa: N818 - it holds errors, it is not one more
    """Several errors of one run, reported together; the gravest decides the exit code.

    Attributes:
        errors: In the order of their subjects; at least one.
    """

    code = "many-errors"

    def __init__(self, message: str, errors: Iterable[ArtlockError]) -> None:
        super().__init__(message)
        self.errors = tuple(errors)
        self.exit_code = gravest(error.exit_code for error in self.errors)

    def facts(self) -> dict[str, object]:
        """Return every error as a mapping."""
        return {
            "errors": [
                {"code": e.code, "message": e.message, "hint": e.hint, **e.facts()}
                for e in self.errors
            ]
        }


def gravest(exit_codes: Iterable[int]) -> int:
    """Return the exit code that wins: 4, then 3, then 2, then 1, then 0."""
    found = set(exit_codes)
    return next((code for code in _GRAVITY if code in found), EXIT_OK)
