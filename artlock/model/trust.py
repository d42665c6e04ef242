"""Whose word a setting is: what a repository may not decide until the user said yes.

``endpoint``, ``profile``, ``headers`` and the like in ``artifacts.toml`` decide where the
user's credentials go and who pays. A repository cannot trust itself (hazard 5.4): the
user's yes is kept per project, for exactly the settings that were shown, and
``ARTLOCK_TRUST`` says it in CI.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
from blake3 import blake3

from artlock.model.uri import Uri

if TYPE_CHECKING:
    from collections.abc import Iterable

    from artlock.model.manifest import Artifact, Manifest

_WEB = frozenset({"http", "https"})
_TRACKERS_WITH_HOST = frozenset({"mlflow+http", "mlflow+https", "postgresql"})


class SensitiveSetting(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A setting of ``artifacts.toml`` that is inert until it is trusted.

    Attributes:
        artifact: Its artifact; empty for a tracker.
        setting: As it is written: ``endpoint``, ``headers.X-Team``, ``trackers.team``.
        value: As it is written; ``${NAME}`` is not expanded.
        host: Whom it would talk to, lower case and without port; ``None`` means the
            provider's own service.
        places: What it would be used for: ``s3://bucket`` or ``https://host:8443``, sorted.
            A trusted header must not follow an artifact to another host.
    """

    artifact: str
    setting: str
    value: str
    host: str | None = None
    places: tuple[str, ...] = ()


def sensitive_settings(manifest: Manifest) -> tuple[SensitiveSetting, ...]:
    """Return every setting that needs trust, sorted; what ``artlock trust`` shows."""
    found = [
        SensitiveSetting(
            artifact="",
            setting=f"trackers.{name}",
            value=url,
            host=_host_of_tracker(Uri.parse(url)),
        )
        for name, url in manifest.trackers
    ]
    for artifact in manifest.artifacts:
        found += settings_of(artifact)
    return tuple(sorted(found, key=_sort_key))


def settings_of(artifact: Artifact) -> list[SensitiveSetting]:
    """Return the settings of one artifact that need trust, in a fixed order."""
    sensitive = artifact.access.sensitive()
    if not sensitive:
        return []
    host = host_of(artifact)
    uris = [artifact.uri, *(m for m in artifact.mirrors if reaches(artifact, m))]
    places = tuple(sorted({f"{uri.scheme}://{uri.authority}" for uri in uris}))
    return [
        SensitiveSetting(
            artifact=artifact.name, setting=name, value=value, host=host, places=places
        )
        for name, value in sensitive
    ]


def reaches(artifact: Artifact, uri: Uri) -> bool:
    """Tell whether the artifact's access settings hold for ``uri`` too.

    They hold for the source and for mirrors of the same service: the same scheme, and on
    the web the same host and port.
    """
    if uri.scheme in _WEB:
        same = (artifact.uri.scheme, artifact.uri.authority)
        return (uri.scheme, uri.authority) == same
    return uri.scheme == artifact.uri.scheme


def host_of(artifact: Artifact) -> str | None:
    """Return whom the artifact's source talks to; ``None`` for the provider's own service.

    The host of an HTTP source, else that of ``endpoint``; lower case, without port.
    """
    if artifact.uri.scheme in _WEB:
        return _host(artifact.uri)
    endpoint = artifact.access.endpoint
    return _host(Uri.parse(endpoint)) if endpoint else None


def _host(uri: Uri) -> str | None:
    return bare_host(uri.authority) if uri.authority else None


def _host_of_tracker(uri: Uri) -> str | None:
    """Return whom a tracker's URL surely talks to, and nobody else; else ``None``.

    Only these have a host. That of a database may be several, or be overruled by a
    parameter (libpq: "Connection URIs"): such a URL is trusted as a whole or not at all.
    """
    if uri.scheme in _TRACKERS_WITH_HOST and not set("?,") & set(str(uri)):
        return _host(uri)
    return None


def bare_host(authority: str) -> str:
    """Return the host of ``host:port`` in lower case, without brackets and last dot."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0].lower()
    return authority.partition(":")[0].lower().removesuffix(".")


def _sort_key(setting: SensitiveSetting) -> tuple[str, str]:
    return setting.artifact, setting.setting


def fingerprint(settings: Iterable[SensitiveSetting]) -> str:
    """Return what a yes is bound to: another setting, value or place is another one.

    BLAKE3 over one line of JSON for each setting, sorted.
    """
    hasher = blake3()
    for setting in sorted(settings, key=_sort_key):
        line = [setting.artifact, setting.setting, setting.value, *setting.places]
        hasher.update(json.dumps(line).encode() + b"\n")
    return f"blake3:{hasher.hexdigest()}"


class TrustRules(msgspec.Struct, frozen=True, kw_only=True):
    """What ``ARTLOCK_TRUST`` says, as values.

    Attributes:
        hosts: Every setting of what talks to these is trusted; lower case, without port.
        settings: ``(setting, value)`` that is trusted wherever it stands.
    """

    hosts: frozenset[str] = frozenset()
    settings: frozenset[tuple[str, str]] = frozenset()

    def covers(self, setting: SensitiveSetting) -> bool:
        """Tell whether ``setting`` is trusted."""
        return (
            setting.host in self.hosts or (setting.setting, setting.value) in self.settings
        )


class TrustStore(msgspec.Struct, frozen=True, kw_only=True):
    """What this user said yes to, on this machine.

    Attributes:
        projects: ``(absolute path of the project, fingerprints)``, both sorted; several
            fingerprints, so that switching branches does not ask again.
    """

    projects: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def trusts(self, project: str, print_: str) -> bool:
        """Tell whether the settings with this fingerprint are trusted in ``project``."""
        return print_ in dict(self.projects).get(project, ())

    def trusting(self, project: str, print_: str) -> TrustStore:
        """Return a store that trusts these settings too."""
        projects = dict(self.projects)
        projects[project] = tuple(sorted({*projects.get(project, ()), print_}))
        return TrustStore(projects=tuple(sorted(projects.items())))

    def forgetting(self, project: str) -> TrustStore:
        """Return a store that trusts nothing in ``project``."""
        return TrustStore(projects=tuple(p for p in self.projects if p[0] != project))
