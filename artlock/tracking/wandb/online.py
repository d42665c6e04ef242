"""Talk to a W&B server: register, find, fetch, record."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from artlock.errors import (
    RefNotFoundError,
    RegistrationRefusedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.model.refs import LATEST, Ref
from artlock.model.registration import Lineage, Outcome, Run
from artlock.tracking.wandb.artifact import build
from artlock.tracking.wandb.client import Folders, open_client
from artlock.tracking.wandb.failures import is_missing, is_unfinished
from artlock.tracking.wandb.plan import (
    LOCK_PATH,
    MAX_METADATA,
    TYPE,
    Seen,
    check_limits,
    digest_in,
    label_of,
    run_in,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from artlock.model.lock import Lockfile
    from artlock.model.registration import Registration, TrackerVersion
    from artlock.tracking.base import TrackerContext
    from artlock.tracking.wandb.client import Address, Client

_PAGE = 100
_JOB = "artlock-push"
_NOT_IN_RUN_IDS = frozenset("/\\#?%:")
_SERVICE = "wandb"
_PIECE = 1 << 20
_MAX_LOCKFILE = 1 << 30
"""Bytes; no lockfile is read that is larger."""
_EXPIRED = frozenset({400, 401, 403, 410})
"""What buckets answer to a signed URL whose time is over."""


class OnlineWandb:
    """A project of W&B, as ``Tracker``; nothing stays open between two calls."""

    def __init__(self, address: Address, context: TrackerContext) -> None:
        self._address = address
        self._context = context

    def register(self, registration: Registration) -> Outcome:
        """See ``Tracker.register``."""
        check_limits(registration, self._address.url)
        with self._client() as client:
            found = self._by_digest(client, registration.name, registration.digest)
            if found is not None:
                self._attach(found, registration)
                return Outcome(version=self._read_back(client, found), created=False)
            built = build(client.wandb, registration, self._context.scratch)
            run = client.start_run(None, job=_JOB, offline=False)
            labels = registration.labels
            label = label_of(registration.digest)
            with client.sends():
                logged = run.log_artifact(
                    built.artifact,
                    aliases=[label, *labels.aliases],
                    tags=[label, *labels.tags],
                )
                logged.wait(timeout=max(1, int(client.left_s)))
                run.finish()
            self._check(logged, built.artifact)
            first = self._first(client, registration)
            # If another pushed the same at once, the first counts, and is what is found.
            self._attach(first, registration)
            return Outcome(
                version=self._read_back(client, first),
                created=_logged_by(first) == run.id,
                links=built.links,
                warnings=built.warnings,
            )

    def _check(self, logged: Any, sent: Any) -> None:  # noqa: ANN401 - W&B's artifacts
        if logged.digest != sent.digest or not _is_finished(logged):
            message = f"`{self._address.url}` holds something else than was sent"
            raise TrackingError(message, tracker=self._address.url)

    def _first(self, client: Client, registration: Registration) -> Any:  # noqa: ANN401 - W&B's artifact
        """Return the first version that has the digest."""
        listed = self._listed(client, registration.name)
        same = [one for one in listed if digest_in(one.metadata) == registration.digest]
        if not same:
            message = f"`{self._address.url}` does not show what it has taken"
            raise TrackerUnavailableError(
                message, tracker=self._address.url, hint="push again later"
            )
        return min(same, key=lambda one: self._seen(client, one).number)

    def _read_back(self, client: Client, artifact: Any) -> TrackerVersion:  # noqa: ANN401 - W&B's artifact
        number = self._seen(client, artifact).number
        name = str(artifact.name).partition(":")[0]
        found = self._found(client, Ref(name=name, number=number))
        return self._seen(client, found).as_version()

    def _attach(self, found: Any, registration: Registration) -> None:  # noqa: ANN401 - W&B's artifact
        """Add the labels that a version lacks; asks nothing if it has them all."""
        labels = registration.labels
        label = label_of(registration.digest)
        aliases = [a for a in (label, *labels.aliases) if a not in found.aliases]
        tags = [t for t in (label, *labels.tags) if t not in found.tags]
        meta = {k: t for k, t in labels.meta if found.metadata.get(k) != t}
        if not (aliases or tags or meta):
            return
        if len({**found.metadata, **meta}) > MAX_METADATA:
            message = (
                f"`{registration.name}` would have over {MAX_METADATA} keys of metadata"
            )
            raise RegistrationRefusedError(message, tracker=self._address.url)
        found.aliases = [*found.aliases, *aliases]
        found.tags = [*found.tags, *tags]
        found.metadata = {**found.metadata, **meta}
        found.save()

    def names(self) -> Sequence[str]:
        """See ``Tracker.names``."""
        with self._client() as client:
            try:
                type_ = client.api.artifact_type(TYPE, project=self._address.path("")[:-1])
                collections = [one.name for one in type_.collections()]
            except Exception as error:
                if is_missing(error):
                    return ()
                raise
            return sorted(n for n in collections if any(self._listed(client, n)))

    def versions(self, name: str, *, limit: int | None = None) -> Sequence[TrackerVersion]:
        """See ``Tracker.versions``."""
        with self._client() as client:
            found = self._first_of_each(client, name)
            if not found:
                raise _missing(Ref(name=name), self._address)
            newest = sorted(found, key=lambda v: -v.number)
            return tuple(newest if limit is None else newest[:limit])

    def find(self, ref: Ref) -> TrackerVersion:
        """See ``Tracker.find``."""
        with self._client() as client:
            return self._seen(client, self._found(client, ref)).as_version()

    def _found(self, client: Client, ref: Ref) -> Any:  # noqa: ANN401 - W&B's artifact
        wanted = ref.alias or LATEST
        if ref.number is not None:
            wanted = f"v{ref.number - 1}"
        artifact = self._get(client, f"{ref.name}:{wanted}")
        digest = digest_in(artifact.metadata) if artifact is not None else None
        if digest is not None and _is_finished(artifact):
            if ref.number is None and label_of(digest) not in artifact.aliases:
                # Of two that were pushed at once it is the second: the first counts.
                return self._by_digest(client, ref.name, digest) or artifact
            return artifact
        if wanted == LATEST:
            # Somebody logged something else under the name, or has not finished: the newest
            # of artlock's then.
            ours = list(self._listed(client, ref.name))
            if ours:
                return max(ours, key=lambda one: self._seen(client, one).number)
        raise _missing(ref, self._address)

    def fetch(self, version: TrackerVersion) -> bytes | Lockfile:
        """See ``Tracker.fetch``."""
        with self._client() as client:
            found = self._found(client, Ref(name=version.name, number=version.number))
            file = next(iter(found.files(names=[LOCK_PATH], per_page=1)), None)
            if file is None:
                message = f"`{version.ref}` of `{self._address.url}` has no lockfile"
                raise TrackingError(message, tracker=self._address.url)
            return self._download(client, file.direct_url)

    def _download(self, client: Client, url: str) -> bytes:
        """Return the body; the URL is signed, so that no login goes with it."""
        if urlsplit(url).scheme not in {"http", "https"}:
            message = f"`{self._address.url}` gave no address of its lockfile"
            raise TrackingError(message, tracker=self._address.url)
        body = bytearray()
        request = Request(url, headers={"User-Agent": "artlock"})  # noqa: S310 - checked above
        ends = time.monotonic() + client.left_s
        try:
            with urlopen(request, timeout=client.left_s) as answer:  # noqa: S310 - as above
                while piece := answer.read1(_PIECE):
                    body += piece
                    if time.monotonic() > ends:
                        raise TimeoutError
                    if len(body) > _MAX_LOCKFILE:
                        message = f"`{self._address.url}` gave a lockfile without an end"
                        raise TrackingError(message, tracker=self._address.url)
        except HTTPError as error:
            if error.code not in _EXPIRED:
                raise
            # The login was taken a moment ago, or there would be no link.
            message = (
                f"the link to the lockfile that `{self._address.url}` gave is not valid"
                f" any more ({error.code})"
            )
            raise TrackerUnavailableError(
                message, tracker=self._address.url, status=error.code, hint="ask again"
            ) from error
        return bytes(body)

    def record_input(self, version: TrackerVersion, run: Run) -> None:
        """See ``Tracker.record_input``; a run that only a person named is made."""
        if not run.id or _NOT_IN_RUN_IDS & set(run.id):
            message = f"`{run.id}` cannot be the id of a run with W&B"
            raise RegistrationRefusedError(message, tracker=self._address.url)
        with self._client() as client:
            found = self._found(client, Ref(name=version.name, number=version.number))
            if run.id in _used_by(found):
                return
            user = self._run(client, run)
            user.use_artifact(found)

    def _run(self, client: Client, run: Run) -> Any:  # noqa: ANN401 - W&B's run
        path = self._address.path(run.id)
        try:
            return client.api.run(path)
        except Exception as error:
            if not is_missing(error):
                raise
        if run.service == _SERVICE:
            message = f"`{self._address.url}` has no run `{run.id}`"
            raise TrackingError(message, tracker=self._address.url)
        client.start_run(run.id, job="artlock", offline=False).finish()
        return client.api.run(path)

    def lineage(self, version: TrackerVersion) -> Lineage:
        """See ``Tracker.lineage``."""
        with self._client() as client:
            found = self._found(client, Ref(name=version.name, number=version.number))
            named = run_in(found.metadata)
            logged = _logged_by(found)
            produced = [run for run in (named, _run_of(logged) if logged else None) if run]
            return Lineage(
                version=self._seen(client, found).as_version(),
                produced=tuple(dict.fromkeys(produced)),
                consumed=tuple(_run_of(run) for run in _used_by(found)),
            )

    def close(self) -> None:
        """See ``Tracker.close``: every call has ended what it began."""

    @contextmanager
    def _client(self) -> Iterator[Client]:
        folders = Folders.within(self._context.scratch / "wandb")
        with open_client(self._address, self._context, folders) as client:
            yield client

    def _get(self, client: Client, name: str) -> Any:  # noqa: ANN401 - W&B's artifact
        """Return a version by name and alias, or ``None``; perhaps one not finished."""
        try:
            return client.api.artifact(self._address.path(name))
        except Exception as error:
            if is_missing(error) or is_unfinished(error):
                return None
            raise

    def _listed(self, client: Client, name: str) -> Iterator[Any]:
        """Yield the finished versions of a name that are artlock's, in no order."""
        path = self._address.path(name)
        try:
            for one in client.api.artifacts(TYPE, path, per_page=_PAGE):
                if digest_in(one.metadata) is not None and _is_finished(one):
                    yield one
        except Exception as error:
            if not is_missing(error):
                raise

    def _first_of_each(self, client: Client, name: str) -> list[TrackerVersion]:
        """Return the first version of each digest: two that pushed at once left two."""
        found: dict[str, TrackerVersion] = {}
        versions = (
            self._seen(client, one).as_version() for one in self._listed(client, name)
        )
        for version in sorted(versions, key=lambda v: v.number):
            found.setdefault(version.digest, version)
        return list(found.values())

    def _by_digest(self, client: Client, name: str, digest: str) -> Any:  # noqa: ANN401 - W&B's artifact
        """Return the finished version with a digest, or ``None``.

        Without its alias it is not looked for: W&B itself finds equal artifacts, and what
        it does not find is seen when the new version is read back.
        """
        found = self._get(client, f"{name}:{label_of(digest)}")
        if found is None or not _is_finished(found):
            return None  # what a push began that was killed is nobody's version
        return found if digest_in(found.metadata) == digest else None

    def _seen(self, client: Client, artifact: Any) -> Seen:  # noqa: ANN401 - W&B's artifact
        name = str(artifact.name).partition(":")[0]
        version = str(artifact.version)
        path = self._address.path("artifacts")
        return Seen(
            name=name,
            native=f"{self._address.path(name)}:{version}",
            version=version,
            aliases=tuple(artifact.aliases),
            tags=tuple(artifact.tags),
            metadata=dict(artifact.metadata),
            url=f"{client.pages}{path}/{TYPE}/{name}/{version}",
        )


def _is_finished(artifact: Any) -> bool:  # noqa: ANN401 - W&B's artifact
    return str(artifact.state).upper() == "COMMITTED"


def _run_of(run_id: str) -> Run:
    return Run(id=run_id, service=_SERVICE)


def _logged_by(artifact: Any) -> str:  # noqa: ANN401 - W&B's artifact
    run = artifact.logged_by()
    return str(run.id) if run is not None else ""


def _used_by(artifact: Any) -> list[str]:  # noqa: ANN401 - W&B's artifact
    return [str(run.id) for run in artifact.used_by()]


def _missing(ref: Ref, address: Address) -> RefNotFoundError:
    plain = str(Ref(name=ref.name, number=ref.number, alias=ref.alias))
    message = f"`{address.url}` has no `{plain}`"
    return RefNotFoundError(
        message, ref=plain, hint="`artlock versions` lists what is there"
    )
