"""Where a lockfile comes from: commit, remote and author, as git knows them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import msgspec

from artlock.gitio.repository import (
    commit_of,
    failure,
    has_commit,
    is_tracked,
    repository_root,
    run_git,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SCP = re.compile(r"(?:([\w.+-]+)@)?([\w.-]+:(?!//|:)[^\\@?#]+)", re.ASCII)
"""git's short form of an SSH URL, ``git@host:team/data.git``."""
_LOGIN = re.compile(r"[a-z][a-z0-9-]{0,19}")
"""The user of an SSH address, if it surely is no token."""
_WEB = frozenset({"http", "https"})
_TOLD = _WEB | {"ssh", "git", "git+ssh"}
"""Schemes of remotes that mean something on another machine."""


class GitState(msgspec.Struct, frozen=True, kw_only=True):
    """The commit of a folder, and what of it is not in there.

    Attributes:
        commit: Its object name; ``None`` in a repository without one.
        remote: URL of the remote that the branch follows, without credentials; ``None`` if
            there is none, or it is a folder of this machine.
        uncommitted: Which of the paths that were asked about differ from the commit, or are
            not in it; sorted.
    """

    commit: str | None
    remote: str | None
    uncommitted: tuple[str, ...]


def git_state(folder: Path, paths: Sequence[str]) -> GitState | None:
    """Return what git knows of a folder; ``None`` outside of any repository.

    Args:
        folder: Of a project.
        paths: Relative to it, with ``/`` between segments; one may be a folder. What is
            there and not tracked counts as not committed.

    Raises:
        GitError: git is absent, or refuses the repository.
    """
    if repository_root(folder) is None:
        return None
    there = [path for path in paths if (folder / path).exists()]
    if not has_commit(folder):
        return GitState(commit=None, remote=_remote(folder), uncommitted=tuple(there))
    changed = {path for path in there if not is_tracked(folder, path)}
    for path in paths:
        answer = run_git(folder, ["status", "--porcelain=v1", "-z", "--", path])
        if answer.returncode != 0:
            raise failure(answer, "cannot tell what is not committed")
        if answer.stdout:
            changed.add(path)
    return GitState(
        commit=commit_of(folder, "HEAD"),
        remote=_remote(folder),
        uncommitted=tuple(sorted(changed)),
    )


def git_author(folder: Path) -> str | None:
    """Return who commits here, ``Ada <ada@example.org>``; ``None`` if git does not know.

    Raises:
        GitError: git is absent, or took too long.
    """
    name = os.environ.get("GIT_AUTHOR_NAME") or _setting(folder, "user.name")
    email = os.environ.get("GIT_AUTHOR_EMAIL") or _setting(folder, "user.email")
    if name and email:
        return f"{name} <{email}>"
    return name or email or None


def public_remote(url: str) -> str | None:
    """Return a remote's URL as others may see it; ``None`` if it says nothing to them.

    User info of a web address is a login, and goes, and so do query and fragment; the user
    of an SSH address is part of the address, but for what may be a token.
    """
    if not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme in _TOLD and parts.hostname:
        user = "" if parts.scheme in _WEB else parts.username or ""
        host = parts.netloc.rpartition("@")[2]
        netloc = f"{user}@{host}" if _LOGIN.fullmatch(user) else host
        return SplitResult(parts.scheme, netloc, parts.path, "", "").geturl()
    short = _SCP.fullmatch(url) if "://" not in url else None
    if short is None:
        return None
    user, place = short[1] or "", short[2]
    return f"{user}@{place}" if _LOGIN.fullmatch(user) else place


def _remote(folder: Path) -> str | None:
    answer = run_git(folder, ["symbolic-ref", "--quiet", "--short", "HEAD"])
    branch = answer.stdout.decode(errors="replace").strip()
    followed = _setting(folder, f"branch.{branch}.remote") if branch else ""
    url = _setting(folder, f"remote.{followed or 'origin'}.url")
    return public_remote(url) if url else None


def _setting(folder: Path, key: str) -> str:
    answer = run_git(folder, ["config", "--get", key])
    return answer.stdout.decode(errors="replace").strip() if answer.returncode == 0 else ""
