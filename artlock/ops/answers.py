"""Rows held against what their sources say now: one question for each, no listing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from artlock.engine.threads import each
from artlock.errors import ArtlockError, ObjectNotFoundError
from artlock.model.objects import VersionId
from artlock.ops.check import Fault, Finding
from artlock.ops.comparing import holds_the_same, needs_reading
from artlock.ops.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from artlock.model.lock import LockedObject
    from artlock.model.manifest import Artifact
    from artlock.model.objects import ObjectInfo
    from artlock.model.uri import Uri
    from artlock.ops.project import Project
    from artlock.stores.base import Store

TAKE_BACK = "take the row from git again, or run `artlock update` to lock what is there"
_LOOK = "run `artlock update`, if the source is meant to have moved on"
_PATIENCE_S = 2.0
"""How long an interruption waits for an answer that is on its way."""


class Question(msgspec.Struct, frozen=True):
    """Does the source of an artifact have, at this URI, what a row says?"""

    artifact: Artifact
    row: LockedObject
    uri: Uri


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What the sources said.

    Attributes:
        findings: Rows of which a source says something else, in no order.
        errors: Why sources could not be asked: for each artifact the first of each code.
        asked: How many rows a source answered for.
        unread: How many of these have a digest that no source told: only reading the
            bytes proves it.
        blind: How many of these have no token that the source told anything about, so
            that all but the size is only what the row says.
    """

    findings: tuple[Finding, ...] = ()
    errors: tuple[ArtlockError, ...] = ()
    asked: int = 0
    unread: int = 0
    blind: int = 0


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a source said of one row.

    Attributes:
        finding: In what it has something else.
        is_unread: Whether the row has a digest that this does not prove.
        is_blind: Whether no token of the row could be compared.
    """

    finding: Finding | None = None
    is_unread: bool = False
    is_blind: bool = False


def ask(project: Project, questions: Sequence[Question]) -> Answers:
    """Ask the sources of rows, many at once; what cannot be asked holds up no other."""
    errors: dict[tuple[str, str], ArtlockError] = {}
    answered: list[_Answer] = []
    with Sources(project) as sources:
        stores: dict[str, Store] = {}
        for artifact in {q.artifact.name: q.artifact for q in questions}.values():
            try:
                stores[artifact.name] = sources.store(artifact)
            except ArtlockError as error:
                errors[artifact.name, error.code] = error
        outcomes = each(
            lambda q: _answer(q, stores[q.artifact.name]),
            [q for q in questions if q.artifact.name in stores],
            workers=min(project.runtime.jobs, max(len(questions), 1)),
            patience_s=_PATIENCE_S,
        )
        for outcome in outcomes:
            if outcome.error is not None:
                key = (outcome.item.artifact.name, outcome.error.code)
                errors.setdefault(key, outcome.error)
            elif outcome.result is not None:
                answered.append(outcome.result)
    return Answers(
        findings=tuple(a.finding for a in answered if a.finding is not None),
        errors=tuple(errors[key] for key in sorted(errors)),
        asked=len(answered),
        unread=sum(1 for answer in answered if answer.is_unread),
        blind=sum(1 for answer in answered if answer.is_blind),
    )


def _answer(question: Question, store: Store) -> _Answer:
    """Ask for one row."""
    row, uri = question.row, question.uri
    try:
        info = store.head(uri, VersionId(row.version) if row.version else None)
    except ObjectNotFoundError:
        what = f"version `{row.version}` of `{uri}`" if row.version else f"`{uri}`"
        return _finding(question, Fault.GONE, f"the source has no {what}", _LOOK)
    if row.version:
        if _denies(row, info):
            text = f"the source says something else of version `{row.version}` of `{uri}`"
            return _finding(question, Fault.ALTERED, text, TAKE_BACK)
    elif not holds_the_same(row, info, store):
        text = f"the source has something else at `{uri}`"
        return _finding(question, Fault.OVERWRITTEN, text, _LOOK)
    elif needs_reading(row, info):
        return _Answer()  # the bytes were read, and are what the row says
    locked, now = row.tokens, info.tokens
    told = {digest.algorithm for digest in now.digests}
    return _Answer(
        is_unread=bool(locked.digests)
        and told.isdisjoint(digest.algorithm for digest in locked.digests),
        is_blind=bool(row.checksum)
        and not locked.agrees(now)
        and None in {locked.etag, now.etag},
    )


def _finding(question: Question, fault: Fault, text: str, hint: str) -> _Answer:
    name, path = question.artifact.name, question.row.path
    return _Answer(finding=Finding(fault, name, text, hint, path))


def _denies(row: LockedObject, info: ObjectInfo) -> bool:
    """Tell whether a version as its store describes it cannot be what a row says."""
    tokens = row.tokens
    etags = (tokens.etag, info.tokens.etag)
    return (
        info.size not in {None, row.size}
        or tokens.contradicts(info.tokens)
        or (None not in etags and tokens.etag != info.tokens.etag)
    )
