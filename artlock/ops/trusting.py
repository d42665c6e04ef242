"""The user's yes to a project's endpoints and identities: read, shown, recorded."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import msgspec

from artlock.errors import ConfigError, PolicyError
from artlock.formats.trust import format_trust, parse_trust, parse_trust_rules, trust_path
from artlock.fs.atomic import replace_file
from artlock.model.trust import (
    SensitiveSetting,
    TrustRules,
    TrustStore,
    fingerprint,
    sensitive_settings,
)
from artlock.ops.names import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from artlock.ops.project import Project


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Another user, who can change the manifest.

    Attributes:
        uid: Of that user.
        trusted: Whether this user, or ``ARTLOCK_TRUST``, agreed to that.
    """

    uid: int
    trusted: bool

    def __str__(self) -> str:
        return f"uid {self.uid}"


class TrustReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a project asks for, and whether it may.

    Attributes:
        settings: Each sensitive setting, sorted by artifact.
        trusted: Whether the user said yes to exactly these.
        by_environment: Those that ``ARTLOCK_TRUST`` covers.
        owner: Whose the manifest is, if it is another user's.
    """

    settings: tuple[SensitiveSetting, ...]
    trusted: bool
    by_environment: tuple[SensitiveSetting, ...]
    owner: Owner | None = None


def trust_report(project: Project) -> TrustReport:
    """Tell what the manifest asks for that needs trust.

    Raises:
        ConfigError: The trust file or ``ARTLOCK_TRUST`` is not valid.
    """
    settings = sensitive_settings(project.manifest)
    rules = rules_of(project.runtime.environ)
    return TrustReport(
        settings=settings,
        trusted=is_trusted(project),
        by_environment=tuple(s for s in settings if rules.covers(s)),
        owner=_foreign_owner(project),
    )


def refuse_foreign(project: Project) -> None:
    """Refuse a manifest of another user that this one has not agreed to (hazard 5.29).

    It says what is fetched with this user's credentials, into a folder that the other one
    can read. What root has written is everybody's.

    Raises:
        PolicyError: It is another user's.
        ConfigError: The trust file or ``ARTLOCK_TRUST`` is not valid.
    """
    owner = _foreign_owner(project)
    if owner is None or owner.trusted:
        return
    message = f"`{project.root / MANIFEST}` belongs to another user ({owner})"
    hint = (
        "if you know whose it is, run `artlock trust` there; in CI, set "
        f"`ARTLOCK_TRUST=owner={owner.uid}`"
    )
    raise PolicyError(message, hint=hint)


def _foreign_owner(project: Project) -> Owner | None:
    if not hasattr(os, "geteuid"):
        return None  # Windows has other ways to say whose a file is
    manifest = project.root / MANIFEST
    mine = {os.geteuid(), 0}
    environ = project.runtime.environ
    if os.geteuid() == 0 and environ.get("SUDO_UID", "").isdecimal():
        mine.add(int(environ["SUDO_UID"]))
    try:
        # Of a link both count: who made it chooses what it leads to.
        owners = {manifest.lstat().st_uid, manifest.stat().st_uid} - mine
    except OSError:
        return None  # it was read a moment ago; whoever reads it again says what is wrong
    if not owners:
        return None
    named = {("owner", str(uid)) for uid in owners} <= rules_of(environ).settings
    return Owner(uid=min(owners), trusted=named or _is_recorded(project))


def is_trusted(project: Project) -> bool:
    """Tell whether the user said yes to exactly the settings that the manifest has now."""
    return not sensitive_settings(project.manifest) or _is_recorded(project)


def _is_recorded(project: Project) -> bool:
    known = _read(trust_path(project.runtime.environ))
    print_ = fingerprint(sensitive_settings(project.manifest))
    return known.trusts(str(project.root), print_)


def set_trust(project: Project, *, trusted: bool) -> None:
    """Record a yes to the settings that the manifest has now, or forget every yes.

    Raises:
        ConfigError: The trust file cannot be written, or others could change it.
    """
    path = trust_path(project.runtime.environ)
    known = _read(path)
    root = str(project.root)
    print_ = fingerprint(sensitive_settings(project.manifest))
    after = known.trusting(root, print_) if trusted else known.forgetting(root)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Whatever the mask is: a file that others could have written is not believed.
        replace_file(path, format_trust(after).encode(), mode=0o600)
    except OSError as error:
        message = f"`{path}` cannot be written: {error.strerror}"
        raise ConfigError(message) from error


def rules_of(environ: Mapping[str, str]) -> TrustRules:
    """Return what ``ARTLOCK_TRUST`` trusts.

    Raises:
        ConfigError: It is malformed.
    """
    return parse_trust_rules(environ.get("ARTLOCK_TRUST", ""))


def _read(path: Path) -> TrustStore:
    """Read the trust file; one that others could have written is refused."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            text = file.read().decode("utf-8")
    except FileNotFoundError:
        return TrustStore()
    except (OSError, UnicodeDecodeError) as error:
        message = f"`{path}` cannot be read: {error}"
        raise ConfigError(message) from error
    owned = not hasattr(os, "geteuid") or status.st_uid in {os.geteuid(), 0}
    if not owned or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        message = f"`{path}` could have been written by others"
        raise ConfigError(message, hint=f"run `chmod 600 {path}`")
    return parse_trust(text, name=str(path))
