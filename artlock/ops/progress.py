"""How an operation tells that it gets on; ``cli`` draws it, libraries may ignore it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Callbacks of a long operation; called from several threads."""

    def begin(self, deed: str, *, objects: int | None, size: int | None) -> None:
        """Start a phase.

        Args:
            deed: What is done, as a verb: ``listing``, ``reading``, ``fetching``,
                ``writing``.
            objects: How many objects there will be, or ``None`` while unknown.
            size: How many bytes there will be, or ``None`` while unknown.
        """

    def advance(self, *, objects: int = 0, size: int = 0) -> None:
        """Add to what was done in this phase."""

    def end(self) -> None:
        """Finish the phase, also when it failed."""

    def notice(self, text: str) -> None:
        """Tell something that a person should see and that is no error."""


class Silent:
    """A ``Progress`` that nobody watches."""

    def begin(self, deed: str, *, objects: int | None, size: int | None) -> None:
        """Do nothing."""

    def advance(self, *, objects: int = 0, size: int = 0) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""

    def notice(self, text: str) -> None:
        """Do nothing."""
