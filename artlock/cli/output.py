"""Every printed word goes through here: data to stdout, talk to stderr.

Names come from stores and from other people's lockfiles, so control characters are shown
as escapes and never reach the terminal (hazards 2.5, 5.30). Talk and errors also have texts
of libraries in them, so they go through the one redactor (hazard 5.7); data is what was
locked, and stays as it is. Colour adds no meaning.
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING, TextIO

import click

from artlock.model.secrets import redact, secrets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from artlock.errors import ArtlockError, ManyErrors

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
_TALK = frozenset({"error", "errors", "diagnoses"})
"""Parts of a JSON document that talk, and may have texts of libraries in them."""
_SHOWN_PER_CLASS = 20
"""How many failures of one class are listed; ``--verbose`` and ``--json`` list them all."""


def escape(text: str) -> str:
    """Return ``text`` with control and direction characters, surrogates too, as escapes."""
    shown = _UNPRINTABLE.sub(lambda m: m[0].encode("unicode_escape").decode(), text)
    return shown.encode("utf-8", "backslashreplace").decode()


def escape_line(text: str) -> str:
    """Return ``text`` escaped as by ``escape``, with its line breaks: a line stays one."""
    return escape(text).replace("\n", "\\n")


def safe(text: str) -> str:
    """Return ``text`` without credentials, those of this environment included, escaped."""
    return escape(redact(text, secrets_of(os.environ)))


def human_size(size: int) -> str:
    """Return bytes in decimal units: ``999 B``, ``1.2 kB``, ``3.4 GB``."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(value) < 999.5 or unit == "TB":  # noqa: PLR2004 - rounds to 1000
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError


def count(number: int, noun: str) -> str:
    """Return ``1 object`` or ``2,000 objects``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def silence(stream: TextIO) -> None:
    """Let what is still written to ``stream`` go nowhere: who read it has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _redacted(value: object) -> object:
    """Return what JSON holds with every text in it redacted."""
    if isinstance(value, str):
        return redact(value, secrets_of(os.environ))
    if isinstance(value, dict):
        return {key: _redacted(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(inner) for inner in value]
    return value


class Output:
    """Where a command speaks.

    Args:
        as_json: Data is one JSON document; talk is still text on stderr.
        quiet: Only errors are talked about.
        verbose: Details too.
        color: ``True``, ``False``, or ``None`` for what the stream suggests (``NO_COLOR``
            and a pipe switch it off).
    """

    def __init__(
        self,
        *,
        as_json: bool = False,
        quiet: bool = False,
        verbose: bool = False,
        color: bool | None = None,
    ) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose
        self._color = color
        self.before_talk: Callable[[], None] = lambda: None
        """Called before a line of talk, so that a moving progress bar can step aside."""

    def data(self, text: str = "") -> None:
        """Print a line of data; nothing with ``--json``, where ``document`` speaks."""
        if not self.as_json:
            self._write(sys.stdout, text)

    def styled(self, text: str, **style: object) -> str:
        """Return ``text`` escaped, and coloured where colour is on for stdout."""
        plain = escape(text)
        return click.style(plain, **style) if self._colors(sys.stdout) else plain  # type: ignore[arg-type] # click's own keywords

    def document(self, schema: str, content: Mapping[str, object]) -> None:
        """Print the one JSON document of a command, if ``--json`` asks for it."""
        if self.as_json:
            told = {k: _redacted(v) if k in _TALK else v for k, v in content.items()}
            text = json.dumps({"schema": f"artlock.{schema}/1", **told}, ensure_ascii=True)
            self._write(sys.stdout, text)

    def say(self, text: str) -> None:
        """Talk, unless ``--quiet``."""
        if not self.quiet:
            self._talk(escape(text))

    def detail(self, text: str) -> None:
        """Talk, if ``--verbose``."""
        if self.verbose:
            self._talk(escape(text))

    def warn(self, text: str) -> None:
        """Talk about something that is no error and should be seen."""
        if not self.quiet:
            self._talk(self._label("warning", "yellow") + escape(text))

    def error(self, error: ArtlockError) -> None:
        """Print the error that ended a command: what, where, facts, and the next deed."""
        if self.as_json:
            described = {"code": error.code, "message": error.message, "hint": error.hint}
            facts = {**described, **error.facts(), "exit_code": error.exit_code}
            self.document("error", {"error": facts})
        self.failure(error)

    def failure(self, error: ArtlockError) -> None:
        """Talk about an error, also if it did not end the command."""
        from artlock.errors import ManyErrors  # noqa: PLC0415 - only when something failed

        if isinstance(error, ManyErrors):
            self._many(error)
            return
        self._headline(error)
        self._facts(error)
        if error.hint:
            self._talk("")
            self._talk(self._label("hint", "cyan") + escape(error.hint))

    def _headline(self, error: ArtlockError) -> None:
        self._talk(self._label(f"error[{error.code}]", "red") + escape(error.message))

    def _facts(self, error: ArtlockError) -> None:
        facts = error.facts()
        if "expected" in facts:
            self._talk(f"  expected  {escape(str(facts['expected']))}")
            self._talk(f"  actual    {escape(str(facts['actual']))}")
            if facts["kept"]:
                self._talk(f"  kept      {escape(str(facts['kept']))}")
        paths = facts.get("paths")
        if isinstance(paths, list):
            for path in paths if self.verbose else paths[:_SHOWN_PER_CLASS]:
                self._talk(f"  {escape(path)}")
            self._more(len(paths))

    def _many(self, errors: ManyErrors) -> None:
        """Print errors grouped by class and hint: one heading and one hint each."""
        groups: dict[tuple[str, str | None], list[ArtlockError]] = {}
        for error in errors.errors:
            groups.setdefault((error.code, error.hint), []).append(error)
        self._talk(self._label(f"error[{errors.code}]", "red") + escape(errors.message))
        for (code, hint), members in groups.items():
            self._talk("")
            self._talk(
                self._label(f"error[{code}]", "red") + count(len(members), "failure")
            )
            for error in members if self.verbose else members[:_SHOWN_PER_CLASS]:
                self._talk(f"  {escape(error.message)}")
                facts = error.facts()
                if "expected" in facts:
                    self._talk(f"    expected  {escape(str(facts['expected']))}")
                    self._talk(f"    actual    {escape(str(facts['actual']))}")
                    if facts["kept"]:
                        self._talk(f"    kept      {escape(str(facts['kept']))}")
            self._more(len(members))
            if hint:
                self._talk(self._label("hint", "cyan") + escape(hint))

    def _more(self, length: int) -> None:
        if length > _SHOWN_PER_CLASS and not self.verbose:
            more = length - _SHOWN_PER_CLASS
            self._talk(f"  ... and {more:,} more (`--verbose` lists them)")

    def _label(self, text: str, color: str) -> str:
        label = f"{text}: "
        return (
            click.style(label, fg=color, bold=True) if self._colors(sys.stderr) else label
        )

    def _talk(self, text: str) -> None:
        self.before_talk()
        self._write(sys.stderr, redact(text, secrets_of(os.environ)))

    def _write(self, stream: TextIO, text: str) -> None:
        try:
            click.echo(text, file=stream, color=self._colors(stream))
        except OSError as error:
            # `artlock ls | head`: the rest is said to nobody, the exit code is as earned.
            # A full disk under the data is a failure; under the talk there is no telling.
            if stream is sys.stdout and not isinstance(error, BrokenPipeError):
                raise
            silence(stream)

    def _colors(self, stream: TextIO) -> bool:
        if self._color is not None:
            return self._color
        return "NO_COLOR" not in os.environ and stream.isatty()
