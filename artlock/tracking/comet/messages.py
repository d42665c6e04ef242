"""What artlock and the process of Comet's client say to each other: a JSON line each.

Every request is answered by one line, in order. Nothing here imports Comet's client.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class AssetMetadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What stands beside a link; the keys without ``artlock_`` are Comet's own.

    Attributes:
        synced: Whether Comet's client may fetch the link; left out where it must not try.
        version_id: S3 version ID or GCS generation; left out where there is none.
        checksum: The etag, without quotes.
        file_size: In bytes; left out for a link artifact.
        artlock_tokens: All tokens of the row, as the lockfile has them.
        artlock_reason: Why Comet's client cannot fetch the object as it is pinned.
    """

    synced: bool | None = None
    version_id: str | None = None
    checksum: str | None = None
    file_size: int | None = None
    s3_path: str | None = None
    s3_platform: str | None = None
    gs_path: str | None = None
    artlock_tokens: str | None = None
    artlock_trust: str | None = None
    artlock_reason: str | None = None


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a version.

    Attributes:
        place: Comet's logical path.
        link: The URI.
    """

    place: str
    link: str
    metadata: AssetMetadata


class ListVersions(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Asks for ``NativeVersions``."""

    workspace: str
    name: str


class Describe(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Asks for a ``Description`` of a version."""

    workspace: str
    name: str
    version: str


class ListNames(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Asks for ``Names``."""

    workspace: str


class ListFiles(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Asks for ``Files``.

    Attributes:
        expected: How many there should be; the client gets memory for them.
    """

    workspace: str
    name: str
    version: str
    expected: int


class Send(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Asks to make a version and to send all of it; answered by ``Sent``.

    It gets no aliases: they move once it is known to be there.

    Attributes:
        run: Key of an experiment that is there, or ``None`` for one of its own.
        run_name: What its own experiment is called.
        metadata: Of the version; text, numbers and what JSON has.
        wait_s: How long to wait for what is on its way.
    """

    workspace: str
    project: str
    run: str | None
    run_name: str
    name: str
    version: str
    metadata: dict[str, object]
    tags: tuple[str, ...]
    assets: tuple[Asset, ...]
    wait_s: float


class EndRun(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Asks to end the experiment of the last ``Send``, if any; answered by ``Done``."""


class SetLabels(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Asks to replace labels and metadata of a version; answered by ``Done``."""

    id: str
    metadata: dict[str, object]
    aliases: tuple[str, ...]
    tags: tuple[str, ...]


class RecordInput(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Asks to record that an experiment used a version; answered by ``Done``."""

    workspace: str
    name: str
    version: str
    run: str


Request: TypeAlias = (
    ListVersions
    | Describe
    | ListNames
    | ListFiles
    | Send
    | EndRun
    | SetLabels
    | RecordInput
)


class NativeVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version as Comet lists it.

    Attributes:
        version: For example ``3.0.0``.
        state: ``CLOSED`` once it is finished; ``None`` where Comet does not tell.
        metadata: JSON, as it was sent; ``None`` if there is none.
    """

    id: str
    version: str
    state: str | None
    metadata: str | None
    aliases: tuple[str, ...]
    tags: tuple[str, ...]


class NativeVersions(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The versions of a name, in Comet's order; ``None`` if there is no such name."""

    versions: tuple[NativeVersion, ...] | None


class Description(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What the list of versions may leave out.

    Attributes:
        is_closed: Whether it is there and finished.
        experiment: Key of the experiment that made it; ``None`` if it is not closed.
    """

    is_closed: bool
    experiment: str | None = None


class Names(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Names of artifacts."""

    names: tuple[str, ...]


class NativeFile(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a version as Comet lists it."""

    place: str
    link: str | None
    metadata: str | None


class Files(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The entries of a version, in Comet's order."""

    files: tuple[NativeFile, ...]


class Failure(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """It failed.

    Attributes:
        kind: ``status`` (Comet answered with one), ``network``, ``not-json``, ``no-key``,
            ``limit`` (refused before anything was sent), ``no-run`` (no such experiment),
            ``memory`` (an answer beyond all measure), or ``client`` for all else.
        status: The HTTP status.
        code: Comet's own code.
        text: For the person; may hold a secret until it is redacted.
    """

    kind: str
    text: str
    status: int | None = None
    code: int | None = None


class Sent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Something is sent; whether it arrived says only what is read back.

    Attributes:
        taken: The number is another's; nothing was sent.
        failure: What the client complained about.
        is_stuck: Whether the client still tries to send; it does not end by itself.
    """

    taken: bool
    failure: Failure | None = None
    is_stuck: bool = False


class Done(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """It is done."""


Answer: TypeAlias = NativeVersions | Description | Names | Files | Sent | Done | Failure
