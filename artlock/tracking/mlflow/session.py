"""One way to ask MLflow something: in time, quietly, and with our errors."""

from __future__ import annotations

import base64
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from mlflow import MlflowClient
from mlflow.utils.credentials import read_mlflow_creds

from artlock.errors import TrackerUnavailableError
from artlock.model.secrets import secrets_of
from artlock.tracking.base import TrackerContext
from artlock.tracking.mlflow.address import Address
from artlock.tracking.mlflow.alarm import hanging_up_after
from artlock.tracking.mlflow.database import (
    artifacts_beside,
    make_database,
    opening,
    refuse_others,
    uri_of,
)
from artlock.tracking.mlflow.failures import translated
from artlock.tracking.mlflow.settings import quiet

_Answer = TypeVar("_Answer")
_PAUSES_S = (0.2, 0.6)
"""Between tries of one request; what fails longer is left to the outbox."""


class Session:
    """MLflow's client at an address; for one thread.

    A call of ``Tracker`` starts with ``begin``, and everything that it asks after that has
    what is left of the deadline: each request has its own timeout, and a server that sends
    its answer in drops is hung up on.
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
        try:
            with quiet(self._context.environ, timeout_s=self._left_s()):
                if self._left_s() <= 0:  # looked at here: others may have been waited for
                    raise self._late()
                if self._client is None:
                    self._secrets = _secrets(self._context)
                    self._warn_of_plain_text()
                with (
                    translated(self.address.url, self._secrets, sending=sending),
                    self._in_time(),
                ):
                    return work(self._opened())
        except TimeoutError as error:  # of ``quiet``: what the client raises is translated
            raise self._late() from error

    def _in_time(self) -> AbstractContextManager[None]:
        is_remote = bool(self.address.server)
        return hanging_up_after(self._left_s()) if is_remote else nullcontext()

    def _late(self) -> TrackerUnavailableError:
        seconds = self._context.deadline_s
        message = f"`{self.address.url}` was not done after {seconds:g} s"
        return TrackerUnavailableError(message, tracker=self.address.url)

    def _opened(self) -> MlflowClient:
        if self._client is None:
            address = self.address
            if address.file:
                path = address.path(self._context.base)
                if not path.exists():
                    make_database(path, address.url)
                refuse_others(path, address.url)
                with opening(path):
                    self._client = MlflowClient(uri_of(path))
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
        return (artifacts_beside(address.path(self._context.base)) / name).as_uri()

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
