"""Run W&B's client for one call, by settings that are the user's alone, and end it.

Its library has one state for a process: one service that it starts, one login, one set of
settings from ``WANDB_…``. So a call takes all of it and gives all of it back: the service
is gone when the call is over, and what was changed in this process is as it was.

The settings file ``wandb/settings`` of a working directory is not read: it comes with a
repository, and could send the user's key elsewhere.
"""

from __future__ import annotations

import base64
import os
import sys
import threading
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from artlock.errors import (
    ArtlockError,
    ConfigError,
    TrackerDeniedError,
    TrackerUnavailableError,
)
from artlock.model.secrets import redact, secrets_of
from artlock.tracking.wandb.failures import translate
from artlock.tracking.wandb.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

    from artlock.tracking.base import TrackerContext

_KEPT = frozenset(
    {
        "WANDB_API_KEY",
        "WANDB_APP_URL",
        "WANDB_BASE_URL",
        "WANDB_CONFIG_DIR",
        "WANDB_CREDENTIALS_FILE",
        "WANDB_IDENTITY_TOKEN_FILE",
        "WANDB_INSECURE_DISABLE_SSL",
        "WANDB__EXTRA_HTTP_HEADERS",
        "WANDB_X_EXTRA_HTTP_HEADERS",
        "WANDB__PROXIES",
    }
)
"""What of W&B's variables holds: where the server is, and who the user is. The others say
how a training is recorded, which a push is not."""
_RETRIES = 2
_RETRY_WAIT_S = 2.0
_REQUEST_S = 20.0
_LEAST_SECRET = 8
"""Characters; a shorter one would take words out of text that are no secrets."""
_MOST = 300
"""Characters of a message."""

_process_mutex = threading.Lock()
"""W&B's client has one state for a process; a second one would take it for its own."""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A project of W&B.

    Attributes:
        url: As the user wrote it; for messages.
    """

    url: str
    entity: str
    project: str

    def path(self, name: str) -> str:
        """Return how W&B names something of the project."""
        return f"{self.entity}/{self.project}/{name}"


class Folders(msgspec.Struct, frozen=True, kw_only=True):
    """Where W&B's client writes; all absolute.

    Attributes:
        runs: Has ``wandb/`` with a folder for each run.
        data: Has ``artifacts/staging``, with the files that are to be sent.
        cache: What may be lost.
    """

    runs: Path
    data: Path
    cache: Path

    @classmethod
    def within(cls, folder: Path) -> Folders:
        """Return folders below one that is removed with all that is in it."""
        return cls(runs=folder / "runs", data=folder / "data", cache=folder / "cache")


class Client:
    """W&B's client within ``open_client``; to be used by one thread.

    Attributes:
        wandb: The library; ``Any`` because it leaves no more of its types to callers.
        pages: Where W&B's pages are, with a slash at the end.
        sending: Whether a refusal would be one of the registration; see ``sends``.
    """

    def __init__(
        self, wandb: ModuleType, address: Address, service: Service, *, pages: str
    ) -> None:
        self.wandb: Any = wandb
        self.pages = pages
        self.sending = False
        self._address = address
        self._service = service
        self._api: Any = None

    @property
    def left_s(self) -> float:
        """Seconds until the call has to be over; never quite none."""
        return self._service.left_s

    @property
    def api(self) -> Any:  # noqa: ANN401 - W&B's, which is untyped here
        """The public API, with the login checked."""
        if self._api is None:
            self._api = self.wandb.Api(timeout=max(1, int(min(_REQUEST_S, self.left_s))))
        return self._api

    @contextmanager
    def sends(self) -> Iterator[None]:
        """Let what is refused in this block be a refusal of the registration.

        A login or a look-up that gets the same status says nothing of it.
        """
        self.sending = True
        yield
        self.sending = False  # not after a failure: ``open_client`` asks what it was

    def start_run(self, run_id: str | None, *, job: str, offline: bool) -> Any:  # noqa: ANN401 - see ``api``
        """Start a run, which says nothing of this machine.

        If nobody finishes it, it has failed when the client ends.
        """
        run = self.wandb.init(
            entity=self._address.entity,
            project=self._address.project,
            id=run_id,
            job_type=job,
            name=job if run_id is None else None,
            mode="offline" if offline else "online",
            reinit="create_new",
        )
        self._service.runs.append(run)
        return run


@contextmanager
def open_client(
    address: Address, context: TrackerContext, folders: Folders, *, offline: bool = False
) -> Iterator[Client]:
    """Yield W&B's client; when the block ends its service has ended too.

    What the library raises inside of the block leaves it as a ``TrackingError``.

    Raises:
        TrackerUnavailableError: Nobody answered, or not in ``context.deadline_s``.
        TrackerDeniedError: There is no login, or it was refused.
        ConfigError: The process itself uses W&B's client now.
    """
    secrets = known_secrets(context.environ)
    client: Client | None = None
    service = Service(address.url, time.monotonic() + context.deadline_s)
    if not _process_mutex.acquire(timeout=context.deadline_s):
        message = f"`{address.url}` waits for another call of W&B's client in this process"
        raise TrackerUnavailableError(message, tracker=address.url)
    try:
        with (
            _environment(context, folders, offline=offline),
            _hooks_restored(),
            service.running(),
        ):
            try:
                wandb = load_library(address)
                service.begin()
                settings = _settings(wandb, folders, address, offline=offline)
                if not offline:
                    key = _checked_login(settings, context, address)
                    headers = (settings.x_extra_http_headers or {}).values()
                    secrets = known_secrets(context.environ, key, *headers)
                _apply(settings, wandb.setup(settings=settings).settings)
                pages = f"{settings.app_url.rstrip('/')}/"
                client = Client(wandb, address, service, pages=pages)
                yield client
            except ArtlockError:
                raise
            except (Exception, SystemExit) as error:
                if service.is_late:
                    _refuse_late(address, context, error)
                sending = client is not None and client.sending
                failure = translate(error, address.url, secrets, sending=sending)
                raise failure from error
    finally:
        _process_mutex.release()


def known_secrets(environ: Mapping[str, str], *more: str) -> tuple[str, ...]:
    """Return what no message may have, longest first.

    Args:
        environ: Whose variables count.
        more: The key in force, where it is from a file, and the like.

    Returns:
        Also in the form in which a key is sent: in base64, behind W&B's ``api:``.
    """
    plain = {
        text
        for text in (*secrets_of(environ), environ.get("WANDB_API_KEY", ""), *more)
        if len(text) >= _LEAST_SECRET
    }
    sent = {base64.b64encode(f"api:{text}".encode()).decode() for text in plain}
    bare = {text.rstrip("=") for text in sent}  # what a log may have cut
    return tuple(sorted(plain | sent | bare, key=lambda text: (-len(text), text)))


def _refuse_late(
    address: Address, context: TrackerContext, error: BaseException
) -> NoReturn:
    message = f"`{address.url}` gave no answer within {context.deadline_s:g} s"
    raise TrackerUnavailableError(
        message, tracker=address.url, hint="push again later"
    ) from error


def load_library(address: Address) -> ModuleType:
    """Import W&B's library, which takes seconds the first time.

    Raises:
        ConfigError: It is not installed, or cannot be imported.
    """
    try:
        with warnings.catch_warnings():
            # What its dependencies say of each other while they load is nothing for users.
            warnings.simplefilter("ignore")
            import wandb  # noqa: PLC0415 - see above
            import wandb.sdk.artifacts.artifact_manifest_entry  # noqa: PLC0415 - see above
    except ImportError as error:
        message = (
            f"`{address.url}` needs `artlock[wandb]`, which cannot be imported: {error}"
        )
        raise ConfigError(message, hint="pip install 'artlock[wandb]'") from error
    return wandb


def _settings(wandb: Any, folders: Folders, address: Address, *, offline: bool) -> Any:  # noqa: ANN401 - W&B's
    """Return defaults, the user's own file and environment, and what is chosen.

    Raises:
        ConfigError: What the user has set is not valid, such as a URL that is none.
    """
    # That file is looked for below this folder, which is the run's own.
    own = wandb.Settings(root_dir=str(folders.cache))
    folder = os.environ.get("WANDB_CONFIG_DIR", "~/.config/wandb")
    own.settings_system = str(Path(folder).expanduser() / "settings")
    try:
        own.update_from_system_settings()
        own.update_from_env_vars(dict(os.environ))
    except ValueError as error:
        text = redact(" ".join(str(error).split()), known_secrets(os.environ))
        message = f"`{address.url}`: a setting of W&B's is not valid: {text[:_MOST]}"
        hint = "look at `WANDB_BASE_URL`, the other variables, and W&B's own settings file"
        raise ConfigError(message, hint=hint) from error
    chosen = {
        "console": "off",
        "disable_code": True,
        "disable_git": True,
        "disable_job_creation": True,
        "host": "",
        "login_timeout": 1.0,
        "init_timeout": _REQUEST_S,
        "mode": "offline" if offline else "online",
        "program": "artlock",
        "quiet": True,
        "root_dir": str(folders.runs),
        "save_code": False,
        "silent": True,
        "x_disable_machine_info": True,
        "x_disable_meta": True,
        "x_disable_stats": True,
        "x_executable": "artlock",
        "x_save_requirements": False,
        "x_file_stream_retry_max": _RETRIES,
        "x_file_stream_retry_wait_max_seconds": _RETRY_WAIT_S,
        "x_file_stream_timeout_seconds": _REQUEST_S,
        "x_file_transfer_retry_max": _RETRIES,
        "x_file_transfer_retry_wait_max_seconds": _RETRY_WAIT_S,
        "x_graphql_retry_max": _RETRIES,
        "x_graphql_retry_wait_max_seconds": _RETRY_WAIT_S,
        "x_graphql_timeout_seconds": _REQUEST_S,
    }
    for name, value in chosen.items():
        setattr(own, name, value)
    return own


def _apply(wanted: Any, loaded: Any) -> None:  # noqa: ANN401 - W&B's settings
    """Leave nothing in W&B's settings that a file of the working directory has put there.

    W&B reads that file first, and then takes of the settings that it is given what is not
    ``None``: a proxy of that file would stay.
    """
    for name in type(wanted).model_fields:
        value = getattr(wanted, name)
        if getattr(loaded, name) != value:
            setattr(loaded, name, value)


def _checked_login(settings: Any, context: TrackerContext, address: Address) -> str:  # noqa: ANN401 - W&B's
    """Return the key in force; empty where it is a token of a file.

    Raises:
        TrackerDeniedError: There is none: W&B's client would ask on a terminal, and wait.
    """
    from wandb.sdk.lib.wbauth import read_netrc_auth  # noqa: PLC0415 - see ``load_library``

    environ = context.environ
    if key := environ.get("WANDB_API_KEY", ""):
        return key
    if environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return ""
    if key := settings.api_key or read_netrc_auth(host=settings.base_url) or "":
        return str(key)
    message = f"`{address.url}` needs a login, and there is none for W&B's server"
    hint = "set `WANDB_API_KEY`, or run `wandb login`"
    raise TrackerDeniedError(message, tracker=address.url, hint=hint)


@contextmanager
def _environment(
    context: TrackerContext, folders: Folders, *, offline: bool
) -> Iterator[None]:
    """Give the process W&B's variables of the context, and put back what was there."""
    for folder in (folders.runs, folders.data, folders.cache):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"`{folder}`, for W&B's client, cannot be made: {error.strerror}"
            raise ConfigError(message) from error
    own = {
        "WANDB_DIR": str(folders.runs),
        "WANDB_DATA_DIR": str(folders.data),
        "WANDB_CACHE_DIR": str(folders.cache),
        "WANDB_ARTIFACT_DIR": str(folders.cache / "artifacts"),
        "WANDB_MODE": "offline" if offline else "online",
        "WANDB_SILENT": "true",
        "WANDB_QUIET": "true",
        "WANDB_ERROR_REPORTING": "false",
    }
    kept = {name: text for name, text in context.environ.items() if name in _KEPT}
    before = {n: t for n, t in os.environ.items() if n.startswith("WANDB_")}
    try:
        _set_wandb_variables(kept | own)
        yield
    finally:
        _set_wandb_variables(before)


def _set_wandb_variables(wanted: dict[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        if name not in wanted:
            del os.environ[name]
    os.environ.update(wanted)


@contextmanager
def _hooks_restored() -> Iterator[None]:
    # W&B's client puts functions of its own there when its service starts, and leaves them.
    leave, report = sys.exit, sys.excepthook
    try:
        yield
    finally:
        sys.exit, sys.excepthook = leave, report
