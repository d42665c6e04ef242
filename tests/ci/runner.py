"""Runs the steps of ``action.yml`` as GitHub's runner does, on this machine.

Only what the action uses is known here: steps with ``run`` or ``uses``, conditions of
comparisons joined by ``&&``, and the files through which steps speak to the runner.
"""

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.programs import REPOSITORY, path_with_artlock

ACTION = REPOSITORY / "action.yml"
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_COMPARISON = re.compile(r"(\S+) (==|!=) '([^']*)'")
_TIMEOUT_S = 120


def definition() -> dict[str, Any]:
    """Return what ``action.yml`` says."""
    loaded: dict[str, Any] = yaml.safe_load(ACTION.read_text("utf-8"))
    return loaded


@dataclass(slots=True)
class Job:
    """A job with one use of the action.

    Attributes:
        workspace: The folder of the checkout.
        temporary: The runner's own folder.
        given: The inputs of the action.
        log: What every step printed, in order.
        ran: The names of the steps that ran.
    """

    workspace: Path
    temporary: Path
    given: dict[str, str] = field(default_factory=dict)
    log: str = ""
    ran: list[str] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    used: dict[str, dict[str, str]] = field(default_factory=dict)
    path: str = ""

    def __post_init__(self) -> None:
        self.temporary.mkdir()
        self.path = path_with_artlock(self.temporary / "bin")
        for name in ("summary", "output", "path"):
            (self.temporary / name).touch()

    @property
    def summary(self) -> str:
        """What the steps wrote into the summary of the job."""
        return (self.temporary / "summary").read_text("utf-8")

    def run(self, *, without: tuple[str, ...] = ("Install artlock",)) -> int:
        """Run the steps, and return the exit code of the first that fails, or 0."""
        for step in definition()["runs"]["steps"]:
            if step["name"] in without or not self._holds(step.get("if", "")):
                continue
            self.ran.append(step["name"])
            if "uses" in step:
                given = step.get("with", {}).items()
                self.used[step["uses"]] = {key: self._text(text) for key, text in given}
                continue
            code = self.run_step(step)
            if code:
                return code
        return 0

    def run_step(self, step: dict[str, Any]) -> int:
        """Run one step of a shell, and take what it leaves for the next ones."""
        assert step["shell"] == "bash"
        script = self.temporary / "step.sh"
        script.write_text(step["run"], "utf-8")
        done = subprocess.run(
            # As GitHub's documentation has it for `shell: bash`.
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
            cwd=self.workspace,
            env=self._environment(step),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S,
            check=False,
        )
        self.log += done.stdout.decode()
        written = (self.temporary / "output").read_text("utf-8")
        for line in written.splitlines():
            key, _, text = line.partition("=")
            self.outputs[f"steps.{step.get('id')}.outputs.{key}"] = text
        (self.temporary / "output").write_text("")
        for line in (self.temporary / "path").read_text("utf-8").splitlines():
            self.path = f"{line}{os.pathsep}{self.path}"
        return done.returncode

    def _environment(self, step: dict[str, Any]) -> dict[str, str]:
        return {
            **os.environ,
            **{name: self._text(text) for name, text in step.get("env", {}).items()},
            "PATH": self.path,
            "RUNNER_TEMP": str(self.temporary),
            "GITHUB_STEP_SUMMARY": str(self.temporary / "summary"),
            "GITHUB_OUTPUT": str(self.temporary / "output"),
            "GITHUB_PATH": str(self.temporary / "path"),
            "GITHUB_ACTIONS": "true",
            "CI": "true",
        }

    def _text(self, text: str) -> str:
        return _EXPRESSION.sub(lambda match: self._value(match[1]), str(text))

    def _value(self, name: str) -> str:
        known = {
            "github.action_path": str(REPOSITORY),
            "runner.os": "Linux",
            **{
                f"inputs.{key}": str(about["default"])
                for key, about in definition()["inputs"].items()
            },
            **{f"inputs.{key}": text for key, text in self.given.items()},
            **self.outputs,
        }
        return known[name]

    def _holds(self, condition: str) -> bool:
        match = _EXPRESSION.fullmatch(condition)
        if match is None:
            assert not condition, f"`{condition}` is no condition"
            return True
        parts = [_COMPARISON.fullmatch(part) for part in match[1].split(" && ")]
        return all(
            part is not None and (self._value(part[1]) == part[3]) is (part[2] == "==")
            for part in parts
        )
