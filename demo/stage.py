"""Type a command, show what comes back, and be strict about it."""

import os
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path

_WIDTH = 92
_TIMEOUT_S = 120


class SurpriseError(Exception):
    """Something came back that the demo does not expect; the message says what."""


class Stage:
    """Where the demo happens: folders, an environment, and a narrator.

    Args:
        environment: Of every command.
        nicknames: Text that is shown in place of other text, such as a long path.
    """

    def __init__(
        self, environment: Mapping[str, str], nicknames: Mapping[str, str]
    ) -> None:
        self._environment = dict(environment)
        self._nicknames = dict(nicknames)
        self._commands = 0

    @property
    def commands(self) -> int:
        """How many commands were typed so far."""
        return self._commands

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        print(f"\n\n=== {title} {'=' * (_WIDTH - len(title) - 5)}", flush=True)

    def say(self, text: str) -> None:
        """Tell what comes next, or what was just seen."""
        words = " ".join(text.split())
        print("\n" + textwrap.fill(words, _WIDTH, break_on_hyphens=False), flush=True)

    def news(self, events: Mapping[str, str]) -> None:
        """Tell what happened to URIs outside of the project."""
        print()
        width = max(map(len, events))
        for uri, event in events.items():
            print(f"  {uri:<{width}}  {event}", flush=True)

    def type(
        self,
        command: str,
        *,
        at: Path,
        exits: int = 0,
        shows: Iterable[str] = (),
        hides: Iterable[str] = (),
        clipped: bool = False,
    ) -> str:
        """Run a command as a person would type it, and return what it printed.

        Args:
            command: Without a shell: a program and its arguments, quoted as in one.
            at: The folder to run it in.
            exits: The exit code that is expected.
            shows: Text that must be in the output.
            hides: Text that must not be there.
            clipped: Whether lines that are too long for the screen are shown cut.

        Raises:
            SurpriseError: Another exit code, or another output.
        """
        prompt = f"{at.name} $ {command}"
        print(f"\n{self._named(prompt)}", flush=True)
        self._commands += 1
        done = subprocess.run(
            _program(shlex.split(command)),
            cwd=at,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S,
            check=False,
        )
        output = done.stdout.decode()
        for line in self._named(output).splitlines():
            print(_clip(line) if clipped else line)
        if done.returncode:
            print(f"(exit code {done.returncode})")
        sys.stdout.flush()
        if done.returncode != exits:
            message = f"`{command}` exited with {done.returncode}, not {exits}"
            raise SurpriseError(message)
        for text in shows:
            if text not in output:
                message = f"`{command}` did not show `{text}`"
                raise SurpriseError(message)
        for text in hides:
            if text in output:
                message = f"`{command}` showed `{text}`"
                raise SurpriseError(message)
        return output

    def set(self, name: str, value: str) -> None:
        """Set a variable for the commands that follow, and show it."""
        print(f"\n$ export {name}={shlex.quote(self._named(value))}", flush=True)
        self._environment[name] = value

    def _named(self, text: str) -> str:
        for long, short in self._nicknames.items():
            text = text.replace(long, short)
        return text


def expect(truth: bool, otherwise: str) -> None:  # noqa: FBT001 - an assertion
    """Insist on a fact that no command prints.

    Raises:
        SurpriseError: It is not so.
    """
    if not truth:
        raise SurpriseError(otherwise)


def checked(text: str) -> None:
    """Tell what the demo itself compared, beside what commands say."""
    print(f"  [checked] {text}", flush=True)


def _program(words: list[str]) -> list[str]:
    """Return the command line; ``artlock`` is the one that lies here."""
    if words[0] == "artlock":
        return [sys.executable, "-m", "artlock", *words[1:]]
    return words


def _clip(line: str) -> str:
    width = min(os.get_terminal_size().columns, 200) if sys.stdout.isatty() else _WIDTH
    return line if len(line) <= width else line[: width - 1] + "…"
