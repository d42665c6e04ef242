"""One way to ask MLflow something: in time, quietly, and with our errors."""

from __future__ import annotations

import base64
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from mlflow import MlflowClient
from mlflow.utils.credentials import read_mlflow_creds
from sqlalchemy.exc import SADeprecationWarning

from artlock.errors import TrackerUnavailableError, TrackingError
from artlock.model.secrets import secrets_of
from artlock.tracking.base import TrackerContext
from artlock.tracking.mlflow.address import Address
from artlock.tracking.mlflow.failures import translated
from artlock.tracking.mlflow.settings import quiet

_Answer = TypeVar("_Answer")
_PAUSES_S = (0.2, 0.6)
"""Between tries of one request; what fails longer is left to the outbox."""
_SQLITE = b"SQLite format 3\x00"


class Session:
    """MLflow's client at an address; for one thread.

    A call of ``Tracker`` starts with ``begin``, and everything that it asks after that has
    what is left of the deadline. Each request has its own timeout, so that the call ends
    in time: but for a body that comes in drops, where only each pause is bounded.
    """

    def __init__(self, address: Address, context: TrackerContext) -> None:
        self.address = address
        self._context = context
        self._ends = 0.0
        self._client: MlflowClient | None = None
        self._secrets: tuple[str, ...] = ()

    def begin(self) -> None:
        """Start the clock of one call."""
        self._ends = time.monotonic() + self._context.deadline_s

    def ask(
        self,
        work: Callable[[MlflowClient], _Answer],
        *,
        repeat: bool = True,
        sending: bool = False,
    ) -> _Answer:
        """Return what ``work`` gets from the client.

        Args:
            work: Makes one request, or a few.
            repeat: Whether it may run again after it failed in a way that passes.
            sending: Whether a refusal means that the registration cannot be taken.

        Raises:
            TrackingError: See ``failures.translate``; or the time of the call is over.
        """
        for pause_s in _PAUSES_S if repeat else ():
            try:
                return self._once(work, sending=sending)
            except TrackerUnavailableError:
                if self._left_s() <= pause_s:
                    raise
            time.sleep(pause_s)
        return self._once(work, sending=sending)

    def _left_s(self) -> float:
        return self._ends - time.monotonic()

    def _once(self, work: Callable[[MlflowClient], _Answer], *, sending: bool) -> _Answer:
        with quiet(self._context.environ, timeout_s=max(0.0, self._left_s())):
            if self._left_s() <= 0:  # looked at here: others may have been waited for
                seconds = self._context.deadline_s
                message = f"`{self.address.url}` was not done after {seconds:g} s"
                raise TrackerUnavailableError(message, tracker=self.address.url)
            if self._client is None:
                self._secrets = _secrets(self._context)
                self._warn_of_plain_text()
            with translated(self.address.url, self._secrets, sending=sending):
                return work(self._opened())

    def _opened(self) -> MlflowClient:
        if self._client is None:
            address = self.address
            if address.file:
                path = address.path(self._context.base)
                if not path.exists():
                    make_database(path, address.url)
                _refuse_others(path, address.url)
                with _its_own_warnings_ignored():
                    self._client = MlflowClient(f"sqlite:///{path}")
            else:
                self._client = MlflowClient(address.server)
        return self._client

    def _warn_of_plain_text(self) -> None:
        host = urlsplit(self.address.server).hostname or ""
        is_plain = self.address.server.startswith("http://") and not _is_loopback(host)
        if is_plain and any(_credentials(self._context)):
            self._context.notice(f"the login for `{self.address.url}` is not encrypted")

    def is_there(self) -> bool:
        """Tell whether there can be anything; of a server that is not asked."""
        address = self.address
        return not address.file or address.path(self._context.base).exists()

    def artifact_location(self) -> str | None:
        """Return where an experiment without a server keeps the files of its runs."""
        address = self.address
        if not address.file:
            return None
        name = address.experiment
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            name = f"x-{name.encode().hex()[:64]}"
        return (_artifacts_beside(address.path(self._context.base)) / name).as_uri()

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Lend an empty folder for files on their way."""
        with tempfile.TemporaryDirectory(dir=self._context.scratch) as name:
            yield Path(name)

    def close(self) -> None:
        """Let go of the database; connections to a server are MLflow's own, and shared."""
        client, self._client = self._client, None
        if client is not None and self.address.file:
            # MLflow keeps one engine for a file, with its connections, to the end of the
            # process. Others that use it just now get new ones.
            client._tracking_client.store._dispose_engine()  # noqa: SLF001 - there is no other way


@contextmanager
def _its_own_warnings_ignored() -> Iterator[None]:
    """Ignore what SQLAlchemy says of MLflow's tables; nobody but MLflow can mend it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The ``noload`` loader", SADeprecationWarning)
        yield


def _credentials(context: TrackerContext) -> tuple[str, str, str]:
    """Return user, password and token, as MLflow will find them; empty for none."""
    user, password = "", ""
    with suppress(Exception):  # a file that cannot be read is told by what needs it
        found = read_mlflow_creds()
        user, password = found.username or "", found.password or ""
    return user, password, context.environ.get("MLFLOW_TRACKING_TOKEN", "")


def _secrets(context: TrackerContext) -> tuple[str, ...]:
    """Return what no message may have: of the environment, and of MLflow's own file."""
    user, password, token = _credentials(context)
    basic = base64.b64encode(f"{user}:{password}".encode()).decode()
    found = {*secrets_of(context.environ), password, token, basic if password else ""}
    return tuple(sorted(found - {""}, key=lambda text: (-len(text), text)))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _artifacts_beside(database: Path) -> Path:
    return database.with_name(f"{database.stem}-artifacts")


def make_database(path: Path, url: str) -> None:
    """Make a database of MLflow's at ``path``, whole or not at all.

    MLflow makes its tables in many steps, and a file in which it was stopped between two
    of them is of no more use. So they are made aside, and the file gets its name last; the
    first of several keeps it.

    Args:
        path: Its folder is made too.
        url: Of the tracker, for messages.

    Raises:
        TrackingError: The folder cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the folder of `{path}` cannot be made: {error.strerror}"
        raise TrackingError(message, tracker=url) from error
    aside = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        # The folder is that of MLflow's experiment `Default`: without it, `./mlruns`.
        root = _artifacts_beside(path).as_uri()
        with _its_own_warnings_ignored():
            from mlflow.store.tracking.sqlalchemy_store import (  # noqa: PLC0415 - half a second
                SqlAlchemyStore,
            )

            store = SqlAlchemyStore(f"sqlite:///{aside}", root)
        store._dispose_engine()  # noqa: SLF001 - before the file is given away
        with suppress(FileExistsError):
            os.link(aside, path)
    finally:
        for name in (aside.name, f"{aside.name}-journal", f"{aside.name}-wal"):
            aside.with_name(name).unlink(missing_ok=True)


def _refuse_others(path: Path, url: str) -> None:
    """Refuse what is no database: SQLAlchemy would try for minutes."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_SQLITE))
    except OSError as error:
        message = f"`{path}` cannot be read: {error.strerror}"
        raise TrackingError(message, tracker=url) from error
    if start != _SQLITE:
        message = f"`{path}` is not an SQLite database"
        raise TrackingError(message, tracker=url)
