"""The hooks of `.pre-commit-hooks.yaml`, run by the two programs that read it.

Each hook is told to be found on the path, for making an environment needs a package index;
everything else is as the file says.
"""

import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.http_server import HttpServer
from tests.programs import REPOSITORY, path_with_artlock

MANIFEST = REPOSITORY / ".pre-commit-hooks.yaml"
RUNNERS = ("pre-commit", "prek")
BIN = Path(sys.executable).parent


def hooks() -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = yaml.safe_load(MANIFEST.read_text("utf-8"))
    return loaded


@dataclass(frozen=True, slots=True)
class Clone:
    """A repository with a project, and a program that runs its hooks."""

    root: Path
    source: Path
    runner: str

    def sh(self, script: str, *, expected: int = 0) -> str:
        done = subprocess.run(
            ["bash", "-ec", script],
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == expected, said
        return said

    def run(self, hook: str, *, stage: str = "manual", expected: int = 0) -> str:
        """Run one hook on all files."""
        command = f"{self.runner} run {hook} --hook-stage {stage} --all-files"
        return self.sh(command, expected=expected)


@pytest.fixture(params=RUNNERS)
def clone(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Clone:
    path = path_with_artlock(tmp_path / "bin")
    for runner in RUNNERS:
        (tmp_path / "bin" / runner).symlink_to(BIN / runner)
    monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("ARTLOCK_CACHE_DIR", str(tmp_path / "cache"))
    offered = tmp_path / "offered"
    root, source = tmp_path / "clone", tmp_path / "source"
    for folder in (offered, root, source):
        folder.mkdir()
    (source / "a.txt").write_text("a")
    here = [{**hook, "language": "system"} for hook in hooks()]
    (offered / MANIFEST.name).write_text(yaml.safe_dump(here))
    clone = Clone(root, source, request.param)
    clone.sh(f"cd {offered}; git init -q; git add .; git commit -qm hooks; git tag v1")
    config = {
        "repos": [
            {"repo": str(offered), "rev": "v1", "hooks": [{"id": h["id"]} for h in here]}
        ]
    }
    (root / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    clone.sh(
        "git init -q -b main; artlock init -q; "
        f"artlock add {source.as_uri()}/ --name data -q; git add .; git commit -qm one"
    )
    return clone


@pytest.mark.parametrize("runner", RUNNERS)
def test_both_programs_accept_what_is_offered(runner: str) -> None:
    command = [str(BIN / runner), "validate-manifest", str(MANIFEST)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_hook_names_a_command_that_there_is() -> None:
    assert [hook["id"] for hook in hooks()] == [
        "artlock-check",
        "artlock-resolve",
        "artlock-drift",
        "artlock-sync",
    ]
    for hook in hooks():
        done = subprocess.run(
            [BIN / "python", "-m", *hook["entry"].split(), "--help"],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, hook["id"]


def test_5_16_the_hook_of_a_commit_is_fast(clone: Clone) -> None:
    took = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        clone.sh("artlock check")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Not what a clock says: other tests run meanwhile.
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(took) < 0.3


def test_a_stale_lockfile_is_refused_and_resolved(clone: Clone) -> None:
    clone.sh(f"{clone.runner} install -t pre-commit -t post-checkout")
    assert "Passed" in clone.run("artlock-check", stage="pre-commit")
    clone.sh("echo text > README; git add README")
    assert "Passed" in clone.sh("git commit -m 'nothing of ours' 2>&1")
    said = clone.sh("git rm -q artifacts.lock; git commit -m gone 2>&1", expected=1)
    assert "there is no `artifacts.lock` here yet" in said
    clone.sh("git reset -q --hard")

    uri = (clone.source / "a.txt").as_uri()
    clone.sh(f"artlock add {uri} --name more --frozen -q; git add .")
    said = clone.sh("SKIP=artlock-resolve git commit -m stale 2>&1", expected=1)
    assert "artlock check" in said
    assert "Failed" in said
    assert "stale: more: declared, but not locked" in said
    assert "hint: run `artlock resolve`" in said
    assert "exit code: 1" in said

    said = clone.sh("SKIP=artlock-check git commit -m stale 2>&1", expected=1)
    assert "files were modified by this hook" in said
    assert "more: new, 1 object added" in said
    clone.sh("git add .; git commit -qm resolved 2>&1")

    assert not (clone.root / "data").exists()
    clone.sh("git checkout -q -b branch")
    assert (clone.root / "data/data/a.txt").read_text() == "a"


def test_drift_is_told_before_a_push(clone: Clone) -> None:
    assert "Passed" in clone.run("artlock-drift")
    (clone.source / "a.txt").write_text("other")
    said = clone.run("artlock-drift", expected=1)
    assert "overwritten: data/a.txt" in said
    assert "hint: `artlock update --dry-run` shows what would change" in said


def test_an_edited_file_is_refused_by_the_hook_that_syncs(clone: Clone) -> None:
    clone.run("artlock-sync")
    (clone.root / "data/data/a.txt").write_text("mine")
    (clone.source / "a.txt").write_text("other")
    clone.sh("artlock update -q")
    said = clone.run("artlock-sync", expected=1)
    assert "error[conflict]" in said
    assert "data/data/a.txt" in said


def test_a_source_that_cannot_be_reached_is_an_incomplete_answer(
    clone: Clone, http_server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    http_server.put("/x", b"x")
    monkeypatch.setenv("ARTLOCK_TRUST", "127.0.0.1")
    clone.sh(f"artlock add {http_server.endpoint}/x --name web -q; git add .")
    http_server.remove("/x")
    said = clone.run("artlock-drift", expected=1)
    assert "gone: web/x" in said
