"""The lockfile of a project judged, without its rows: what `check` needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.formats.lockfile_survey import survey_text

if TYPE_CHECKING:
    from artlock.formats.lockfile_parts import LockText
    from artlock.formats.lockfile_survey import Survey
    from artlock.ops.project import Project
    from artlock.ops.runtime import Runtime

LONG = 1 << 20
"""Bytes of text that take longer to judge than a proof takes to find: some 10 ms."""


def survey(project: Project) -> Survey:
    """Judge the lockfile of a project; a long one only if it was not judged before.

    Nothing is written into the project.

    Raises:
        LockfileError: There is no lockfile, or it is not valid.
        UnsafePathError: A row's path cannot be a file that is safe everywhere.
        PolicyError: A URI has a credential, or a row points outside of its declaration.
    """
    if project.lock_files.is_long(LONG):
        from artlock.ops.proofs import recalled  # noqa: PLC0415 - not for short texts

        # A million rows are hashed in 0.1 s and never in memory.
        known = recalled(project.runtime.environ, project.lock_files.key() or b"")
        if known is not None:
            return known
    return survey_once(project.locked_text(), project.runtime)


def survey_once(
    text: LockText, runtime: Runtime, *, name: str = "artifacts.lock"
) -> Survey:
    """Judge the text of a lockfile; a long one only if it was not judged before.

    Args:
        text: The lockfile.
        runtime: Whose user remembers it.
        name: What the text is, for messages.

    Raises:
        ArtlockError: As ``survey``.
    """
    if len(text.data) < LONG:
        return survey_text(text, name=name)
    from artlock.ops.proofs import survey_and_remember  # noqa: PLC0415 - likewise

    return survey_and_remember(text, runtime, name=name)
