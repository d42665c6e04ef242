"""Open the stores that a project's artifacts need, under the settings that are in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from blake3 import blake3
from msgspec.structs import replace

from artlock.errors import ConfigError, PolicyError, StoreUnavailableError
from artlock.model.reach import effective_access
from artlock.ops.trusting import is_trusted, rules_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    from artlock.model.manifest import Access, Artifact
    from artlock.model.uri import Uri
    from artlock.ops.project import Project
    from artlock.stores.base import Store
    from artlock.stores.retry import RetryBudget

_LOCAL = frozenset({"file", ""})
_BUCKETS = frozenset({"s3", "gs"})
_STEERING = (
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONFIG_FILE",
    "STORAGE_EMULATOR_HOST",
)
"""Variables that send requests for a bucket somewhere else."""


class Sources:
    """The open stores of one run; a context manager that closes them.

    Artifacts in one bucket under the same settings share a store, and so its connections.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._trusted = is_trusted(project)
        self._rules = rules_of(project.runtime.environ)
        self._stores: dict[Hashable, Store] = {}
        self._ways: dict[Hashable, Store] = {}
        """Stores by all that decides how an object in a bucket or at a host is reached."""
        self._budget: RetryBudget | None = None
        self._noticed: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for store in self._stores.values():
            store.close()

    def store(self, artifact: Artifact, uri: Uri | None = None) -> Store:
        """Return the store of an artifact's source, or of one of its mirrors.

        Asked for each object of a sync: what is in force is worked out once for all objects
        that are reached alike, which takes 0.1 ms off each.

        Raises:
            PolicyError: A setting without which it cannot be reached is not trusted.
            ConfigError: A header needs a variable that is not set.
            AccessDeniedError: There are no credentials.
            StoreUnavailableError: It needs the network, and ``--offline`` was given.
        """
        uri = uri or artifact.uri
        table = self._project.runtime.settings.source_for(uri)
        way = artifact, uri.scheme, uri.authority, table and table.prefix
        store = self._ways.get(way)
        if store is None:
            store = self._opened(artifact, uri)
            if uri.authority:  # each declared path of files is a store of its own
                self._ways[way] = store
        return store

    def _opened(self, artifact: Artifact, uri: Uri) -> Store:
        # Not for a command that only asks which services there are.
        from artlock.stores.base import StoreContext  # noqa: PLC0415 - see above
        from artlock.stores.retry import RetryBudget  # noqa: PLC0415 - see above
        from artlock.stores.schemes import open_store, store_key  # noqa: PLC0415 - see above

        runtime = self._project.runtime
        if runtime.offline and uri.scheme not in _LOCAL:
            message = f"`{uri}` needs the network, and `--offline` was given"
            hint = "leave out `--offline`"
            raise StoreUnavailableError(message, uri=str(uri), hint=hint)
        access, dropped = self._access(artifact, uri)
        if dropped:
            self._notice(
                f"`{artifact.name}` is read anonymously: {', '.join(dropped)} in "
                "`artifacts.toml` is not trusted (see `artlock trust`)"
            )
        key = store_key(uri, access)
        if key not in self._stores:
            context = StoreContext(
                access=access,
                project=self._project.source_base,
                notice=self._notice,
                may_connect=self._may_connect,
                cross_check=runtime.settings.cross_checks(uri),
                connections=runtime.jobs,
            )
            # One for all: workers that fail together share what may be repeated.
            self._budget = self._budget or RetryBudget()
            self._stores[key] = open_store(uri, context, budget=self._budget)
        return self._stores[key]

    def rest(self) -> None:
        """Give back connections while nothing is read: they are open files (4.18)."""
        from artlock.stores.base import Reconnects  # noqa: PLC0415 - as in `store`

        for store in self._stores.values():
            if isinstance(store, Reconnects):
                store.reconnect()

    def artifact(self, name: str) -> Artifact | None:
        """Return the declared artifact of that name, or ``None``."""
        return self._project.manifest.get(name)

    def identity(self, artifact: Artifact, uri: Uri | None = None) -> str | None:
        """Name the service that answers for a source, without connecting to it.

        Equal names mean equal answers: whatever chooses another service is in the name, the
        profile too, because its configuration may have an endpoint. What was learnt of a
        pin holds for one name only.

        Returns:
            ``None`` where a setting that decides about it is not in force.
        """
        uri = uri or artifact.uri
        try:
            access, _ = self._access(artifact, uri)
        except (PolicyError, ConfigError):
            return None
        environ = self._project.runtime.environ
        told = [f"{name}={environ[name]}" for name in _STEERING if environ.get(name)]
        own = [access.endpoint, access.profile, access.role_arn, access.region]
        own += [access.ca_bundle, _fingerprint(access.headers)]
        steering = told if uri.scheme in _BUCKETS else ()
        return "\n".join([uri.scheme, *map(str, own), *steering])

    def _access(self, artifact: Artifact, uri: Uri) -> tuple[Access, tuple[str, ...]]:
        access, dropped = effective_access(
            artifact,
            self._project.runtime.settings,
            trusted=self._trusted,
            rules=self._rules,
            environment=self._project.runtime.environ,
            uri=uri,
        )
        if access.ca_bundle is not None:
            # In a manifest it is relative to the project, wherever the command runs.
            bundle = str(self._project.root / access.ca_bundle)
            access = replace(access, ca_bundle=bundle)
        return access, dropped

    def _may_connect(self, host: str) -> bool:
        return host in self._rules.hosts or self._project.runtime.settings.may_connect(host)

    def _notice(self, text: str) -> None:
        """Pass a remark on, once."""
        if text not in self._noticed:
            self._noticed.add(text)
            self._project.runtime.progress.notice(text)


def _fingerprint(headers: tuple[tuple[str, str], ...]) -> str:
    """Return what stands for headers: their values in force may be secrets."""
    if not headers:
        return ""
    text = "\0".join(part for pair in headers for part in pair)
    return blake3(text.encode("utf-8", "surrogatepass")).hexdigest()
