"""Start Comet's client in a process of its own, ask it, and end it when time is up.

Decision record 0038 says why it is a process. It gets a clean environment and an empty
folder: no settings of the project (``.env``, ``.comet.config``: a repository could send the
key elsewhere), no credentials of stores, and every switch that stops the client from
telling of this machine.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

import msgspec

from artlock.errors import ConfigError, TrackerUnavailableError, TrackingError
from artlock.model.secrets import redact, secrets_of
from artlock.tracking.comet import messages
from artlock.tracking.comet.failures import error_of, short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from artlock.tracking.base import TrackerContext

_Wanted = TypeVar("_Wanted", bound=messages.Answer)

_CERTIFICATES = frozenset(
    {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"}
)
_PASSED_ON = frozenset(
    {
        *("HOME", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "PATH", "SYSTEMROOT"),
        *("LANG", "LC_ALL", "LC_CTYPE", "TZ"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
        *_CERTIFICATES,
    }
)
"""What the client may know besides its own variables; in upper case."""
_LEFT_OUT = frozenset({"COMET_EXPERIMENT_KEY", "COMET_LOGGING_FILE", "COMET_INI"})
"""The run is told with each request; the client's log is for this process alone."""
_FIXED: Mapping[str, str] = {
    # Each thread would take 64 MiB of the addresses that it may use at most.
    "MALLOC_ARENA_MAX": "2",
    "COMET_DISABLE_AUTO_LOGGING": "1",
    "COMET_DISABLE_ANNOUNCEMENT": "true",
    "COMET_ERROR_TRACKING_ENABLE": "false",
    "COMET_INTERNAL_REPORTING": "false",
    "COMET_LOGGING_CONSOLE": "ERROR",
    "COMET_LOGGING_FILE": "",
    "COMET_RICH_OUTPUT": "false",
    "COMET_FALLBACK_STREAMER_KEEP_OFFLINE_ZIP": "false",
    "COMET_DISPLAY_SUMMARY_LEVEL": "0",
    **{
        f"COMET_AUTO_LOG_{name}": "false"
        for name in (
            *("CLI_ARGUMENTS", "CODE", "CO2", "DISABLE", "ENV_CPU", "ENV_DETAILS"),
            *("ENV_DISK", "ENV_GPU", "ENV_HOST", "ENV_NETWORK", "FIGURES"),
            *("GIT_METADATA", "GIT_PATCH", "GRAPH", "METRICS", "PARAMETERS", "TFMA"),
        )
    },
}
_DEFAULTS: Mapping[str, str] = {
    # What cannot be sent waits in the outbox; the client need not be patient as well.
    "COMET_HTTP_SESSION_RETRY_TOTAL": "2",
    "COMET_HTTP_SESSION_RETRY_BACKOFF_FACTOR": "1",
    "COMET_GET_OR_ADD_EXPERIMENT_RETRY_TOTAL": "2",
    "COMET_GET_OR_ADD_EXPERIMENT_RETRY_CONNECT": "2",
    "COMET_GET_OR_ADD_EXPERIMENT_RETRY_READ": "2",
    "COMET_GET_OR_ADD_EXPERIMENT_RETRY_STATUS": "2",
}
"""Unless the person says otherwise."""
_BOOT = """
import sys
ours, *others = sys.argv[1:]
sys.path.insert(0, ours)
import artlock
sys.path.remove(ours)
sys.path += others
from artlock.tracking.comet.__main__ import main
main()
"""
"""Adds folders once `site` is done: in `PYTHONPATH` it would run a `sitecustomize` of them.
This package is found where it is, and nothing else is looked for there."""
_INSTALLED = frozenset({"site-packages", "dist-packages"})
"""A folder of such a name has what somebody installed, also where it lies in a project."""
_FILES = frozenset({"COMET_CONFIG", "COMET_INCLUDE_CUSTOM_CA_BUNDLE", *_CERTIFICATES})
"""Variables that name files or folders."""
_TAIL = 1 << 20
"""Bytes of the client's log in which its last words are; an error repeats few of them."""
_FAREWELL_S = 2.0


class Clock:
    """When a call has to be done."""

    def __init__(self, seconds: float) -> None:
        """Start now.

        Args:
            seconds: How long the call may take.
        """
        self._end = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """Seconds that are left; not negative."""
        return max(0.0, self._end - time.monotonic())


class ClientProcess:
    """The client, from its first question to ``close``; used by one thread.

    After a failure that leaves it in an unknown state it is ended, and the next question
    starts another.
    """

    def __init__(self, context: TrackerContext, tracker: str) -> None:
        """Start nothing yet.

        Args:
            context: What there is of this machine.
            tracker: What errors call the tracker.
        """
        self._context = context
        self._tracker = tracker
        self._secrets = secrets_of(context.environ)
        self._running: _Running | None = None

    @property
    def is_running(self) -> bool:
        """Whether there is a process that may have begun something."""
        return self._running is not None

    def ask(
        self, request: messages.Request, wanted: type[_Wanted], clock: Clock
    ) -> _Wanted:
        """Return the answer to a request.

        Raises:
            TrackerUnavailableError: No answer in time; the client is ended, whatever it
                was at.
            TrackingError: See ``failures``; or the client ended by itself.
            ConfigError: Its process cannot be started.
        """
        running = self._running = self._running or self._start()
        try:
            running.send(request)
        except RecursionError as error:
            reason = "what Comet has of this is nested too deeply"
            raise TrackingError(reason, tracker=self._tracker) from error
        try:
            line = running.answers.get(timeout=clock.left_s)
        except queue.Empty:
            self.close()
            reason = f"Comet did not answer within {self._context.deadline_s:g} s"
            raise TrackerUnavailableError(reason, tracker=self._tracker) from None
        except BaseException:
            self.close()  # its answer would be taken for that of the next question
            raise
        if not line:
            words = short(redact(running.last_words(), self._secrets))
            self.close()
            reason = f"Comet's client ended by itself: {words or 'it does not say why'}"
            raise TrackingError(reason, tracker=self._tracker)
        answer = msgspec.json.decode(line, type=messages.Answer)
        if isinstance(answer, messages.Failure):
            raise self.error_of(answer)
        if not isinstance(answer, wanted):
            raise TypeError(type(answer).__name__)  # a defect of ours
        return answer

    def error_of(self, failure: messages.Failure) -> TrackingError:
        """Return the error that says what failed, without secrets."""
        return error_of(failure, self._tracker, self._secrets)

    def close(self) -> None:
        """End the process; may be called twice."""
        running, self._running = self._running, None
        if running is not None:
            running.close()

    def _start(self) -> _Running:
        folder = tempfile.TemporaryDirectory(
            prefix="comet-", dir=self._context.scratch, ignore_cleanup_errors=True
        )
        try:
            return _Running(
                folder,
                environment_of(self._context.environ, folder.name),
                folders_of_modules(self._context.base),
            )
        except OSError as error:
            folder.cleanup()
            reason = f"Comet's client cannot be started: {error.strerror}"
            raise ConfigError(reason) from error


class _Running:
    """One process, its pipes and its folder."""

    def __init__(
        self,
        folder: tempfile.TemporaryDirectory[str],
        environment: dict[str, str],
        modules: Sequence[str],
    ) -> None:
        self._folder = folder
        self._log = Path(folder.name, "stderr")
        with self._log.open("wb") as log:
            # A session of its own: Ctrl-C ends artlock, and that ends the client.
            self._process = subprocess.Popen(  # noqa: S603 - this Python, and our module
                [sys.executable, "-P", "-c", _BOOT, *modules],
                cwd=folder.name,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self._to = _pipe(self._process.stdin)
        self.answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(
            target=_pass_on, args=(_pipe(self._process.stdout), self.answers), daemon=True
        )
        self._reader.start()

    def send(self, request: messages.Request) -> None:
        # One that has ended says so through an answer without a line.
        with suppress(BrokenPipeError):
            self._to.write(msgspec.json.encode(request) + b"\n")
            self._to.flush()

    def last_words(self) -> str:
        """Return the end of what it wrote to standard error."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_FAREWELL_S)
        text = self._log.read_bytes()[-_TAIL:].decode(errors="replace")
        return text.strip().rpartition("\n")[2]

    def close(self) -> None:
        # Not asked to end: its hooks would wait for what it cannot send.
        self._process.kill()
        self._process.wait()
        self._reader.join()
        with suppress(BrokenPipeError):  # of what it was not told any more
            self._to.close()
        _pipe(self._process.stdout).close()
        self._folder.cleanup()


def folder_of_client(base: Path) -> str | None:
    """Return the folder that has Comet's client, or ``None``; it is not loaded here.

    What lies in the working folder or in the project came with a repository, and is not
    Comet's.

    Args:
        base: Of the project.
    """
    for entry in sys.path:
        found = Path(entry, "comet_ml", "__init__.py")
        if Path(entry).is_absolute() and found.is_file() and not _is_of(base, entry):
            return entry
    return None


def folders_of_modules(base: Path) -> tuple[str, ...]:
    """Return where the process finds artlock, and which folders it looks through as well.

    Args:
        base: Of the project.
    """
    ours = str(Path(__file__).absolute().parents[3])
    theirs = folder_of_client(base)
    others = [] if theirs is None else [theirs]
    # What artlock needs may have been installed beside it.
    if not _is_of(base, ours) and ours not in others:
        others.append(ours)
    return ours, *others


def _is_of(base: Path, folder: str) -> bool:
    """Tell whether a folder is the working folder, or one of the project at ``base``."""
    path, root = Path(folder).resolve(), base.resolve()
    if path in {root, Path(os.path.realpath(os.curdir))}:
        return True
    return root in path.parents and not _INSTALLED.intersection(path.parts)


def environment_of(environ: Mapping[str, str], folder: str) -> dict[str, str]:
    """Return the environment of the client.

    Args:
        environ: That of the person.
        folder: Where the client may write; it is the working folder too.
    """
    kept = {
        name: text
        for name, text in environ.items()
        if name.upper() in _PASSED_ON
        or (name.startswith("COMET_") and name not in _LEFT_OUT)
    }
    kept = {**_DEFAULTS, **kept, **_FIXED}
    for name in kept:
        if name.upper() in _FILES:
            # Relative to where artlock was started, not to the client's folder.
            kept[name] = os.pathsep.join(map(_absolute, kept[name].split(os.pathsep)))
    kept["PYTHONUTF8"] = "1"
    kept["COMET_OFFLINE_DIRECTORY"] = folder
    kept["TMPDIR"] = kept["TEMP"] = kept["TMP"] = folder
    # Its HTTP library would send what `~/.netrc` has for the host instead of the key.
    kept["NETRC"] = str(Path(folder, "no-netrc"))
    return kept


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute()) if path else path


def _pass_on(pipe: IO[bytes], answers: queue.SimpleQueue[bytes]) -> None:
    for line in pipe:
        answers.put(line)
    answers.put(b"")


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise TypeError(pipe)
    return pipe
