"""Which commits changed a file, the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from artlock.errors import GitError
from artlock.gitio.repository import failure, run_git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FORMAT = "%H%x00%P%x00%an%x00%aI%x00%s"
_FIELDS = _FORMAT.count("%x00") + 1
_AS_ASKED = (
    "--literal-pathspecs",
    *("-c", "log.follow=false"),
    *("-c", "log.showSignature=false"),
    *("-c", "log.showRoot=true"),
    *("-c", "log.diffMerges=separate"),
    *("-c", "i18n.logOutputEncoding=UTF-8"),
)
"""Whatever a person's settings say of a log."""
_RAW = ":"
"""Begins what git says of one changed file: modes, object names, letter."""
_GONE = frozenset("0")


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """Who changed something, when, and why.

    Attributes:
        name: The object name, whole.
        author: As the commit says; somebody else's text.
        date: Of the author, RFC 3339 with the author's offset.
        subject: The first line of the message; somebody else's text.
    """

    name: str
    author: str
    date: str
    subject: str


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A commit that changed the file.

    Attributes:
        before: Object names of the file at the parents that have it otherwise; ``None``
            where it was not there. A merge has several.
        after: At the commit; ``None`` where it was deleted.
        parents: Object names of all parents of the commit.
    """

    commit: Commit
    before: tuple[str | None, ...]
    after: str | None
    parents: tuple[str, ...]


def history_of(root: Path, path: str) -> Iterator[Step]:
    """Yield the commits that led to a file as it is at ``HEAD``, the newest first.

    Args:
        root: The top of the work tree.
        path: Relative to ``root``, with ``/`` between segments.

    Raises:
        GitError: git is absent, this is not a repository, or there is no commit yet.
    """
    form = ["-m", f"--format={_FORMAT}", "--raw", "--no-abbrev", "--no-renames", "-z"]
    answer = run_git(root, ["log", *form, "--", path], options=_AS_ASKED)
    if answer.returncode != 0:
        raise failure(answer, f"cannot list the history of `{path}`")
    return _steps(answer.stdout.decode(errors="replace").split("\0"))


def _steps(words: list[str]) -> Iterator[Step]:
    """Put together what a merge has once for each parent."""
    step: Step | None = None
    for record in _records(words):
        if step is not None and step.commit == record.commit:
            step = replace(step, before=(*step.before, *record.before))
            continue
        if step is not None:
            yield step
        step = record
    if step is not None:
        yield step


def _records(words: list[str]) -> Iterator[Step]:
    """Yield a step for each parent that has the file otherwise."""
    position = 0
    # No field can have a NUL, so fields are counted and never searched for.
    while position + _FIELDS < len(words):
        name, parents, author, date, subject = words[position : position + _FIELDS]
        position += _FIELDS
        raw = words[position].lstrip("\n")
        if not raw.startswith(_RAW):
            message = "git's history is not in the form that was asked for"
            raise GitError(message)
        _, _, before, after, _ = raw.split(" ")
        commit = Commit(name=name.strip(), author=author, date=date, subject=subject)
        yield Step(
            commit=commit,
            before=(_object(before),),
            after=_object(after),
            parents=tuple(parents.split()),
        )
        position += 2  # the file's path too


def _object(name: str) -> str | None:
    return None if set(name) == _GONE else name
