"""Changes of a lockfile as the body of a comment: bounded, and with nobody else's markup.

Names come from stores and from other people's branches. Each stands in a code span, in
which Markdown knows no links, no mentions and no HTML; only the run of backticks that ends
it and the bar that ends a cell are made harmless (CommonMark §6.1, GFM §4.10).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from artlock.cli.changes import doubtful, places, signed_size, sizes, whole
from artlock.cli.output import count, escape_line
from artlock.model.diff import ChangeKind
from artlock.model.review import by_artifact, doubts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from artlock.model.diff import Change
    from artlock.model.review import ArtifactReview

LIMIT = 60_000
"""Characters of a whole body: GitHub refuses comments of more than 65,536."""
_RESERVED = 2_000
"""For what ends a body: the last row, and how much is left out."""
_LONGEST_NAME = 400
_MOST_ARTIFACTS = 50
_MOST_ROWS = 100
"""Rows of one artifact; what a person still looks through."""
_COLUMNS = {
    "Added": ChangeKind.ADDED,
    "Modified": ChangeKind.MODIFIED,
    "Renamed": ChangeKind.RENAMED,
    "Deleted": ChangeKind.DELETED,
    "Same bytes, other pin": ChangeKind.VERSION,
}


def as_markdown(changes: Sequence[Change], *, rows: bool) -> str:
    """Return a heading, a table of artifacts, what to look at twice, and the rows, folded.

    Args:
        changes: What ``compare`` found.
        rows: Whether the rows are listed.
    """
    reviews = by_artifact(changes)
    if not reviews:
        return "### Locked data\n\nNothing changed.\n"
    size = sum(review.bytes_delta for review in reviews)
    changed = f"{count(len(reviews), 'artifact')} changed, {signed_size(size)}"
    head = [f"### Locked data: {changed}", "", *_table(reviews), *_doubted(changes)]
    text = "".join(f"{line}\n" for line in head)
    if not rows:
        return text
    for index, review in enumerate(reviews):
        room = LIMIT - len(text) - _RESERVED
        if room <= 0:
            left = count(len(reviews) - index, "more artifact")
            return f"{text}\n{left}: `artlock diff` shows them.\n"
        text += "".join(f"{line}\n" for line in _details(review, room))
    return text


def code(text: str) -> str:
    """Return ``text`` as a code span that also fits into a table."""
    plain = _short(escape_line(text)).replace("|", "\\|")
    runs = [len(run) for run in re.findall("`+", plain)]
    fence = "`" * (max(runs, default=0) + 1)
    # Spaces beside the fence are dropped if both are there, and part a backtick from it.
    padded = f" {plain} " if runs or plain.startswith(" ") or plain.endswith(" ") else plain
    return f"{fence}{padded}{fence}"


def _short(text: str) -> str:
    """Return ``text`` without its middle if it is long: both ends say more."""
    if len(text) <= _LONGEST_NAME:
        return text
    half = _LONGEST_NAME // 2
    return f"{text[:half]}…{text[-half:]}"


def _table(reviews: Sequence[ArtifactReview]) -> Iterator[str]:
    yield f"| Artifact | {' | '.join(_COLUMNS)} | Objects | Bytes |"
    yield f"|---|{'--:|' * (len(_COLUMNS) + 2)}"
    for review in reviews[:_MOST_ARTIFACTS]:
        counts = review.counts()
        cells = [f"{counts[k]:,}" if k in counts else "" for k in _COLUMNS.values()]
        name = code(review.name)
        if review.whole is not None:
            name += f" {whole(review.whole)}"
        cells += [f"{review.objects_delta:+,}", signed_size(review.bytes_delta)]
        yield f"| {name} | {' | '.join(cells)} |"
    if len(reviews) > _MOST_ARTIFACTS:
        yield f"| and {len(reviews) - _MOST_ARTIFACTS:,} more |{' |' * (len(_COLUMNS) + 2)}"


def _doubted(changes: Sequence[Change]) -> Iterator[str]:
    for doubt, told in doubts(changes).items():
        yield ""
        yield f"**Look twice:** {doubtful(doubt, told, code)}."


def _details(review: ArtifactReview, room: int) -> Iterator[str]:
    """Yield the rows of an artifact, as many as fit into so many characters, and one."""
    rows = review.rows
    if not rows:
        return
    yield ""
    yield f"<details><summary>{_short(review.name)}: {count(len(rows), 'object')}</summary>"
    yield ""
    yield "| | Object | Bytes |"
    yield "|---|---|--:|"
    shown = 0
    for change in rows[:_MOST_ROWS]:
        if room <= 0:
            break
        line = f"| {change.kind} | {code(places(change))} | {sizes(change)} |"
        room -= len(line)
        shown += 1
        yield line
    if len(rows) > shown:
        yield f"| | and {len(rows) - shown:,} more | |"
    yield ""
    yield "</details>"
