"""Changes of a lockfile, as lines for people, as columns for scripts, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.cli.output import count, escape_line, human_size
from artlock.model.diff import Change, ChangeKind
from artlock.model.review import Doubt, by_artifact, doubts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from artlock.cli.output import Output
    from artlock.model.review import ArtifactReview

_COLORS = {
    ChangeKind.ADDED: "green",
    ChangeKind.DELETED: "red",
    ChangeKind.MODIFIED: "yellow",
    ChangeKind.VERSION: "cyan",
    ChangeKind.RENAMED: "blue",
    ChangeKind.DECLARATION: "magenta",
}
_WORDS = {
    ChangeKind.ADDED: "added",
    ChangeKind.MODIFIED: "modified",
    ChangeKind.RENAMED: "renamed",
    ChangeKind.DELETED: "deleted",
    ChangeKind.VERSION: "pinned otherwise, same bytes",
}


_DOUBTS = {
    Doubt.ALTERED: "say something else of the same version or etag, which no store does: "
    "the lockfile was edited",
    Doubt.WEAKER: "prove less than before: a digest or checksum is gone",
}


def show_changes(
    output: Output, changes: Sequence[Change], *, rows: bool, indent: str = ""
) -> None:
    """Print the totals of each artifact, and its rows below if asked for."""
    for review in by_artifact(changes):
        name = output.styled(review.name, bold=True)
        output.data(f"{indent}{name}: {summary(review)}")
        for change in review.rows if rows else ():
            letter = output.styled(change.kind, fg=_COLORS[change.kind])
            told = f"{output.styled(places(change))}  {sizes(change)}"
            output.data(f"{indent}  {letter} {told}")


def show_columns(output: Output, changes: Sequence[Change]) -> None:
    """Print a line for each change: letter, artifact, path; of a rename both."""
    for change in changes:
        columns = [change.kind, change.artifact, change.path]
        if change.old_artifact is not None and change.old is not None:
            columns += [change.old_artifact, change.old.path]
        output.data("\t".join(map(output.styled, columns)))


def show_doubts(output: Output, changes: Sequence[Change]) -> None:
    """Warn of changes to look at twice."""
    for doubt, told in doubts(changes).items():
        output.warn(doubtful(doubt, told, lambda name: f"`{escape_line(name)}`"))


def doubtful(doubt: Doubt, changes: Sequence[Change], quoted: Callable[[str], str]) -> str:
    """Return how many changes deserve a second look, the first of them, and why."""
    first = quoted(f"{changes[0].artifact}/{changes[0].path}")
    return f"{count(len(changes), 'row')}, such as {first}, {_DOUBTS[doubt]}"


def summary(review: ArtifactReview) -> str:
    """Return one artifact's changes in a line: what is new, what went, how many bytes."""
    counts = review.counts()
    parts = [whole(review.whole)] if review.whole else []
    parts += [
        f"{count(counts[kind], 'object')} {word}"
        for kind, word in _WORDS.items()
        if kind in counts
    ]
    if review.left:
        parts.append(f"{count(len(review.left), 'object')} moved to another artifact")
    delta = review.bytes_delta
    return ", ".join(parts) + (f" ({signed_size(delta)})" if delta else "")


def whole(change: Change) -> str:
    """Return what became of an artifact as a whole, or of its declaration."""
    if change.kind is ChangeKind.ADDED:
        return "new"
    if change.kind is ChangeKind.DELETED:
        return "no longer locked"
    return f"declaration changed ({', '.join(change.keys)})"


def signed_size(delta: int) -> str:
    """Return a difference of bytes: ``+1.2 kB``, ``-3 B``, ``0 B``."""
    return f"{'+' if delta > 0 else ''}{human_size(delta)}"


def places(change: Change) -> str:
    """Return the path of a row; of a rename both, with the other artifact's name."""
    if change.old_artifact is None or change.old is None:
        return change.path
    before = change.old.path
    if change.old_artifact != change.artifact:
        before = f"{change.old_artifact}/{before}"
    return f"{before} -> {change.path}"


def sizes(change: Change) -> str:
    """Return the size of a row, or that before and that after."""
    if change.old is None:
        return human_size(change.new.size) if change.new else ""
    if change.new is None or change.new.size == change.old.size:
        return human_size(change.old.size)
    return f"{human_size(change.old.size)} -> {human_size(change.new.size)}"


def change_json(change: Change) -> dict[str, object]:
    """Return a change as ``--json`` shows it."""
    origin = None
    if change.old_artifact is not None and change.old is not None:
        origin = {"artifact": change.old_artifact, "path": change.old.path}
    return {
        "artifact": change.artifact,
        "path": change.path,
        "kind": str(change.kind),
        "old": _row(change.old),
        "new": _row(change.new),
        "from": origin,
        "keys": list(change.keys),
    }


def review_json(review: ArtifactReview) -> dict[str, object]:
    """Return the totals of an artifact as ``--json`` shows them."""
    counts = review.counts()
    return {
        "artifact": review.name,
        "whole": str(review.whole.kind) if review.whole else None,
        "rows": {str(kind): counts.get(kind, 0) for kind in _WORDS},
        "left": len(review.left),
        "objects_delta": review.objects_delta,
        "bytes_delta": review.bytes_delta,
    }


def _row(row: object) -> dict[str, object] | None:
    if row is None:
        return None
    names = ("size", "checksum", "version")
    return {name: getattr(row, name) for name in names}
