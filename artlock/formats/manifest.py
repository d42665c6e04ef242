"""``artifacts.toml``: text to values. ``docs/reference/manifest.md`` is the authority.

Every fault of the file is told at once, each with its line. The schema is strict and the
size is bounded (hazard 5.11), and nothing here reads a file or the environment.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from artlock.errors import ManifestError
from artlock.formats.artifact import ARTIFACT_KEYS, read_artifact
from artlock.formats.faults import Faults, load_toml, render_key
from artlock.formats.fields import Table
from artlock.formats.trackers import read_trackers
from artlock.model.manifest import SPLIT_ABOVE, ChecksumPolicy, Manifest, Policy
from artlock.model.paths import fold
from artlock.model.tokens import Trust
from artlock.model.uri import Uri

if TYPE_CHECKING:
    from artlock.model.manifest import Artifact

MANIFEST_NAME = "artifacts.toml"
SCHEMA_VERSION = 1
"""The one version of the schema that there is."""
MANIFEST_KEYS = ("artlock", "policy", "trackers", "artifacts", "tool")
PROJECT_KEYS = ("version", "name", "checksum", "portable", "split-above")
POLICY_KEYS = ("allow", "require", "require-version-ids")
_MOST_SPLIT = 1 << 30
"""The size of the largest lockfile: then nothing is ever split."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_PROJECT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Without the signs of a ref: ``name:v3``, ``name@alias``, ``TRACKER#name``."""


def parse_manifest(text: str, *, name: str = MANIFEST_NAME) -> Manifest:
    """Read a manifest.

    Args:
        text: The file's text.
        name: What the file is called in messages.

    Raises:
        ManifestError: Not TOML, of a later schema, or with faults; all are told.
    """
    content = load_toml(text, name=name, error=ManifestError)
    _refuse_later_schema(content, name)
    faults = Faults()
    document = Table(content, place=(), faults=faults, known=MANIFEST_KEYS)
    project = document.table("artlock", PROJECT_KEYS)
    project.number("version", least=SCHEMA_VERSION, most=SCHEMA_VERSION)
    checksum = project.choice("checksum", ChecksumPolicy)
    portable = project.flag("portable")
    split_above = project.number("split-above", least=0, most=_MOST_SPLIT)
    policy = _policy(document.table("policy", POLICY_KEYS))
    trackers = read_trackers(document)
    document.entries("tool")
    artifacts = [
        artifact
        for artifact_name, table in document.tables("artifacts", ARTIFACT_KEYS)
        if (
            artifact := read_artifact(
                table, artifact_name, checksum=checksum, portable=portable is not False
            )
        )
    ]
    _check_places(artifacts, faults)
    manifest = Manifest(
        artifacts=tuple(sorted(artifacts, key=lambda artifact: artifact.name)),
        name=_project_name(project),
        policy=policy,
        trackers=trackers,
        split_above=SPLIT_ABOVE if split_above is None else split_above,
    )
    faults.refuse(ManifestError, name=name, text=text)
    return manifest


def _refuse_later_schema(content: dict[str, object], name: str) -> None:
    """Refuse before anything else is judged: what is new must not look like a mistake."""
    project = content.get("artlock")
    version = project.get("version") if isinstance(project, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        message = f"`{name}` is of version {version}; this artlock reads {SCHEMA_VERSION}"
        raise ManifestError(message, hint="upgrade artlock")


def _project_name(table: Table) -> str | None:
    name = table.text("name")
    if name is not None and not _PROJECT_NAME.fullmatch(name):
        reason = "is not a name: letters, digits, `.`, `_` and `-`, at most 128"
        table.fault("name", reason)
    return name


def _policy(table: Table) -> Policy:
    allow = table.texts("allow", _problem_with_prefix)
    return Policy(
        allow=tuple(_prefix(text) for text in allow if not _problem_with_prefix(text)),
        require=table.choice("require", Trust) or Trust.NONE,
        require_version_ids=table.flag("require-version-ids") or False,
    )


def _problem_with_prefix(text: str) -> str | None:
    if not _SCHEME.match(text):
        return "has no scheme; write a prefix such as `s3://bucket/`"
    try:
        _prefix(text)
    except ValueError as error:
        return str(error)
    return None


def _prefix(text: str) -> str:
    """Return a prefix as URIs are spelled, so that comparing text is enough."""
    if text.endswith("://"):
        scheme = text.lower()
        return "gs://" if scheme == "gcs://" else scheme
    return str(Uri.parse(text))


def _check_places(artifacts: list[Artifact], faults: Faults) -> None:
    """Note artifacts that would write into each other (hazard 2.26).

    Compared as the most forgiving file system would; links write nothing.
    """
    placed = sorted(
        (fold(artifact.folder).split("/"), artifact.name, artifact.folder)
        for artifact in artifacts
        if not artifact.is_link
    )
    # In this order all places below a folder follow it directly.
    outer: tuple[list[str], str, str] | None = None
    for place in placed:
        if outer is not None and place[0][: len(outer[0])] == outer[0]:
            reason = (
                f"`{place[2]}` is inside of `{outer[2]}`, the place of "
                f"`{render_key(outer[1])}`; give one of them another `path`"
            )
            faults.add(("artifacts", place[1], "path"), reason)
        else:
            outer = place
