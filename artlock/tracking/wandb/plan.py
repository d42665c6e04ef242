"""What W&B is told of a registration, as values; knows nothing of its client.

A row is one entry of the artifact's manifest: a reference, with the etag and the version
that were locked, so that W&B's own client fetches those bytes or refuses. What its client
would fetch wrongly is a plain link, whose digest is its own URI: that is never loaded.

The lock itself is a small file of the artifact. W&B's digest of a version is of paths and
entry digests alone; with the file, equal locks have equal W&B digests, and others do not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

import msgspec

from artlock.errors import RegistrationRefusedError
from artlock.model.lock import Kind
from artlock.model.registration import (
    Labels,
    Provenance,
    Registration,
    Run,
    TrackerVersion,
)
from artlock.model.secrets import is_secret_parameter
from artlock.model.tokens import Tokens, Trust

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from artlock.model.lock import LockedObject
    from artlock.model.uri import Uri

TYPE = "dataset"
"""W&B's word for the kind of an artifact; one name has one type there."""
LOCK_PATH = ".artlock/artifacts.lock"
"""Where the canonical text lies in the artifact."""
MAX_METADATA = 100
"""Keys of metadata that W&B takes; [O] with its client 0.31.0."""
MAX_NAME = 128
_OURS = "artlock_"
_TAG = re.compile(r"[-\w]+( +[-\w]+)*")
_WEB = frozenset({"http", "https"})
_NUMBER = re.compile(r"v([0-9]+)")

Scalar: TypeAlias = str | int | bool


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a manifest.

    Attributes:
        path: Where it stands in the artifact.
        uri: Where the object is.
        digest: What W&B's client compares; the URI itself where it is not to load it.
        size: In bytes; ``None`` of a link artifact.
        extra: ``etag``, ``versionID`` and what is artlock's.
        link: Why a row is only a plain link; empty of all others.
    """

    path: str
    uri: str
    digest: str
    size: int | None = None
    extra: tuple[tuple[str, str], ...] = ()
    link: str = ""


def entries_of(registration: Registration) -> Iterator[Entry]:
    """Yield the entries of all rows and link artifacts, in the order of the lock."""
    for artifact in registration.lock.artifacts:
        prefix = "" if registration.each else f"{artifact.name}/"
        if artifact.kind is Kind.LINK:
            link = str(artifact.declared.uri)
            yield Entry(path=artifact.name, uri=link, digest=link)
            continue
        for row, uri in artifact.uris():
            yield _entry(f"{prefix}{row.path}", row, uri)


def _entry(path: str, row: LockedObject, uri: Uri) -> Entry:
    text = str(uri)
    tokens = row.tokens
    extra = {"artlock_tokens": row.checksum} if row.checksum else {}
    link = _reason_for_link(uri, text, tokens)
    if link:
        extra |= {"artlock_reason": link}
        if row.version:
            extra["artlock_version"] = row.version  # not W&B's key: it is not to be used
        digest = text
    else:
        digest = tokens.etag or text
        extra["etag"] = digest
        if row.version:
            extra["versionID"] = row.version
    return Entry(
        path=path,
        uri=text,
        digest=digest,
        size=row.size,
        extra=tuple(sorted(extra.items())),
        link=link,
    )


def _reason_for_link(uri: Uri, text: str, tokens: Tokens) -> str:
    """Return why W&B's client could not fetch this as it is pinned, or nothing."""
    if uri.scheme not in {"s3", "gs"} | _WEB:
        return "of a scheme that W&B's client does not fetch"
    if uri.scheme not in _WEB and _is_cut(uri, text):
        return "a key that W&B's client would cut"
    if tokens.etag is None:
        return "without an etag, which W&B's client compares"
    if tokens.etag.startswith("W/"):
        return "with a weak etag, which W&B's client cannot compare"
    return ""


def _is_cut(uri: Uri, text: str) -> bool:
    # As W&B's handlers read it: `#`, `?`, and blanks that the parser drops.
    try:
        parts = urlsplit(text)
    except ValueError:
        return True
    return (parts.netloc, parts.path) != (uri.authority, f"/{uri.key}")


def warning_about_links(links: Mapping[str, int]) -> tuple[str, ...]:
    """Return a sentence for each reason for plain links, with how many there are."""
    return tuple(
        f"{count} {'object is' if count == 1 else 'objects are'} {reason}: only a link"
        " in W&B; `artlock sync --from` fetches all"
        for reason, count in sorted(links.items())
    )


def check_limits(registration: Registration, tracker: str) -> None:
    """Refuse what W&B would refuse, cut, or drop without a word; sends nothing.

    Raises:
        RegistrationRefusedError: A name, label, path or key that W&B does not take.
    """
    problem = (
        _problem_with_labels(registration.labels)
        or _problem_with_metadata(registration)
        or _problem_with_entries(registration)
    )
    if len(registration.name) > MAX_NAME:
        problem = f"its name is longer than {MAX_NAME} characters"
    if problem:
        message = f"`{registration.name}` cannot be registered with W&B: {problem}"
        raise RegistrationRefusedError(message, tracker=tracker)


def _problem_with_labels(labels: Labels) -> str | None:
    for tag in labels.tags:
        if not _TAG.fullmatch(tag):
            return f"tag `{tag}`: W&B's tags have letters, digits, `-` and `_` only"
    for alias in labels.aliases:
        if alias.startswith("lock-"):
            return f"alias `{alias}`: those with `lock-` are artlock's own there"
    return None


def _problem_with_metadata(registration: Registration) -> str | None:
    keys = [key for key, _ in registration.labels.meta]
    for key in keys:
        if key.startswith(_OURS):
            return f"metadata `{key}`: keys with `{_OURS}` are artlock's own"
    if (count := len(metadata_of(registration))) > MAX_METADATA:
        return f"{count} keys of metadata, artlock's own counted; W&B takes {MAX_METADATA}"
    return None


def _problem_with_entries(registration: Registration) -> str | None:
    paths = set()
    for entry in entries_of(registration):
        if entry.path in paths:
            return f"two objects would stand at `{entry.path}`"
        paths.add(entry.path)
        if f"{entry.path}/".startswith(".artlock/"):
            return f"`{entry.path}` stands where artlock keeps the lock"
        if entry.path.endswith("/") or "//" in entry.path:
            return f"`{entry.path}` is no path of W&B's"
        if problem := _problem_with_uri(entry.uri):
            return f"`{entry.path}` {problem}"
    return None


def _problem_with_uri(uri: str) -> str | None:
    # The lockfile's reader refuses these too; here is where they would leave the machine.
    _, question, query = uri.partition("?")
    if question and uri.startswith(("http:", "https:")):
        for pair in query.split("&"):
            if is_secret_parameter(pair.partition("=")[0]):
                return "has a URI that carries a credential"
    return None


def metadata_of(registration: Registration) -> dict[str, Scalar]:
    """Return the metadata of the version: artlock's own keys, and those of the person."""
    provenance = registration.provenance
    optional = {
        "git_commit": provenance.commit,
        "git_remote": provenance.remote,
        "author": provenance.author,
        "run": registration.run and registration.run.id,
        "run_service": registration.run and registration.run.service,
    }
    ours: dict[str, Scalar] = {
        "schema": 1,
        "digest": registration.digest,
        "each": registration.each,
        "objects": registration.lock.count(),
        "bytes": registration.lock.size,
        "trust": registration.trust.value,
        "time": provenance.time,
        "git_dirty": provenance.dirty,
    }
    ours |= {key: text for key, text in optional.items() if text}
    return {f"{_OURS}{key}": value for key, value in ours.items()} | dict(
        registration.labels.meta
    )


def label_of(digest: str) -> str:
    """Return the alias and tag that a lock digest is found by; never to compare."""
    return f"lock-{digest.partition(':')[2][:12]}"


def digest_in(metadata: Mapping[str, object]) -> str | None:
    """Return the lock digest of a version's metadata; ``None`` if it is not artlock's."""
    digest = metadata.get(f"{_OURS}digest")
    return digest if isinstance(digest, str) and digest else None


def run_in(metadata: Mapping[str, object]) -> Run | None:
    """Return the run that made a version, as whoever pushed it said."""
    run = _text(metadata, "run")
    return Run(id=run, service=_text(metadata, "run_service") or "") if run else None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A version as W&B's client shows it.

    Attributes:
        native: ``entity/project/name:v0``.
        version: ``v0``.
        run: Id of the run that logged it, if that was asked.
    """

    name: str
    native: str
    version: str
    aliases: tuple[str, ...]
    tags: tuple[str, ...]
    metadata: Mapping[str, object]
    url: str = ""

    @property
    def number(self) -> int:
        """The number that artlock gives it: ``v0`` is 1.

        Raises:
            ValueError: W&B has versions that are called otherwise.
        """
        match = _NUMBER.fullmatch(self.version)
        if match is None:
            message = f"`{self.version}` is no version of W&B's"
            raise ValueError(message)
        return int(match[1]) + 1

    def as_version(self) -> TrackerVersion:
        """Return what it holds, in artlock's words.

        Raises:
            ValueError: It is not artlock's.
        """
        metadata = self.metadata
        digest = digest_in(metadata)
        if digest is None:
            message = "it was not registered by artlock"
            raise ValueError(message)
        label = label_of(digest)
        number = self.number
        meta = sorted(
            (key, text)
            for key, text in metadata.items()
            if isinstance(text, str) and not key.startswith(_OURS)
        )
        return TrackerVersion(
            name=self.name,
            number=number,
            digest=digest,
            each=metadata.get(f"{_OURS}each") is True,
            objects=_count(metadata, "objects"),
            size=_count(metadata, "bytes"),
            trust=_trust(metadata),
            provenance=Provenance(
                time=_text(metadata, "time") or "",
                commit=_text(metadata, "git_commit"),
                dirty=metadata.get(f"{_OURS}git_dirty") is True,
                remote=_text(metadata, "git_remote"),
                author=_text(metadata, "author"),
            ),
            labels=Labels(
                aliases=tuple(sorted(set(self.aliases) - {"latest", label})),
                tags=tuple(sorted(set(self.tags) - {label})),
                meta=tuple(meta),
            ),
            parent=number - 1 or None,
            native=self.native,
            url=self.url,
        )


def _text(metadata: Mapping[str, object], key: str) -> str | None:
    value = metadata.get(f"{_OURS}{key}")
    return value if isinstance(value, str) and value else None


def _trust(metadata: Mapping[str, object]) -> Trust:
    # A person can change what stands there; the lock that is fetched says it again.
    found = _text(metadata, "trust")
    return Trust(found) if found in list(Trust) else Trust.NONE


def _count(metadata: Mapping[str, object], key: str) -> int:
    value = metadata.get(f"{_OURS}{key}")
    # W&B's pages show metadata as JavaScript does, and a person may save it there.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and value >= 0 else 0
