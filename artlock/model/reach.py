"""How a source is reached: the repository's settings, the user's own, and trust together.

* The user's own setting wins over the repository's.
* An untrusted ``endpoint`` or ``ca-bundle`` is refused: without it another service would
  answer, or none.
* Any other untrusted setting is dropped, and then the source is read anonymously, unless
  the user's own settings say how: no credentials are used on the word of a repository.
* ``${NAME}`` in headers is looked up last, and only in headers that are in force.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from artlock.errors import ConfigError, PolicyError
from artlock.model.manifest import Access
from artlock.model.trust import reaches, settings_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from artlock.model.manifest import Artifact
    from artlock.model.settings import Settings
    from artlock.model.trust import TrustRules
    from artlock.model.uri import Uri

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""The name of an environment variable, as header values may have it."""
_CREDENTIALS = ("profile", "role-arn", "user-project", "requester-pays")
_INDISPENSABLE = ("endpoint", "ca-bundle")
_UNSET = Access()


def effective_access(
    artifact: Artifact,
    settings: Settings,
    *,
    trusted: bool,
    rules: TrustRules,
    environment: Mapping[str, str],
    uri: Uri | None = None,
) -> tuple[Access, tuple[str, ...]]:
    """Return the settings in force for a source, and the names of those that were dropped.

    Args:
        artifact: What declares the source.
        settings: The user's own.
        trusted: Whether the user trusts the sensitive settings of this manifest.
        rules: What ``ARTLOCK_TRUST`` trusts.
        environment: Where ``${NAME}`` in headers is looked up.
        uri: The source itself if ``None``, else one of its mirrors.

    Raises:
        PolicyError: ``endpoint`` or ``ca-bundle`` is not trusted.
        ConfigError: A header in force names a variable that is not set or cannot be sent.
    """
    uri = uri or artifact.uri
    source = settings.source_for(uri)
    given = frozenset(source.given) if source else frozenset[str]()
    own = source.access if source else _UNSET
    own_headers = {f"headers.{name}".casefold() for name, _ in own.headers}
    dropped = []
    for setting in settings_of(artifact) if reaches(artifact, uri) else ():
        overruled = setting.setting in given or setting.setting.casefold() in own_headers
        if not overruled and not trusted and not rules.covers(setting):
            dropped.append(setting.setting)
    _refuse_without(dropped, artifact, uri)
    declared = artifact.access if reaches(artifact, uri) else _UNSET
    access = _merged(_without(declared, dropped), own, given)
    if dropped and not given:
        access = replace(_without(access, _CREDENTIALS), anonymous=True)
    headers = tuple((n, _expanded(n, v, uri, environment)) for n, v in access.headers)
    return replace(access, headers=headers), tuple(dropped)


def _refuse_without(dropped: list[str], artifact: Artifact, uri: Uri) -> None:
    missing = [name for name in dropped if name in _INDISPENSABLE]
    if missing:
        names = " and ".join(f"`{name}`" for name in missing)
        message = f"{names} of `{artifact.name}` is not trusted, so `{uri}` is not read"
        hint = (
            "look at `artlock trust`, or put the settings into your own configuration; "
            "in CI name the host in `ARTLOCK_TRUST`"
        )
        raise PolicyError(message, hint=hint)


def _without(access: Access, names: Collection[str]) -> Access:
    """Return ``access`` without the identities of these names."""
    headers = tuple(h for h in access.headers if f"headers.{h[0]}" not in names)
    return replace(
        access,
        profile=None if "profile" in names else access.profile,
        role_arn=None if "role-arn" in names else access.role_arn,
        user_project=None if "user-project" in names else access.user_project,
        requester_pays=access.requester_pays and "requester-pays" not in names,
        headers=headers,
    )


def _merged(declared: Access, own: Access, given: frozenset[str]) -> Access:
    """Return ``declared`` with the user's own settings of the names ``given`` in place."""
    if not given:
        return declared
    if own.anonymous:
        declared = _without(declared, _CREDENTIALS)
    elif given.intersection(_CREDENTIALS):
        # Who names a profile of their own does not mean to be anonymous.
        declared = replace(declared, anonymous=False)
    own_names = {name.casefold() for name, _ in own.headers}
    others = (h for h in declared.headers if h[0].casefold() not in own_names)
    return Access(
        endpoint=own.endpoint if "endpoint" in given else declared.endpoint,
        profile=own.profile if "profile" in given else declared.profile,
        role_arn=own.role_arn if "role-arn" in given else declared.role_arn,
        user_project=own.user_project if "user-project" in given else declared.user_project,
        ca_bundle=own.ca_bundle if "ca-bundle" in given else declared.ca_bundle,
        requester_pays=(
            own.requester_pays if "requester-pays" in given else declared.requester_pays
        ),
        region=own.region if "region" in given else declared.region,
        anonymous=own.anonymous if "anonymous" in given else declared.anonymous,
        headers=tuple(sorted((*others, *own.headers))),
    )


def _expanded(name: str, value: str, uri: Uri, environment: Mapping[str, str]) -> str:
    def found(match: re.Match[str]) -> str:
        text = environment.get(match[1])
        if text is None:
            message = f"header `{name}` for `{uri}` needs `{match[1]}`, which is not set"
            raise ConfigError(message, hint=f"set the environment variable `{match[1]}`")
        if not text.isprintable():
            # A line break would start another header; the value itself is never shown.
            message = f"`{match[1]}` has a control character and cannot be sent in `{name}`"
            raise ConfigError(message)
        return text

    return VARIABLE.sub(found, value)
