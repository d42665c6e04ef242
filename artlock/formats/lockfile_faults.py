"""What is wrong with a lockfile, with its place and a way out."""

from __future__ import annotations

from typing import NoReturn

import msgspec

from artlock.errors import LaterFormatError, LockfileError

MAKE_ANEW = (
    "take it from git again (`git checkout -- artifacts.lock`), "
    "or make it anew with `artlock resolve --regenerate`"
)
TAKE_BOTH = (
    "take all of it from git again (`git checkout -- artifacts.lock artifacts.lock.d`), "
    "or make it anew with `artlock resolve --regenerate`"
)
"""The way out where parts do not belong to their frame."""
TAKE_OURS = (
    "take all of your side (`git checkout HEAD -- artifacts.lock artifacts.lock.d`) and "
    "run `artlock resolve`, or abort the merge"
)
"""The way out of a merge whose sides cannot be read: git takes nothing that is unmerged
from the index, and of parts that did not meet it would take the other side's."""
UPGRADE = "upgrade artlock"


class Spot(msgspec.Struct, frozen=True):
    """Where in which lockfile something stands, for messages."""

    name: str
    inside: str = ""

    def at(self, further: str) -> Spot:
        """Return a spot inside of this one."""
        return Spot(self.name, f"{self.inside}: {further}" if self.inside else further)

    def line(self, number: int) -> Spot:
        """Return the same spot, known by its line."""
        return Spot(f"{self.name}:{number}", self.inside)

    def refuse(self, problem: str) -> NoReturn:
        """Refuse the lockfile because of ``problem``.

        Raises:
            LockfileError: Always.
        """
        where = f"{self.inside}: " if self.inside else ""
        message = f"`{self.name}` is not valid: {where}{problem}"
        raise LockfileError(message, hint=MAKE_ANEW)

    def refuse_format(self, version: int) -> NoReturn:
        """Refuse a format that this version cannot read.

        Raises:
            LaterFormatError: Always.
        """
        message = f"`{self.name}` has format {version}, later than this artlock can read"
        raise LaterFormatError(message, hint=UPGRADE)
