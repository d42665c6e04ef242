"""Run the ``console`` blocks of a page, and compare what they print with what it shows.

A line that begins with ``$ `` is a command for bash; what follows up to the next one is
its output, stdout and stderr together. ``…`` in it stands for any text within a line, and a
line ``[…]`` for any number of lines. The exit code is not looked at, but ``echo $?`` prints
that of the command before. All blocks of a page are one session: folder and variables stay.

``python -m tests.docs`` writes the outputs anew.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.guards import isolate
from tests.programs import path_with_artlock

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MOMENT = re.compile(r"\b20[0-9]{6}T[0-9]{6}\b")
_ANY_LINES = "[…]"
_MARK = "-- end of command --"
_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command of a page.

    Attributes:
        command: As it stands there, without the prompt.
        shown: The lines below it.
        line: Where it stands, from 1.
    """

    command: str
    shown: tuple[str, ...]
    line: int


def steps_of(text: str) -> list[Step]:
    """Return the commands of a page, in order."""
    steps: list[Step] = []
    for block in _BLOCK.finditer(text):
        first = text[: block.start()].count("\n") + 2
        lines = block[1].splitlines()
        starts = [i for i, line in enumerate(lines) if line.startswith("$ ")]
        for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
            steps.append(
                Step(
                    command=lines[start].removeprefix("$ "),
                    shown=tuple(lines[start + 1 : end]),
                    line=first + start,
                )
            )
    return steps


def matches(shown: Sequence[str], printed: Sequence[str]) -> bool:
    """Tell whether what was printed is what a page shows."""
    parts = [
        r"(?:[^\n]*\n)*?"
        if line == _ANY_LINES
        else "[^\n]*".join(map(re.escape, line.split("…"))) + r"\n"
        for line in shown
    ]
    printed_text = "".join(f"{line}\n" for line in printed)
    return re.fullmatch("".join(parts), printed_text) is not None


class Session:
    """A shell in a folder of its own; ``artlock`` in it is the one of this checkout.

    Args:
        folder: Where the first command runs; everything else lies beside it.
        variables: Further environment variables.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str] | None = None) -> None:
        home = folder.parent / "home"
        for made in (folder, home):
            made.mkdir(parents=True, exist_ok=True)
        environment = dict(os.environ)
        isolate(environment, home)
        self._environment = {
            **environment,
            **(variables or {}),
            "PATH": path_with_artlock(folder.parent / "bin"),
            "LC_ALL": "C.UTF-8",
        }
        self._state = folder.parent / "state.sh"
        self._state.write_text(f"cd {shlex.quote(str(folder))}\n")
        self._exit_code = 0

    def run(self, command: str) -> list[str]:
        """Run one command where the last one ended, and return what it printed."""
        state = shlex.quote(str(self._state))
        script = (
            f". {state}\n(exit {self._exit_code})\n{command}\ncode=$?\n"
            f"{{ declare -px; printf 'cd %q\\n' \"$PWD\"; }} >{state}\n"
            f"echo '{_MARK}' $code"
        )
        done = subprocess.run(
            ["bash", "-c", script],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S,
            check=False,
        )
        output, _, code = done.stdout.decode().rpartition(_MARK)
        self._exit_code = int(code)
        return output.splitlines()


def rewritten(text: str, run: Callable[[str], list[str]], *, hidden: Iterable[str]) -> str:
    """Return a page with the outputs that its commands have now.

    What a page shows stays, with its gaps, as long as it matches.

    Args:
        text: The page.
        run: Runs a command and returns what it printed.
        hidden: Texts that differ from run to run; like moments they are shown as ``…``.
    """

    def block(match: re.Match[str]) -> str:
        lines = []
        for step in steps_of(match[0]):
            printed = run(step.command)
            if matches(step.shown, printed):
                shown = list(step.shown)
            else:
                shown = [_without(line, hidden) for line in printed]
            lines += [f"$ {step.command}", *shown]
        return "```console\n" + "".join(f"{line}\n" for line in lines) + "```"

    return _BLOCK.sub(block, text)


def _without(line: str, hidden: Iterable[str]) -> str:
    for text in hidden:
        line = line.replace(text, "…")
    return _MOMENT.sub("…", line)
