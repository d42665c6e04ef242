"""Answer Comet's SDK on loopback, and note everything that it sends."""

import gzip
import json
import threading
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qsl, unquote

from testbed.comet.state import CLOSED, Backend, Json, RefusedError, Version
from testbed.delivery import Reply, deliver
from testbed.faults import Fault, FaultList
from testbed.ports import LOOPBACK
from testbed.wire import Exchange, Listener, RecordingServer

API_KEY = "standInKey0123456789abcde"
"""The one key that is taken; 25 characters, as the SDK asks for."""
_OK: Json = {"msg": "ok", "code": 200, "data": None, "sdk_error_code": 0}
_OPEN_PATHS = ("/health/ping", "/isAlive/ver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request with what it carried.

    Attributes:
        path: As on the wire, without the query.
        query: Decoded once.
        headers: Names in lower case.
        body: Decompressed; empty if there was none.

    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        """The body, parsed."""
        return cast("Json", json.loads(self.body))


class CometServer(RecordingServer):
    """A backend that keeps what it is told, from ``with`` to the end of the block.

    Requests to other paths are answered as the real one answers what it takes: 200 with a
    body that says nothing.
    """

    def __init__(self, *, tells_state: bool = True, moves_aliases: bool = True) -> None:
        """Describe a server.

        Args:
            tells_state: Whether the list of versions says which are closed; documented
                examples of the real one show null.
            moves_aliases: Whether an alias leaves the version that had it before.

        """
        self._moves_aliases = moves_aliases
        self.backend = Backend(moves_aliases=moves_aliases)
        self.tells_state = tells_state
        self._mutex = threading.Lock()
        self._calls: list[Call] = []
        self._faults = FaultList(())
        self._runs = 0
        super().__init__(Listener(self._answer))

    @property
    def environ(self) -> dict[str, str]:
        """What leads the SDK here, by its own conventions."""
        return {"COMET_API_KEY": API_KEY, "COMET_URL_OVERRIDE": self.clientlib}

    @property
    def clientlib(self) -> str:
        """The address of the SDK's own interface."""
        return f"http://{LOOPBACK}:{self._listener.port}/clientlib/"

    @property
    def calls(self) -> tuple[Call, ...]:
        """The requests so far, with their bodies, in the order of their arrival."""
        with self._mutex:
            return tuple(self._calls)

    def calls_to(self, ending: str) -> list[Call]:
        """Return the requests whose path ends so."""
        return [call for call in self.calls if call.path.endswith(ending)]

    @property
    def writes(self) -> list[str]:
        """The paths of all requests so far that change an artifact."""
        return [call.path for call in self.calls if "/write/artifact" in call.path]

    def forget_calls(self) -> None:
        """Forget the requests so far; what they left stays."""
        with self._mutex:
            self._calls.clear()
        self.clear()

    def reset(self) -> None:
        """Forget everything, faults too."""
        self.backend = Backend(moves_aliases=self._moves_aliases)
        self.fail()
        self.forget_calls()

    def fail(self, *faults: Fault) -> None:
        """Let requests go wrong from now on; without faults all is well again."""
        self._faults = FaultList(faults)

    def versions(self, workspace: str, name: str) -> list[Version]:
        """Return the versions of an artifact, closed or not; none if there is no such."""
        try:
            return list(self.backend.artifact(workspace, name).versions)
        except RefusedError:
            return []

    def closed(self, workspace: str, name: str) -> list[str]:
        """Return the numbers of the closed versions."""
        versions = self.versions(workspace, name)
        return [version.number for version in versions if version.state == CLOSED]

    def _answer(self, exchange: Exchange) -> None:
        body = b"".join(exchange.request_body())
        if exchange.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        call = Call(
            method=exchange.command,
            path=exchange.path_on_wire,
            query=dict(parse_qsl(exchange.query, keep_blank_values=True)),
            headers={name.lower(): text for name, text in exchange.headers.items()},
            body=body,
        )
        with self._mutex:
            self._calls.append(call)
        actions, fault = self._faults.claim(call.method, call.path, exchange.query)
        for action in actions:
            action()
        status, answer = 200, _OK
        # A fault in the answer's content comes after the deed was done.
        if fault is None or fault.kind not in {"status", "reset"} or fault.after:
            try:
                answer = self._answer_to(call)
            except RefusedError as error:
                status = error.status
                answer = {"msg": error.text, "code": status, "sdk_error_code": error.code}
        text = json.dumps(answer).encode()
        # The SDK compares the type as a whole: a charset would make it raise.
        headers = (("Content-Type", "application/json"),)
        deliver(
            exchange,
            Reply(status=status, headers=headers, body=(text,), length=len(text)),
            fault,
        )

    def _answer_to(self, call: Call) -> Json:
        path, backend = call.path, self.backend
        if path.endswith("isAlive/ver"):
            return {"version": "3.70.0", "msg": "3.70.0"}
        self._check_key(call)
        if path.endswith(("logger/add/run", "logger/get/run")):
            return self._start(call.json)
        if path.endswith("status-report/update"):
            return {
                "is_alive_beat_duration_millis": 10000,
                "gpu_monitor_interval_millis": 60000,
                "cpu_monitor_interval_millis": 60000,
            }
        # Names are encoded twice on their way here.
        query = {
            name: unquote(text) if name == "artifactName" else text
            for name, text in call.query.items()
        }
        if path.endswith("/write/artifacts/upsert"):
            return backend.upsert(call.json)
        if path.endswith("/artifacts/version"):
            return backend.version_details(query)
        if path.endswith("/artifacts/version/files"):
            return backend.files(query)
        if path.endswith("/artifacts/get"):
            return backend.details(query, tells_state=self.tells_state)
        if path.endswith("/artifacts/get-all"):
            return backend.all_of(query["workspace"], query.get("type"))
        if path.endswith("/remote/batch"):
            items = call.json["remoteArtifactAssetRequests"]
            backend.add_files(cast("list[Json]", items))
        elif path.endswith("/artifacts/state"):
            backend.set_state(call.json)
        elif path.endswith("/artifacts/version/labels"):
            backend.set_labels(call.json)
        return _OK

    def _check_key(self, call: Call) -> None:
        if call.path.endswith(_OPEN_PATHS):
            return
        if "/rest/" in call.path:
            if call.headers.get("authorization") != API_KEY:
                raise RefusedError(90212, "invalid API key", status=401)
        elif call.body and call.json.get("apiKey", API_KEY) != API_KEY:
            raise RefusedError(90212, "invalid API key")

    def _start(self, request: Json) -> Json:
        known = request.get("previousExperiment")
        if known is None:
            workspace, project = str(request["teamName"]), str(request["projectName"])
            self.backend.add_experiment(str(request["experimentKey"]), workspace, project)
        else:
            self.backend.has_experiment(str(known))
        with self._mutex:
            self._runs += 1
            run = f"run{self._runs}"
        return {
            "runId": run,
            "project_id": "project",
            "focusUrl": f"http://{LOOPBACK}/focus/",
            "lastOffset": 0,
            "name": "experiment",
            "artifactNameMaxLength": 100,
        }
