"""``artifacts.toml`` as values: what a person declared."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from artlock.model.tokens import Trust

if TYPE_CHECKING:
    from artlock.model.uri import Uri

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
DEFAULT_FOLDER = "data"
"""Where artifacts land that name no ``path``: ``data/<artifact name>``."""
SPLIT_ABOVE = 8 << 20
"""Bytes of rows that stay in ``artifacts.lock`` unless the manifest says otherwise."""
FIXED_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""HTTP headers, in lower case, that decide what is asked for or how it comes: no setting
changes them."""


class ChecksumPolicy(StrEnum):
    """Whether ``resolve`` reads bytes to get a digest."""

    STORE = "store"
    BLAKE3 = "blake3"


class MergePolicy(StrEnum):
    """How two branches' rows of one artifact become one."""

    ROWS = "rows"
    ATOMIC = "atomic"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a source. From a repository these are inert until they are trusted.

    ``anonymous`` and ``region`` reveal and cost nothing, so they need no trust.

    Attributes:
        headers: Name and value, for HTTP only; sorted by name. Not in ``repr``, because
            values in force may be secrets.
    """

    endpoint: str | None = None
    profile: str | None = None
    role_arn: str | None = None
    user_project: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    ca_bundle: str | None = None
    requester_pays: bool = False
    region: str | None = None
    anonymous: bool = False

    def __repr__(self) -> str:
        names = (name for name in self.__struct_fields__ if name != "headers")
        shown = (f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({', '.join(shown)})"

    def sensitive(self) -> tuple[tuple[str, str], ...]:
        """Return ``(setting, text)`` of each setting that needs trust, in a fixed order."""
        found = [
            ("endpoint", self.endpoint),
            ("profile", self.profile),
            ("role-arn", self.role_arn),
            ("user-project", self.user_project),
            ("ca-bundle", self.ca_bundle),
            ("requester-pays", "true" if self.requester_pays else None),
            *((f"headers.{name}", value) for name, value in self.headers),
        ]
        return tuple((name, value) for name, value in found if value is not None)


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an artifact that decides which objects are meant.

    A lockfile keeps a copy; where the copy differs from the manifest, it is stale.

    Attributes:
        version: Pins a single object to one version.
        as_of: Pins a source to a moment; RFC 3339 text in UTC, ``2026-05-01T00:00:00Z``.
        rename: ``(key below uri, path)`` for keys that cannot be file names; sorted.
        portable: Whether names that only Windows refuses are refused.
    """

    uri: Uri
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    version: str | None = None
    as_of: str | None = None
    checksum: ChecksumPolicy = ChecksumPolicy.STORE
    rename: tuple[tuple[str, str], ...] = ()
    portable: bool = True

    def changed_keys(self, before: Declaration) -> tuple[str, ...]:
        """Return the keys, as people spell them, in which this differs from ``before``."""
        return tuple(
            field.replace("_", "-")
            for field in self.__struct_fields__
            if getattr(self, field) != getattr(before, field)
        )


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """One ``[artifacts.<name>]`` table.

    Attributes:
        path: Where files land, relative to the project; ``None`` means
            ``data/<name>/``. For a single object it names the file itself, unless it
            ends in ``/``.
        link: Record the source as a string; never look inside.
        link_if_denied: The same, but only where credentials are missing or refused.
        mirrors: Other places that hold the same tree; used only if the pinned one fails.
        merge: Whether a merge may put rows of both sides side by side.
    """

    name: str
    declared: Declaration
    path: str | None = None
    groups: tuple[str, ...] = ()
    link: bool = False
    link_if_denied: bool = False
    mirrors: tuple[Uri, ...] = ()
    merge: MergePolicy = MergePolicy.ROWS
    access: Access = msgspec.field(default_factory=Access)
    description: str | None = None

    @property
    def uri(self) -> Uri:
        """The declared URI."""
        return self.declared.uri

    @property
    def is_link(self) -> bool:
        """Whether it is always recorded as a link."""
        return self.link or self.uri.is_link

    @property
    def folder(self) -> str:
        """The place in the workspace, without a trailing slash."""
        return (self.path or f"{DEFAULT_FOLDER}/{self.name}").removesuffix("/")

    def target(self, row_path: str, *, is_file: bool) -> str:
        """Return where the row ``row_path`` lands, relative to the project.

        Args:
            row_path: The row's path below the artifact.
            is_file: Whether the artifact is a single object.
        """
        if is_file and self.path is not None and not self.path.endswith("/"):
            return self.path
        return f"{self.folder}/{row_path}"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """``[policy]``: enforced offline by ``check``.

    Attributes:
        allow: URI prefixes; empty allows everything.
        require: The least trust that a row may have.
    """

    allow: tuple[str, ...] = ()
    require: Trust = Trust.NONE
    require_version_ids: bool = False


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A whole ``artifacts.toml``.

    Attributes:
        name: The artifact name that ``push`` registers; ``None`` means the folder's name.
        artifacts: Sorted by name; names are unique, and no two places nest.
        trackers: ``(name, URL)`` in the order of the file.
        split_above: An artifact whose rows have more bytes keeps them in parts, when the
            lockfile is next written.
    """

    artifacts: tuple[Artifact, ...] = ()
    name: str | None = None
    policy: Policy = msgspec.field(default_factory=Policy)
    trackers: tuple[tuple[str, str], ...] = ()
    split_above: int = SPLIT_ABOVE

    def get(self, name: str) -> Artifact | None:
        """Return the artifact of that name, or ``None``."""
        return next((a for a in self.artifacts if a.name == name), None)


def problem_with_name(name: str) -> str | None:
    """Return why ``name`` cannot name an artifact, or ``None``."""
    if _NAME.fullmatch(name):
        return None
    return "a name has only `a-z`, `0-9`, `.`, `_`, `-`, and starts with a letter or digit"
