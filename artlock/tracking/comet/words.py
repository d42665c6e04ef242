"""What the process of Comet's client says besides its answers, without the API key.

artlock repeats its last words when it ends by itself, and the key may come from a file that
only this process has read.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO

from artlock.model.secrets import redact

if TYPE_CHECKING:
    from collections.abc import Sequence


class Words(io.TextIOWrapper):
    """A text stream that takes out what is secret by the time it is written."""

    def __init__(self, to: BinaryIO, secrets: Sequence[str]) -> None:
        """Write to a stream of bytes.

        Args:
            to: Where the text goes.
            secrets: What is taken out; it may grow.
        """
        super().__init__(to, "utf-8", "backslashreplace")
        self._secrets = secrets

    def write(self, text: str) -> int:
        """Write ``text`` without secrets; return how long it was."""
        super().write(redact(text, self._secrets))
        self.flush()  # this process does not end in a way that would do it
        return len(text)
