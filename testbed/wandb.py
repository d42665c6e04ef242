"""Stand in for a Weights & Biases server, for its real client.

What W&B's client 0.31 asks when a run logs an artifact, and when its public API looks for
one: GraphQL below ``/graphql``, uploads and downloads of files, a stream of run files. How
the real server numbers, finds and deduplicates is W&B's documentation; where that says
nothing, what is here is a guess, and marked so.
"""

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from testbed.delivery import Reply, deliver
from testbed.graphql import Arguments, GraphQLError, Operation, Value, parse
from testbed.ports import LOOPBACK
from testbed.wire import Exchange, Listener, RecordingServer

API_KEY = "local-" + "0123456789abcdef" * 2 + "01234567"
"""The one key that the server takes; 40 characters behind its prefix, as W&B's are."""
_LATEST = "latest"
_TIME = "2026-11-26T21:00:00Z"
_Node: TypeAlias = dict[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What one kind of request gets instead of its answer.

    Attributes:
        operation: Name of a GraphQL operation, or a path's first segment, such as
            ``upload``; empty for every request.
        status: Of the answer; 200 with a body that is no JSON is possible too.
        body: Of the answer.
        times: How often; -1 for always.
        seconds: How long the answer takes.

    """

    operation: str = ""
    status: int = 500
    body: bytes = b"<html>broken</html>"
    times: int = -1
    seconds: float = 0.0


@dataclass(slots=True, kw_only=True)
class _Run:
    id: str
    name: str
    state: str = "running"
    job_type: str = ""
    output: "list[_Artifact]" = field(default_factory=list)
    input: "list[_Artifact]" = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class _Artifact:
    """A version. Attributes are what the client calls them."""

    id: str
    collection: "_Collection"
    digest: str
    metadata: str | None
    description: str | None
    created_by: str
    state: str = "PENDING"
    index: int | None = None
    tags: list[str] = field(default_factory=list)
    aliases_when_done: list[str] = field(default_factory=list)
    used_by: list[str] = field(default_factory=list)
    manifest: str = ""
    files: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Collection:
    name: str
    type: str
    project: "_Project"
    versions: list[_Artifact] = field(default_factory=list)
    aliases: dict[str, _Artifact] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Project:
    entity: str
    name: str
    collections: dict[str, _Collection] = field(default_factory=dict)
    runs: dict[str, _Run] = field(default_factory=dict)


class WandbServer(RecordingServer):
    """A threaded stand-in on loopback; it answers within its ``with`` block.

    Attributes:
        shows_pending: Whether a version has its number and its aliases, and is shown to
            whoever asks by them, before it is committed; W&B's documentation says neither.
        operations: Names and variables of what GraphQL was asked.
        bodies: Of all requests.
        entities: Those that are there.

    """

    def __init__(self) -> None:
        """Describe a server without projects, whose one key is ``API_KEY``."""
        super().__init__(Listener(self._answer))
        self._mutex = threading.RLock()
        self._projects: dict[tuple[str, str], _Project] = {}
        self._artifacts: dict[str, _Artifact] = {}
        self._stored: dict[str, bytes] = {}
        self._failures: list[Failure] = []
        self._gathering: tuple[str, threading.Barrier] | None = None
        self.shows_pending = False
        self.operations: list[tuple[str, Mapping[str, Value]]] = []
        self.bodies: list[bytes] = []
        self.entities = {"team"}

    @property
    def endpoint(self) -> str:
        """What ``WANDB_BASE_URL`` is to be."""
        return f"http://{LOOPBACK}:{self._listener.port}"

    def fail(self, failure: Failure) -> None:
        """Let some requests fail from now on."""
        with self._mutex:
            self._failures.append(failure)

    def gather(self, operation: str, count: int) -> None:
        """Let the next requests of an operation wait until there are so many."""
        with self._mutex:
            self._gathering = operation, threading.Barrier(count)

    def heal(self) -> None:
        """Answer everything again."""
        with self._mutex:
            self._failures.clear()

    def asked(self, operation: str) -> int:
        """Return how often a GraphQL operation came."""
        with self._mutex:
            return sum(1 for name, _ in self.operations if name == operation)

    def add_run(self, entity: str, project: str, run: str) -> None:
        """Let there be a run, as a training of somebody would make it."""
        with self._mutex:
            self._run(self._project(entity, project), run)

    def add_version(self, entity: str, project: str, name: str, metadata: Value) -> None:
        """Let there be one more version of a name, as somebody's own script makes it."""
        with self._mutex:
            collection = self._project(entity, project).collections[name]
            version = _Artifact(
                id=f"artifact-{secrets.token_hex(6)}",
                collection=collection,
                digest=secrets.token_hex(16),
                metadata=json.dumps(metadata),
                description=None,
                created_by="",
                state="COMMITTED",
                index=len(_finished(collection)),
            )
            collection.versions.append(version)
            collection.aliases[_LATEST] = version
            self._artifacts[version.id] = version

    def runs(self, entity: str, project: str) -> Mapping[str, str]:
        """Return the runs of a project with their states."""
        with self._mutex:
            found = self._projects.get((entity, project))
            return {run.name: run.state for run in found.runs.values()} if found else {}

    def versions(self, entity: str, project: str, name: str) -> int:
        """Return how many finished versions a name has."""
        with self._mutex:
            return len(_finished(self._projects[entity, project].collections[name]))

    def manifest(self, entity: str, project: str, name: str, index: int) -> Any:  # noqa: ANN401 - JSON
        """Return the manifest of a version."""
        with self._mutex:
            version = self._projects[entity, project].collections[name].versions[index]
            return json.loads(self._stored[version.manifest])

    # -- HTTP

    def _answer(self, exchange: Exchange) -> None:
        body = b"".join(exchange.request_body())
        parts = exchange.path_on_wire.strip("/").split("/")
        operation = None
        with self._mutex:
            self.bodies.append(body)
        if parts[0] == "graphql":
            request = json.loads(body)
            operation = parse(request["query"], request.get("variables") or {})
            with self._mutex:
                self.operations.append((operation.name, operation.variables))
        if operation and self._gathering and operation.name == self._gathering[0]:
            with suppress(threading.BrokenBarrierError):  # then they come one by one
                self._gathering[1].wait(timeout=10)
        failure = self._failure(operation.name if operation else parts[0])
        if failure is not None:
            exchange.stopping.wait(failure.seconds)
            _reply(exchange, failure.status, failure.body, "text/html")
        elif parts[0] in {"upload", "download"}:
            self._carry(exchange, parts[0], parts[1], body)
        elif not self._may(exchange):
            _reply(exchange, 401, b'{"error":"invalid API key"}')
        elif operation is not None:
            _reply(exchange, 200, self._execute(operation))
        elif parts[0] == "artifactsV2":
            self._carry(exchange, "download", self._stored_as(parts), body)
        elif parts[0] == "files":
            self._stream(parts[1], parts[2], parts[3], json.loads(body))
            _reply(exchange, 200, b"{}")
        else:  # what a later client may add
            _reply(exchange, 200, b"{}")

    def _may(self, exchange: Exchange) -> bool:
        given = exchange.headers.get("Authorization", "")
        return given == "Basic " + base64.b64encode(f"api:{API_KEY}".encode()).decode()

    def _failure(self, operation: str) -> Failure | None:
        with self._mutex:
            for index, failure in enumerate(self._failures):
                if failure.operation not in {"", operation} or failure.times == 0:
                    continue
                if failure.times > 0:
                    left = Failure(
                        operation=failure.operation,
                        status=failure.status,
                        body=failure.body,
                        times=failure.times - 1,
                        seconds=failure.seconds,
                    )
                    self._failures[index] = left
                return failure
            return None

    def _carry(self, exchange: Exchange, way: str, token: str, body: bytes) -> None:
        with self._mutex:
            if way == "upload":
                self._stored[token] = body
            found = self._stored.get(token)
        if found is None:
            _reply(exchange, 404, b"")
        else:
            content = b"" if way == "upload" else found
            _reply(exchange, 200, content, "application/octet-stream")

    def _stream(self, entity: str, project: str, run: str, given: Value) -> None:
        """Take what a run says of itself; all that is kept is how it ended."""
        if given.get("complete"):
            with self._mutex:
                found = self._projects[entity, project].runs[run]
                found.state = "failed" if given.get("exitcode") else "finished"

    def _stored_as(self, parts: list[str]) -> str:
        """Return the token of a file that is asked for by its MD5, in hex."""
        digest = base64.b64encode(bytes.fromhex(parts[-2])).decode()
        with self._mutex:
            for artifact in self._artifacts.values():
                if digest in artifact.files:
                    return artifact.files[digest]
        return ""

    def _execute(self, operation: Operation) -> bytes:
        with self._mutex:
            try:
                data = operation.execute(self._root())
            except GraphQLError as error:
                answer: _Node = {"errors": [{"message": str(error)}], "data": None}
            else:
                answer = {"data": data}
        return json.dumps(answer).encode()

    # -- GraphQL

    def _root(self) -> _Node:
        return {
            "serverInfo": {"features": []},
            "viewer": {
                "id": "viewer",
                "entity": "team",
                "username": "ada",
                "email": "",
                "flags": "{}",
                "teams": {"edges": []},
            },
            "entity": lambda a: {"name": a["name"]} if a["name"] in self.entities else None,
            "project": self._find_project,
            "model": self._find_project,
            "artifact": lambda a: self._version_node(self._artifacts.get(a["id"])),
            "clientIDMapping": None,
            "upsertBucket": self._upsert_run,
            "createRunFiles": self._create_run_files,
            "createArtifact": self._create_artifact,
            "createArtifactManifest": self._create_manifest,
            "updateArtifactManifest": self._update_manifest,
            "createArtifactFiles": self._create_files,
            "commitArtifact": self._commit,
            "updateArtifact": self._update_artifact,
            "addAliases": self._add_aliases,
            "deleteAliases": self._delete_aliases,
            "useArtifact": self._use_artifact,
        }

    def _project(self, entity: str, name: str) -> _Project:
        if entity not in self.entities:
            message = f"entity {entity} not found"
            raise GraphQLError(message)
        new = _Project(entity=entity, name=name)
        return self._projects.setdefault((entity, name), new)

    def _run(self, project: _Project, run: str) -> _Run:
        return project.runs.setdefault(run, _Run(id=f"run-{run}", name=run))

    def _find_project(self, arguments: Arguments) -> _Node | None:
        key = arguments.get("entityName") or "team", arguments["name"]
        project = self._projects.get(key)
        return self._project_node(project) if project else None

    def _project_node(self, project: _Project) -> _Node:
        return {
            **_about(project),
            "run": lambda a: self._run_node(project, a["name"]),
            "bucket": lambda a: self._run_node(project, a["name"]),
            "artifactType": lambda a: self._type_node(project, a["name"]),
            "artifact": lambda a: self._version_node(_named(project, a["name"])),
            "artifactCollection": lambda a: self._collection_node(
                project.collections.get(a["name"])
            ),
            "artifactCollectionMembership": lambda a: self._membership(project, a["name"]),
        }

    def _run_node(self, project: _Project, name: str) -> _Node | None:
        run = project.runs.get(name)
        if run is None:
            return None
        return {
            "__typename": "Run",
            "id": run.id,
            "name": run.name,
            "displayName": run.name,
            "state": run.state,
            "jobType": run.job_type,
            "config": "{}",
            "summaryMetrics": "{}",
            "systemMetrics": "{}",
            "tags": [],
            "historyLineCount": 0,
            "logLineCount": 0,
            "eventsLineCount": 0,
            "historyTail": "[]",
            "eventsTail": "[]",
            "wandbConfig": "{}",
            "createdAt": _TIME,
            "heartbeatAt": _TIME,
            "projectId": "1",
            "user": {"name": "ada", "username": "ada"},
            "project": _about(project),
        }

    def _type_node(self, project: _Project, name: str) -> _Node | None:
        found = [c for c in project.collections.values() if c.type == name]
        if not found:
            return None
        return {
            "__typename": "ArtifactType",
            "id": f"type-{name}",
            "name": name,
            "createdAt": _TIME,
            "artifactCollection": lambda a: self._collection_node(
                next((c for c in found if c.name == a["name"]), None)
            ),
            "artifactCollections": lambda a: _connection(
                [{"node": self._collection_node(c)} for c in found], a
            ),
        }

    def _collection_node(self, collection: _Collection | None) -> _Node | None:
        if collection is None:
            return None
        return {
            **_about_collection(collection),
            "artifacts": lambda a: _connection(
                [
                    {"version": f"v{v.index}", "node": self._version_node(v)}
                    for v in reversed(_finished(collection))
                ],
                a,
            ),
            "artifactMembership": lambda a: self._membership(
                collection.project, f"{collection.name}:{a['aliasName']}"
            ),
        }

    def _membership(self, project: _Project, name: str) -> _Node | None:
        version = _named(project, name)
        is_shown = version and (version.state == "COMMITTED" or self.shows_pending)
        if version is None or not is_shown:
            return None
        return {
            "__typename": "ArtifactCollectionMembership",
            "id": f"membership-{version.id}",
            "versionIndex": version.index,
            "createdAt": _TIME,
            "aliases": _aliases(version),
            "artifactCollection": _about_collection(version.collection),
            "artifact": self._version_node(version),
            "files": lambda a: _connection(
                [{"node": node} for node in self._files(version, a.get("names"))], a
            ),
        }

    def _files(self, version: _Artifact, names: Iterable[str] | None) -> list[_Node]:
        contents = json.loads(self._stored[version.manifest])["contents"]
        wanted = contents if names is None else names
        return [
            {
                "__typename": "File",
                "id": f"file-{name}",
                "name": name,
                "displayName": name,
                "sizeBytes": contents[name]["size"],
                "directUrl": self._download(version.files[contents[name]["digest"]]),
            }
            for name in wanted
            if name in contents and "ref" not in contents[name]
        ]

    def _version_node(self, version: _Artifact | None) -> _Node | None:
        if version is None:
            return None
        project = version.collection.project
        latest = version.collection.aliases.get(_LATEST)
        return {
            "__typename": "Artifact",
            "id": version.id,
            "artifactSequence": {
                **_about_collection(version.collection),
                "latestArtifact": latest
                and {"id": latest.id, "versionIndex": latest.index},
            },
            "versionIndex": version.index,
            "artifactType": {"name": version.collection.type},
            "description": version.description,
            "metadata": version.metadata,
            "ttlDurationSeconds": -2,
            "ttlIsInherited": True,
            "tags": [
                {"__typename": "Tag", "id": f"tag-{tag}", "name": tag}
                for tag in version.tags
            ],
            "historyStep": None,
            "state": version.state,
            "size": 0,
            "digest": version.digest,
            "commitHash": "",
            "fileCount": len(version.files),
            "createdAt": _TIME,
            "updatedAt": _TIME,
            "aliases": _aliases(version),
            "currentManifest": version.manifest
            and {"file": {"directUrl": self._download(version.manifest)}},
            "createdBy": self._run_node(project, version.created_by),
            "usedBy": {
                "edges": [{"node": self._run_node(project, run)} for run in version.used_by]
            },
            "filesByManifestEntries": lambda a: _connection(
                [
                    {
                        "node": {
                            "name": entry["name"],
                            "directUrl": self._download(version.files[entry["digest"]]),
                        }
                    }
                    for entry in a["entries"]
                ],
                a,
            ),
        }

    # -- mutations

    def _upsert_run(self, arguments: Arguments) -> _Node:
        given = arguments["input"]
        entity = given.get("entityName") or "team"
        project = self._project(entity, given["modelName"])
        by_id = next((r for r in project.runs.values() if r.id == given.get("id")), None)
        is_new = by_id is None and given["name"] not in project.runs
        run = by_id or self._run(project, given["name"])
        run.state = given.get("state") or run.state
        run.job_type = given.get("jobType") or run.job_type
        return {"bucket": self._run_node(project, run.name), "inserted": is_new}

    def _create_run_files(self, arguments: Arguments) -> _Node:
        given = arguments["input"]
        return {
            "runID": given["runName"],
            "uploadHeaders": [],
            "files": [
                {"name": name, "uploadUrl": self._upload()[0]} for name in given["files"]
            ],
        }

    def _create_artifact(self, arguments: Arguments) -> _Node:
        given = arguments["input"]
        project = self._project(given["entityName"], given["projectName"])
        name = given.get("artifactCollectionName") or given["artifactCollectionNames"][0]
        type_ = given["artifactTypeName"]
        new = _Collection(name=name, type=type_, project=project)
        collection = project.collections.setdefault(name, new)
        if collection.type != type_:
            message = f"artifact collection {name} is of type {collection.type}"
            raise GraphQLError(message)
        same = (v for v in _finished(collection) if v.digest == given["digest"])
        version = next(same, None)
        aliases = [one["alias"] for one in given.get("aliases") or []]
        tags = [one["tagName"] for one in given.get("tags") or []]
        if version is None:
            version = _Artifact(
                id=f"artifact-{secrets.token_hex(6)}",
                collection=collection,
                digest=given["digest"],
                metadata=given.get("metadata"),
                description=given.get("description"),
                created_by=given.get("runName") or "",
                aliases_when_done=aliases,
            )
            if self.shows_pending:
                version.index = len(collection.versions)
                collection.aliases |= dict.fromkeys([*aliases, _LATEST], version)
            collection.versions.append(version)
            self._artifacts[version.id] = version
        else:
            for alias in aliases:
                collection.aliases[alias] = version
        version.tags.extend(tag for tag in tags if tag not in version.tags)
        return {"artifact": self._version_node(version)}

    def _create_manifest(self, arguments: Arguments) -> _Node:
        version = self._artifacts[arguments["input"]["artifactID"]]
        return self._manifest_node(version)

    def _update_manifest(self, arguments: Arguments) -> _Node:
        version = self._artifacts[
            arguments["input"]["artifactManifestID"].removeprefix("manifest-")
        ]
        return self._manifest_node(version)

    def _manifest_node(self, version: _Artifact) -> _Node:
        url, token = self._upload()
        version.manifest = token
        return {
            "artifactManifest": {
                "id": f"manifest-{version.id}",
                "file": {"id": token, "uploadUrl": url, "uploadHeaders": []},
            }
        }

    def _create_files(self, arguments: Arguments) -> _Node:
        edges = []
        for one in arguments["input"]["artifactFiles"]:
            version = self._artifacts[one["artifactID"]]
            url, token = self._upload()
            version.files[base64.b64encode(bytes.fromhex(_hex(one["md5"]))).decode()] = (
                token
            )
            node: _Node = {
                "storagePath": f"stored/{token}",
                "uploadUrl": url,
                "uploadHeaders": [],
                "uploadMultipartUrls": None,
                "artifact": {"id": version.id},
            }
            edges.append({"node": node})
        return {"files": {"edges": edges}}

    def _commit(self, arguments: Arguments) -> _Node:
        version = self._artifacts[arguments["input"]["artifactID"]]
        collection = version.collection
        if version.state != "COMMITTED":
            if version.manifest not in self._stored:
                message = "the manifest was not uploaded"
                raise GraphQLError(message)
            version.state = "COMMITTED"
            if version.index is None:
                version.index = len(_finished(collection)) - 1
            for alias in [*version.aliases_when_done, _LATEST]:
                collection.aliases[alias] = version
        return {"artifact": self._version_node(version)}

    def _update_artifact(self, arguments: Arguments) -> _Node:
        given = arguments["input"]
        version = self._artifacts[given["artifactID"]]
        if given.get("metadata") is not None:
            version.metadata = given["metadata"]
        gone = {one["tagName"] for one in given.get("tagsToDelete") or []}
        new = [one["tagName"] for one in given.get("tagsToAdd") or []]
        version.tags = [tag for tag in version.tags if tag not in gone]
        version.tags.extend(tag for tag in new if tag not in version.tags)
        return {"artifact": self._version_node(version)}

    def _add_aliases(self, arguments: Arguments) -> _Node:
        given = arguments["input"]
        version = self._artifacts[given["artifactID"]]
        for one in given["aliases"]:
            version.collection.aliases[one["alias"]] = version
        return {"success": True}

    def _delete_aliases(self, arguments: Arguments) -> _Node:
        given = arguments["input"]
        version = self._artifacts[given["artifactID"]]
        for one in given["aliases"]:
            if version.collection.aliases.get(one["alias"]) is version:
                del version.collection.aliases[one["alias"]]
        return {"success": True}

    def _use_artifact(self, arguments: Arguments) -> _Node:
        given = arguments["input"]
        version = self._artifacts[given["artifactID"]]
        project = self._projects[given["entityName"], given["projectName"]]
        if given["runName"] not in project.runs:
            message = "run not found"
            raise GraphQLError(message)
        if given["runName"] not in version.used_by:
            version.used_by.append(given["runName"])
        return {"artifact": self._version_node(version)}

    def _upload(self) -> tuple[str, str]:
        token = secrets.token_hex(8)
        return f"{self.endpoint}/upload/{token}", token

    def _download(self, token: str) -> str:
        return f"{self.endpoint}/download/{token}"


def _about(project: _Project) -> _Node:
    name = f"{project.entity}/{project.name}"
    return {
        "__typename": "Project",
        "id": f"project-{name}",
        "internalId": base64.b64encode(f"ProjectInternalId:{name}".encode()).decode(),
        "name": project.name,
        "entity": {"id": f"entity-{project.entity}", "name": project.entity},
        "readOnly": False,
    }


def _about_collection(collection: _Collection) -> _Node:
    return {
        "__typename": "ArtifactSequence",
        "id": f"collection-{collection.name}",
        "name": collection.name,
        "createdAt": _TIME,
        "project": _about(collection.project),
        "defaultArtifactType": {"name": collection.type},
        "tags": {"edges": []},
    }


def _finished(collection: _Collection) -> list[_Artifact]:
    found = [v for v in collection.versions if v.state == "COMMITTED"]
    return sorted(found, key=lambda v: -1 if v.index is None else v.index)


def _named(project: _Project, name: str) -> _Artifact | None:
    """Return what ``name:v0`` or ``name:alias`` means."""
    name, _, wanted = name.partition(":")
    collection = project.collections.get(name)
    if collection is None:
        return None
    for version in collection.versions:
        if version.index is not None and wanted == f"v{version.index}":
            return version
    return collection.aliases.get(wanted or _LATEST)


def _aliases(version: _Artifact) -> list[_Node]:
    return [
        {
            "__typename": "ArtifactAlias",
            "id": f"alias-{alias}",
            "alias": alias,
            "artifactCollection": _about_collection(version.collection),
        }
        for alias, holder in version.collection.aliases.items()
        if holder is version
    ]


def _connection(edges: list[_Node], arguments: Arguments) -> _Node:
    """Return a page of edges; a cursor is the number of the next one."""
    start = int(arguments.get("after") or 0)
    end = start + int(arguments.get("first") or 50)
    return {
        "totalCount": len(edges),
        "pageInfo": {
            "__typename": "PageInfo",
            "endCursor": str(end),
            "hasNextPage": end < len(edges),
        },
        "edges": edges[start:end],
    }


def _hex(digest: str) -> str:
    """Return an MD5 in hex, in whichever of the two forms it came."""
    is_hex = len(digest) == hashlib.md5(usedforsecurity=False).digest_size * 2
    return digest if is_hex else base64.b64decode(digest).hex()


def _reply(
    exchange: Exchange, status: int, body: bytes, kind: str = "application/json"
) -> None:
    deliver(
        exchange,
        Reply(
            status=status,
            headers=(("Content-Type", kind),),
            body=(body,),
            length=len(body),
        ),
    )
