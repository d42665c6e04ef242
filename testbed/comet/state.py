"""What a Comet backend remembers: experiments, artifacts, their versions and files.

The answers are those that the real SDK (comet-ml 3.58) was seen to read. Where the real
backend's behaviour is not known, the docstring says what is assumed.
"""

import re
import secrets
import threading
from dataclasses import dataclass, field
from typing import TypeAlias

Json: TypeAlias = dict[str, object]

CLOSED = "CLOSED"
_SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


class RefusedError(Exception):
    """An answer other than 200.

    Attributes:
        status: The HTTP status.
        code: Comet's own, in ``sdk_error_code``.
        text: For the person.

    """

    def __init__(self, code: int, text: str, *, status: int = 400) -> None:
        """Describe the answer."""
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text


@dataclass(slots=True, kw_only=True)
class File:
    """One entry of a version, as a batch brought it."""

    asset: str
    place: str
    link: str
    metadata: str | None


@dataclass(slots=True, kw_only=True)
class Version:
    """One version of an artifact."""

    id: str
    number: str
    experiment: str
    metadata: str | None
    aliases: list[str]
    tags: list[str]
    state: str | None = None
    files: list[File] = field(default_factory=list)
    consumers: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class _Artifact:
    id: str
    workspace: str
    name: str
    kind: str
    versions: list[Version] = field(default_factory=list)


class Backend:
    """The state, safe to use from the threads of many connections."""

    def __init__(self, *, moves_aliases: bool) -> None:
        """Start without artifacts.

        Args:
            moves_aliases: Whether an alias leaves the version that had it (assumed).

        """
        self._moves_aliases = moves_aliases
        self.mutex = threading.RLock()
        self.experiments: dict[str, tuple[str, str]] = {}
        self._artifacts: list[_Artifact] = []

    def add_experiment(self, key: str, workspace: str, project: str) -> None:
        """Remember an experiment.

        Raises:
            RefusedError: There is one of that key.

        """
        with self.mutex:
            if key in self.experiments:
                raise RefusedError(90098, "experiment exists")
            self.experiments[key] = (workspace, project)

    def has_experiment(self, key: str) -> None:
        """Check that there is such an experiment.

        Raises:
            RefusedError: There is not.

        """
        if key not in self.experiments:
            raise RefusedError(90210, f"experiment {key} does not exist")

    def upsert(self, request: Json) -> Json:
        """Make a version; without a number it is the next major one.

        Raises:
            RefusedError: It exists (90399), or its number is none (42001).

        """
        with self.mutex:
            key = str(request["experimentKey"])
            self.has_experiment(key)
            workspace, _ = self.experiments[key]
            artifact = self._find_or_make(
                workspace, str(request["artifactName"]), str(request["artifactType"])
            )
            previous = artifact.versions[-1].number if artifact.versions else None
            number = request.get("version")
            if number is None:
                number = f"{len(artifact.versions) + 1}.0.0"
            if not isinstance(number, str) or not _SEMVER.fullmatch(number):
                raise RefusedError(42001, "not a version")
            if any(version.number == number for version in artifact.versions):
                raise RefusedError(90399, f"version {number} exists")
            made = Version(
                id=secrets.token_hex(16),
                number=number,
                experiment=key,
                metadata=_text(request.get("versionMetadata")),
                aliases=[],
                tags=_texts(request.get("versionTags")),
            )
            artifact.versions.append(made)
            self._point(artifact, made, _texts(request.get("alias")))
            return {
                "artifactId": artifact.id,
                "artifactVersionId": made.id,
                "currentVersion": number,
                "previousVersion": previous,
            }

    def add_files(self, items: list[Json]) -> None:
        """Add what a batch brings, to whichever versions it names."""
        with self.mutex:
            for item in items:
                version = self.version(str(item["artifactVersionId"]))
                version.files.append(
                    File(
                        asset=str(item["assetId"]),
                        place=str(item["fileName"]),
                        link=str(item["link"]),
                        metadata=_text(item.get("metadata")),
                    )
                )

    def set_state(self, request: Json) -> None:
        """Close a version, or say that it failed."""
        with self.mutex:
            self.version(str(request["artifactVersionId"])).state = str(request["state"])

    def set_labels(self, request: Json) -> None:
        """Replace labels and metadata of a version; an alias leaves the one that had it."""
        with self.mutex:
            version_id = str(request["artifactVersionId"])
            version = self.version(version_id)
            artifact = next(a for a in self._artifacts if version in a.versions)
            version.metadata = _text(request.get("versionMetadata"))
            version.tags = _texts(request.get("versionTags"))
            self._point(artifact, version, _texts(request.get("alias")))

    def version_details(self, query: dict[str, str]) -> Json:
        """Answer ``artifacts/version``; a consumer that it names is remembered.

        Raises:
            RefusedError: No such version (624523), or it is not closed (90403), unless it
                is asked for by its ids.

        """
        with self.mutex:
            if "versionId" in query:
                version = self.version(query["versionId"])
                artifact = next(a for a in self._artifacts if version in a.versions)
            else:
                artifact = self.artifact(query["workspace"], query["artifactName"])
                version = self._pick(artifact, query)
                if version.state != CLOSED:
                    raise RefusedError(90403, "version is not finalised")
            consumer = query.get("consumerExperimentKey")
            if consumer and consumer not in version.consumers:
                version.consumers.append(consumer)
            return {
                "artifact": {
                    "artifactId": artifact.id,
                    "artifactName": artifact.name,
                    "artifactType": artifact.kind,
                    "workspaceName": artifact.workspace,
                    "tags": [],
                },
                "artifactVersionId": version.id,
                "artifactVersion": version.number,
                "metadata": version.metadata,
                "alias": version.aliases,
                "tags": version.tags,
                "sizeInBytes": 0,
                "experimentKey": version.experiment,
            }

    def files(self, query: dict[str, str]) -> Json:
        """Answer ``artifacts/version/files``."""
        with self.mutex:
            if "artifact_id" in query:
                artifact = next(a for a in self._artifacts if a.id == query["artifact_id"])
            else:
                artifact = self.artifact(query["workspace"], query["artifactName"])
            version = self._pick(artifact, query)
            return {
                "files": [
                    {
                        "artifactId": artifact.id,
                        "artifactVersionId": version.id,
                        "assetId": file.asset,
                        "fileName": file.place,
                        "fileSize": 0,
                        "link": file.link,
                        "dir": file.place.rpartition("/")[0],
                        "type": "unknown",
                        "metadata": file.metadata,
                        "remote": True,
                    }
                    for file in version.files
                ]
            }

    def details(self, query: dict[str, str], *, tells_state: bool) -> Json:
        """Answer ``artifacts/get``: every version, closed or not (assumed)."""
        with self.mutex:
            artifact = self.artifact(query["workspace"], query["artifactName"])
            return {
                "artifactId": artifact.id,
                "type": artifact.kind,
                "name": artifact.name,
                "workspace": artifact.workspace,
                "latestVersion": artifact.versions[-1].number,
                "versions": [
                    {
                        "artifactVersionId": version.id,
                        "version": version.number,
                        "metadata": version.metadata,
                        "state": version.state if tells_state else None,
                        "added": 0,
                        "alias": version.aliases,
                        "tags": version.tags,
                    }
                    for version in artifact.versions
                ],
            }

    def all_of(self, workspace: str, kind: str | None) -> Json:
        """Answer ``artifacts/get-all`` (its shape is assumed)."""
        with self.mutex:
            return {
                "artifacts": [
                    {"artifactId": a.id, "name": a.name, "type": a.kind}
                    for a in self._artifacts
                    if a.workspace == workspace and kind in {None, a.kind}
                ]
            }

    def artifact(self, workspace: str, name: str) -> _Artifact:
        """Return an artifact.

        Raises:
            RefusedError: There is none (624522).

        """
        for artifact in self._artifacts:
            if (artifact.workspace, artifact.name) == (workspace, name):
                return artifact
        raise RefusedError(624522, "artifact not found")

    def version(self, version_id: str) -> Version:
        """Return a version.

        Raises:
            RefusedError: There is none (624523).

        """
        for artifact in self._artifacts:
            for version in artifact.versions:
                if version.id == version_id:
                    return version
        raise RefusedError(624523, "version not found")

    def _find_or_make(self, workspace: str, name: str, kind: str) -> _Artifact:
        try:
            return self.artifact(workspace, name)
        except RefusedError:
            made = _Artifact(
                id=secrets.token_hex(16), workspace=workspace, name=name, kind=kind
            )
            self._artifacts.append(made)
            return made

    def _point(self, artifact: _Artifact, version: Version, aliases: list[str]) -> None:
        for other in artifact.versions if self._moves_aliases else ():
            other.aliases = [alias for alias in other.aliases if alias not in aliases]
        version.aliases = list(aliases)

    @staticmethod
    def _pick(artifact: _Artifact, query: dict[str, str]) -> Version:
        wanted = query.get("versionOrAlias")
        number, alias = query.get("version", wanted), query.get("alias", wanted)
        for version in reversed(artifact.versions):
            is_newest = all(v is None for v in (number, alias))
            if version.number == number or alias in version.aliases or is_newest:
                return version
        raise RefusedError(624523, "version not found")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
