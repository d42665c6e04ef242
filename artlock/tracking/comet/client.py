"""The one place where Comet's own client runs: a process that artlock starts for it.

It reads a request a line and answers each with a
line (``messages.py``). It is a process of its own because the client changes the one that
it runs in: it patches imports, ends the experiment that is already there, reads settings of
the working folder, keeps threads that nothing stops, and may wait for an hour (decision
record 0038). ``process.py`` starts it with a clean environment in an empty folder, and ends
it when time is up.

Source: comet-ml 3.58. Names with an underscore are its own insides; the tests run them.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, assert_never
from uuid import uuid4

import comet_ml
import comet_ml.api
import msgspec
from comet_ml.config.config_api import (
    get_api_key,
    get_config,
    get_last_returned_api_key,
)
from comet_ml.connection.connection_factory import get_rest_api_client
from comet_ml.exceptions import (
    ArtifactNotFinalException,
    ArtifactNotFound,
    CometRestApiException,
    CometRestApiValueError,
    ExperimentCleaningException,
    ExperimentNotFound,
    InvalidAPIKey,
    InvalidWorkspace,
    LogArtifactException,
    ProjectNameIsTooLong,
    ServiceAccountWorkspaceRestricted,
    ViewOnlyAccessException,
)
from msgspec.structs import replace
from requests.exceptions import JSONDecodeError, RequestException

from artlock.model.secrets import redact, secrets_of
from artlock.tracking.comet import messages
from artlock.tracking.comet.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Iterator

_TAKEN = frozenset({90399, 7000019, 42001})
"""The version is there, was deleted, or is none to Comet: it wants the next number."""
_NOT_FOUND = frozenset({624522, 624523})
_NOT_FINAL = frozenset({90402, 90403})
_CODES: dict[type[BaseException], int] = {
    InvalidAPIKey: 90212,
    InvalidWorkspace: 90219,
    ServiceAccountWorkspaceRestricted: 90219,
    ViewOnlyAccessException: 90210,
}
"""The code that Comet answered before the client made an exception of it."""
_NOT_CLOSED = "Failed to mark the artifact version as closed"
"""How the client's complaint begins when the end of a version was refused."""
_TYPE = "dataset"
_GLANCE_S = 0.1
_GRACE_S = 3.0
"""How long the client may report what it complains about."""


class _Quiet:
    """What an experiment of ours does not send, although no setting stops it.

    The summary at its end carries the name of the machine's user, and the process's
    duration would become a metric of somebody's run.
    """

    problem: Exception | None = None
    """Why it could not begin; it would only say so in its log."""

    def _setup_streamer(self) -> bool:
        try:
            return bool(super()._setup_streamer())  # type: ignore[misc] # of the experiment
        except Exception as error:
            self.problem = error
            raise

    def _report_summary(self) -> None:
        """Send no summary."""

    def _log_metric(self, *_: object, **__: object) -> None:
        """Send no metric."""

    def send_notification(self, *_: object, **__: object) -> None:
        """Send no mail."""


class _Own(_Quiet, comet_ml.Experiment):
    """An experiment that is made for one push."""


class _Borrowed(_Quiet, comet_ml.ExistingExperiment):
    """Somebody's run: it gets an artifact, and is otherwise left as it is.

    It may be running elsewhere, or have ended long ago; neither is ours to say.
    """

    def _mark_as_started(self) -> None:
        """Leave the status alone."""

    def _mark_as_ended(self) -> None:
        """Leave the status alone."""

    def _send_status_update(self) -> None:
        """Send no heartbeat."""

    def _log_other(self, *_: object, **__: object) -> None:
        """Leave its parameters alone."""


class _Complaints(logging.Handler):
    """Keeps what the client says and does not raise: the first that has a cause."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.text = ""
        self.error: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if not self.text or (self.error is None and error is not None):
            self.text, self.error = record.getMessage(), error

    def clear(self) -> None:
        self.text, self.error = "", None


class _FailedError(Exception):
    """Carries a failure to the answer."""

    def __init__(self, failure: messages.Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class Client:
    """Answers requests with the real client; used by one thread."""

    def __init__(self, secrets: list[str]) -> None:
        """Ask nothing yet.

        Args:
            secrets: Gets what must not be told: the key may come from a file, which only
                this process has read.
        """
        self._secrets = secrets
        self._complaints = _Complaints()
        logging.getLogger("comet_ml").addHandler(self._complaints)
        self._experiment: _Own | _Borrowed | None = None

    def answer(self, request: messages.Request) -> messages.Answer:
        """Return the answer to a request; whatever goes wrong is a ``Failure``."""
        self._complaints.clear()
        try:
            answer = self._answer(request)
        except _FailedError as error:
            answer = error.failure
        except Exception as error:  # noqa: BLE001 - a vendor's client may raise anything
            answer = _failure(error)
        self.learn_key()
        if isinstance(answer, messages.Failure):
            return self._without_secrets(answer)
        if isinstance(answer, messages.Sent) and answer.failure is not None:
            return replace(answer, failure=self._without_secrets(answer.failure))
        return answer

    def learn_key(self) -> None:
        """Take note of the key in force, if the client has read one."""
        key = get_last_returned_api_key()
        if key:
            self._secrets[:] = {key, *secrets_of({"COMET_API_KEY": key})}

    def _without_secrets(self, failure: messages.Failure) -> messages.Failure:
        return replace(failure, text=redact(failure.text, self._secrets))

    def _answer(self, request: messages.Request) -> messages.Answer:
        match request:
            case messages.ListVersions():
                return self._list_versions(request)
            case messages.Describe():
                return self._describe(request)
            case messages.ListNames():
                return self._list_names(request)
            case messages.ListFiles():
                return self._list_files(request)
            case messages.Send():
                return self._send(request)
            case messages.EndRun():
                return self._end_run()
            case messages.SetLabels():
                return self._set_labels(request)
            case messages.RecordInput():
                return self._record_input(request)
            case _:
                assert_never(request)

    def _list_versions(self, request: messages.ListVersions) -> messages.Answer:
        try:
            found = self._api().get_artifact_details(request.workspace, request.name)
        except CometRestApiException as error:
            if error.sdk_error_code in _NOT_FOUND:
                return messages.NativeVersions(versions=None)
            raise
        return messages.NativeVersions(
            versions=tuple(map(_version, _list(found, "versions")))
        )

    def _describe(self, request: messages.Describe) -> messages.Answer:
        try:
            found = self._api().get_artifact(
                request.workspace, request.name, version=request.version
            )
        except (ArtifactNotFinalException, ArtifactNotFound):
            return messages.Description(is_closed=False)
        except CometRestApiException as error:
            if error.sdk_error_code in _NOT_FOUND | _NOT_FINAL:
                return messages.Description(is_closed=False)
            raise
        return messages.Description(
            is_closed=True, experiment=_text(found.source_experiment_key)
        )

    def _list_names(self, request: messages.ListNames) -> messages.Answer:
        found = self._api().get_artifact_list(request.workspace, artifact_type=_TYPE)
        names = (item.get("name") for item in _list(found, "artifacts"))
        return messages.Names(names=tuple(name for name in names if isinstance(name, str)))

    def _list_files(self, request: messages.ListFiles) -> messages.Answer:
        found = self._api().get_artifact_files(
            request.workspace, request.name, version=request.version
        )
        return messages.Files(
            files=tuple(
                messages.NativeFile(
                    place=str(item["fileName"]),
                    link=_text(item.get("link")),
                    metadata=_text(item.get("metadata")),
                )
                for item in _list(found, "files")
            )
        )

    def _send(self, request: messages.Send) -> messages.Answer:
        artifact = comet_ml.Artifact(
            request.name,
            artifact_type=_TYPE,
            version=request.version,
            metadata=request.metadata,
            version_tags=list(request.tags),
        )
        for asset in request.assets:
            # Without `sync_mode=False` it would list the bucket and register today's state.
            artifact.add_remote(
                asset.link,
                logical_path=asset.place,
                sync_mode=False,
                metadata=msgspec.to_builtins(asset.metadata),
            )
        experiment = self._open(request)
        try:
            experiment.log_artifact(artifact)
        except LogArtifactException as error:
            if error.sdk_error_code in _TAKEN:
                return messages.Sent(taken=True)
            raise
        is_flushed = self._flush(experiment, request.wait_s)
        failure = None
        if self._complaints.text:
            failure = self._complaint().failure
        elif not is_flushed:
            failure = messages.Failure(kind="network", text="not all was sent in time")
        return messages.Sent(taken=False, failure=failure, is_stuck=not is_flushed)

    def _flush(self, experiment: _Own | _Borrowed, wait_s: float) -> bool:
        """Wait until all is sent; return whether the client came back from that.

        Throttled it waits beyond its time-out, and of a batch that is refused it reports
        each asset by itself.
        """
        done: queue.SimpleQueue[bool] = queue.SimpleQueue()
        threading.Thread(
            target=lambda: done.put(experiment.flush(timeout=max(int(wait_s), 1))),
            daemon=True,
        ).start()
        end = time.monotonic() + wait_s
        has_complained = False
        while (now := time.monotonic()) < end:
            with suppress(queue.Empty):
                return done.get(timeout=min(_GLANCE_S, end - now))
            if self._complaints.text and not has_complained:
                has_complained = True
                end = min(end, now + _GRACE_S)
        return False

    def _end_run(self) -> messages.Answer:
        experiment, self._experiment = self._experiment, None
        if experiment is not None:
            try:
                experiment.end()
            except ExperimentCleaningException:
                raise self._complaint() from None
        return messages.Done()

    def _set_labels(self, request: messages.SetLabels) -> messages.Answer:
        # All three at once: what a null means to the server is not known.
        get_rest_api_client(
            "v2", api_key=_api_key(), use_cache=False
        ).update_artifact_version(
            request.id,
            version_aliases=list(request.aliases),
            version_metadata=request.metadata,
            version_tags=list(request.tags),
        )
        return messages.Done()

    def _record_input(self, request: messages.RecordInput) -> messages.Answer:
        experiment = self._begin(_borrowed(request.run))
        try:
            # This sends `consumerExperimentKey`, which is the record.
            experiment.get_artifact(
                request.name,
                workspace=request.workspace,
                version_or_alias=request.version,
            )
        except Exception:
            with suppress(_FailedError):  # the first failure is the one to tell
                self._end_run()
            raise
        return self._end_run()

    def _api(self) -> comet_ml.api.API:
        """Return a fresh client: one that caches would show the list before a push."""
        return comet_ml.api.API(api_key=_api_key(), cache=False)  # type: ignore[no-untyped-call] # theirs

    def _open(self, request: messages.Send) -> _Own | _Borrowed:
        """Return the experiment of this push; one for all its tries."""
        if self._experiment is not None:
            return self._experiment
        if request.run is not None:
            return self._begin(_borrowed(request.run))
        experiment = self._begin(
            _Own(
                api_key=_api_key(),
                # Or it would take one that stands in the person's file.
                experiment_key=uuid4().hex,
                workspace=request.workspace,
                project_name=request.project,
                **_SWITCHED_OFF,
            )
        )
        experiment.set_name(request.run_name)
        return experiment

    def _begin(self, experiment: _Own | _Borrowed) -> _Own | _Borrowed:
        # Where it cannot begin it complains in its log, takes all and sends nothing.
        if not experiment.alive:
            if experiment.problem is not None:
                raise experiment.problem
            raise self._complaint()
        self._complaints.clear()
        self._experiment = experiment
        return experiment

    def _complaint(self) -> _FailedError:
        """Return what the client said in its log as a failure."""
        if self._complaints.error is not None:
            failure = _failure(self._complaints.error)
            if self._complaints.text.startswith(_NOT_CLOSED):
                failure = replace(
                    failure, text=f"it would not close the version: {failure.text}"
                )
            return _FailedError(failure)
        text = self._complaints.text or "the client does not say why"
        return _FailedError(messages.Failure(kind="client", text=text))


_SWITCHED_OFF: dict[str, Any] = {
    "log_code": False,
    "log_graph": False,
    "auto_param_logging": False,
    "auto_metric_logging": False,
    "auto_output_logging": False,
    "auto_log_co2": False,
    "auto_histogram_weight_logging": False,
    "auto_histogram_gradient_logging": False,
    "auto_histogram_activation_logging": False,
    "auto_histogram_tensorboard_logging": False,
    "parse_args": False,
    "log_env_details": False,
    "log_env_gpu": False,
    "log_env_cpu": False,
    "log_env_host": False,
    "log_env_network": False,
    "log_env_disk": False,
    "log_git_metadata": False,
    "log_git_patch": False,
    "display_summary_level": 0,
}
"""All that it would tell of this machine and of the project by itself."""


def _borrowed(run: str) -> _Borrowed:
    return _Borrowed(api_key=_api_key(), experiment_key=run, **_SWITCHED_OFF)  # type: ignore[no-untyped-call] # theirs


def _api_key() -> str:
    key = get_api_key(None, get_config())
    if not key:
        raise _FailedError(messages.Failure(kind="no-key", text="there is no API key"))
    return str(key)


def _version(item: dict[str, object]) -> messages.NativeVersion:
    return messages.NativeVersion(
        id=str(item["artifactVersionId"]),
        version=str(item["version"]),
        state=_text(item.get("state")),
        metadata=_text(item.get("metadata")),
        aliases=_texts(item.get("alias")),
        tags=_texts(item.get("tags")),
    )


def _list(found: object, key: str) -> list[dict[str, object]]:
    items = found.get(key) if isinstance(found, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        text = f"the answer has no list `{key}`"
        raise _FailedError(messages.Failure(kind="not-json", text=text))
    return items


def _text(value: object) -> str | None:
    if isinstance(value, dict):
        return json.dumps(value)
    return value if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _failure(error: BaseException) -> messages.Failure:
    """Say what a failure of the client is; its cause tells more than itself."""
    for cause in _causes(error):
        if type(cause) in _CODES:
            # Their texts repeat the key, and the code says it all.
            return messages.Failure(
                kind="status",
                status=400,
                code=_CODES[type(cause)],
                text=type(cause).__name__,
            )
        if isinstance(cause, ExperimentNotFound):
            return messages.Failure(kind="no-run", text=type(cause).__name__)
        if isinstance(cause, MemoryError):
            return messages.Failure(kind="memory", text=type(cause).__name__)
        if isinstance(cause, ProjectNameIsTooLong):
            return messages.Failure(kind="limit", text="the project's name is too long")
        if isinstance(cause, CometRestApiException):
            status = cause.response.status_code
            kind = "not-json" if isinstance(cause, CometRestApiValueError) else "status"
            return messages.Failure(
                kind=kind,
                status=status,
                code=cause.sdk_error_code,
                text=cause.safe_msg or f"it answered {status}",
            )
        if isinstance(cause, (JSONDecodeError, json.JSONDecodeError)):
            return messages.Failure(kind="not-json", text="the answer is not JSON")
        if isinstance(cause, (RequestException, ConnectionError)):
            return messages.Failure(kind="network", text=type(cause).__name__)
    if isinstance(error, LogArtifactException) and error.sdk_error_code is not None:
        return messages.Failure(
            kind="status",
            code=error.sdk_error_code,
            text=error.backend_err_msg or "it does not say why",
        )
    return messages.Failure(kind="client", text=f"{type(error).__name__}: {error}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _listen(requests: BinaryIO, waiting: queue.SimpleQueue[bytes]) -> None:
    """Pass requests on; end this process when nobody can ask any more.

    The client's threads would go on for an hour. Not `sys.exit`: its hooks wait as long.
    """
    for line in requests:
        waiting.put(line)
    os._exit(0)


def _line_of(answer: messages.Answer) -> bytes:
    try:
        return msgspec.json.encode(answer)
    except UnicodeEncodeError:
        # JSON of a server can have half a character, which is no text.
        return msgspec.json.encode(_whole_text(msgspec.to_builtins(answer)))


def _whole_text(value: object) -> object:
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {key: _whole_text(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_whole_text(item) for item in value]
    return value


def serve(secrets: list[str]) -> None:
    """Answer requests until standard input ends.

    Args:
        secrets: Gets what must not be told.
    """
    # Only answers leave through standard output; what the client prints goes elsewhere.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, waiting), daemon=True).start()
    client = Client(secrets)
    with suppress(Exception):  # whoever needs the key asks for it again, and hears why
        get_api_key(None, get_config())
        client.learn_key()
    memory = Memory()
    decoder = msgspec.json.Decoder(messages.Request)
    while True:
        request = decoder.decode(waiting.get())
        memory.make_room(request)
        answers.write(_line_of(client.answer(request)) + b"\n")
        answers.flush()
