"""Which trackers a command talks to: named ones, those of a URL, or one's own registry."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from artlock.errors import ConfigError, PolicyError, TrackerUnavailableError
from artlock.formats.settings import user_file
from artlock.model.trust import sensitive_settings
from artlock.model.uri import Uri
from artlock.ops.trusting import is_trusted, rules_of
from artlock.tracking.base import TrackerContext
from artlock.tracking.registry import open_registry
from artlock.tracking.schemes import open_tracker, scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from artlock.model.refs import Ref
    from artlock.ops.project import Project
    from artlock.ops.runtime import Runtime
    from artlock.tracking.base import Tracker
    from artlock.tracking.registry import Outbox, Registry

LOCAL = "local"
"""The name of the registry in the user's data folder; it needs no declaration."""
_DEADLINE_S = 120.0
_ROWS_PER_S = 1000.0
"""Of the slowest client; how much longer than the deadline a large lock may take."""
_FILES = frozenset({"sqlite", "mlflow+sqlite"})
"""Schemes whose URL names a file, perhaps relative to the project."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A tracker that was chosen.

    Attributes:
        name: As it is called where it is declared; its URL if it is not.
        url: With an absolute path where it names a file: it is the same tracker from
            wherever it is asked later.
    """

    name: str
    url: Uri

    @property
    def is_local(self) -> bool:
        """Whether it is the user's own registry."""
        return self.name == LOCAL


def registry_path(environ: Mapping[str, str]) -> Path:
    """Return the file of the user's own registry, whether or not it is there.

    ``$XDG_DATA_HOME/artlock/registry.db``, else ``~/.local/share/artlock/registry.db``.

    Raises:
        ConfigError: Nothing says where the user's files are.
    """
    return user_file(environ, "XDG_DATA_HOME", ".local/share", "registry.db")


def local_target(runtime: Runtime) -> Target:
    """Return the user's own registry.

    Raises:
        ConfigError: Nothing says where the user's files are.
    """
    path = registry_path(runtime.environ)
    try:
        return Target(name=LOCAL, url=Uri.parse(f"sqlite:///{path}"))
    except ValueError as error:
        message = f"your registry would be in a folder that no URL can spell: `{path!a}`"
        raise ConfigError(message, hint="set `XDG_DATA_HOME` to another one") from error


def chosen_targets(
    runtime: Runtime, project: Project | None, to: Sequence[str] = ()
) -> list[Target]:
    """Return the trackers that a command is about, each once.

    Args:
        runtime: Whose settings count.
        project: Whose manifest counts; ``None`` outside of any.
        to: Names or URLs; without any all that are named, and ``local`` if none are.

    Raises:
        ConfigError: There is no tracker of that name, or no tracker has such a URL.
        PolicyError: The manifest names one that the user has not agreed to.
    """
    named = _named(runtime, project)
    targets = [_target(runtime, project, text, named) for text in to or named]
    return list({str(target.url): target for target in targets}.values()) or [
        local_target(runtime)
    ]


def target_of(
    runtime: Runtime, project: Project | None, ref: Ref, to: str | None = None
) -> Target:
    """Return the tracker that a ref means: its own, ``to``, or the first that is named.

    Raises:
        ConfigError: As ``chosen_targets``, or the ref and ``to`` name two.
        PolicyError: As ``chosen_targets``.
    """
    if ref.tracker is not None and to is not None and ref.tracker != to:
        message = f"`{ref}` names a tracker, and `--to {to}` names another"
        raise ConfigError(message, hint="leave one of them out")
    named = _named(runtime, project)
    told = ref.tracker or to or next(iter(named), LOCAL)
    return _target(runtime, project, told, named)


def names_of_trackers(runtime: Runtime, project: Project | None) -> dict[str, str]:
    """Return what trackers are called here, by URL; nobody is asked, nothing is trusted."""
    base = project.root if project else runtime.directory.absolute()
    named = _named(runtime, project)
    names = {}
    for name, (url, _) in named.items():
        # One that is none is told to whoever wants to use it.
        with suppress(ConfigError):
            names[str(_located(url, base))] = name
    return names


class Trackers:
    """The open trackers of one run; a context manager that closes them.

    Args:
        runtime: Where credentials and remarks come from and go to.
        base: What relative paths are relative to; absolute.
    """

    def __init__(self, runtime: Runtime, base: Path) -> None:
        self._runtime = runtime
        self._base = base
        self._open: dict[str, tuple[float, Tracker]] = {}
        """By URL, with the deadline of its calls."""
        self._own: Registry | None = None
        self._scratch: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._own is not None:
            self._own.close()
        for _deadline_s, tracker in self._open.values():
            tracker.close()
        if self._scratch is not None:
            # Of a client library that still writes there nothing is lost: what counts was
            # read back.
            shutil.rmtree(self._scratch, ignore_errors=True)

    def tracker(self, url: Uri, *, objects: int = 0) -> Tracker:
        """Return the tracker at a URL.

        Args:
            url: Absolute where it names a file.
            objects: How many rows it is going to be sent: many take their time.

        Raises:
            ConfigError: No tracker has such a URL, or its client is not installed.
            TrackerUnavailableError: It needs the network, and ``--offline`` was given.
        """
        if url == local_target(self._runtime).url:
            return self.local()
        if self._runtime.offline and url.scheme not in _FILES:
            message = f"`{url}` needs the network, and `--offline` was given"
            hint = "leave out `--offline`"
            raise TrackerUnavailableError(message, tracker=str(url), hint=hint)
        deadline_s = _DEADLINE_S + objects / _ROWS_PER_S
        known = self._open.get(str(url))
        if known is not None and known[0] >= deadline_s:
            return known[1]
        if known is not None:
            known[1].close()
        tracker = open_tracker(url, self._context(deadline_s))
        self._open[str(url)] = deadline_s, tracker
        return tracker

    def local(self) -> Registry:
        """Return the user's own registry, which has the outbox too.

        Opened by its path: a URL cannot spell every folder that a home may be in.

        Raises:
            ConfigError: Nothing says where the user's files are.
        """
        if self._own is None:
            self._own = open_registry(registry_path(self._runtime.environ), self._context())
        return self._own

    def outbox(self) -> Outbox:
        """Return what has still to be sent, in the user's own registry.

        Raises:
            ConfigError: As ``local``.
        """
        return self.local().outbox

    def _context(self, deadline_s: float = _DEADLINE_S) -> TrackerContext:
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="artlock-push-"))
        return TrackerContext(
            environ=self._runtime.environ,
            base=self._base,
            scratch=self._scratch,
            deadline_s=deadline_s,
            notice=self._runtime.progress.notice,
        )


@contextmanager
def opened(runtime: Runtime, project: Project | None, target: Target) -> Iterator[Tracker]:
    """Open one tracker, and close it.

    Raises:
        ConfigError: Its client is not installed.
    """
    base = project.root if project else runtime.directory.absolute()
    with Trackers(runtime, base) as trackers:
        yield trackers.tracker(target.url)


def _named(runtime: Runtime, project: Project | None) -> dict[str, tuple[str, bool]]:
    """Return URL, and whether the repository says so, by name; the repository's first."""
    own = dict(runtime.settings.trackers)
    declared = dict(project.manifest.trackers) if project else {}
    # What the user's own settings say of a name wins, and needs no trust.
    found = {name: (own.get(name, url), name not in own) for name, url in declared.items()}
    return found | {name: (url, False) for name, url in own.items()}


def _target(
    runtime: Runtime,
    project: Project | None,
    told: str,
    named: Mapping[str, tuple[str, bool]],
) -> Target:
    if told == LOCAL:
        return local_target(runtime)
    base = project.root if project else runtime.directory.absolute()
    if told in named:
        text, is_foreign = named[told]
        is_own = text in dict(runtime.settings.trackers).values()
        if is_foreign and project is not None and not is_own:
            _refuse_untrusted(project, told, text)
        return Target(name=told, url=_located(text, base))
    if "://" not in told:
        known = ", ".join(f"`{name}`" for name in (LOCAL, *named))
        message = f"there is no tracker `{told}`"
        raise ConfigError(message, hint=f"there are {known}; or give a URL")
    return Target(name=told, url=_located(told, runtime.directory.absolute()))


def _located(text: str, base: Path) -> Uri:
    """Return the URL of a tracker, with an absolute path where it names a file.

    Raises:
        ConfigError: No tracker has such a URL, or a URL cannot spell the folder.
    """
    try:
        url = Uri.parse(text)
    except ValueError as error:
        message = f"`{text.partition('://')[0]}://...` is no tracker: {error}"
        raise ConfigError(message) from error
    scheme_of(url)
    if url.scheme not in _FILES or url.key.startswith("/"):
        return url
    folder = str(base.absolute())
    try:
        found = Uri.parse(f"{url.scheme}:///{folder}/{url.key}")
        scheme_of(found)
    except (ValueError, ConfigError) as error:
        message = f"`{text}` is relative to a folder that no URL can spell: `{folder!a}`"
        raise ConfigError(
            message, hint="move the project, or write another path"
        ) from error
    return found


def _refuse_untrusted(project: Project, name: str, text: str) -> None:
    """Refuse a tracker of a repository until the user said yes (hazard 5.4).

    What is locked would go to whoever wrote the manifest, with this user's credentials.
    """
    told = sensitive_settings(project.manifest)
    setting = next(s for s in told if s.setting == f"trackers.{name}")
    if is_trusted(project) or rules_of(project.runtime.environ).covers(setting):
        return
    message = f"`trackers.{name}` in `artifacts.toml` is not trusted: `{text}`"
    hint = "run `artlock trust`, name it in your own settings, or push with `--to`"
    raise PolicyError(message, hint=hint)
