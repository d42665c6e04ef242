"""The GitHub Action, its steps run here as the runner runs them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ci.runner import Job, definition
from tests.programs import REPOSITORY

_STOPPED = re.compile(r"::stop-commands::([0-9a-f]{32})\n(.*?)::\1::\n", re.DOTALL)


def shell(folder: Path, script: str) -> None:
    subprocess.run(["bash", "-ec", script], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job in a repository whose branch `change` has another lockfile than `main`."""
    workspace = tmp_path / "work space"
    workspace.mkdir()
    monkeypatch.setenv("ARTLOCK_CACHE_DIR", str(tmp_path / "cache"))
    job = Job(workspace, tmp_path / "temporary")
    monkeypatch.setenv("PATH", job.path)
    shell(
        workspace,
        """
        git init -q -b main .
        mkdir -p sub/s
        cd sub
        echo 1 > s/one.txt
        echo 2 > s/two.txt
        artlock init -q
        artlock add s/ --name data -q
        git add . && git commit -q -m First
        git checkout -q -b change
        git mv s/one.txt s/uno.txt
        echo 3 > s/three.txt
        artlock update -q
        git add . && git commit -q -m Change
        """,
    )
    job.given["directory"] = "sub"
    return job


def put_before_artlock(job: Job, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """Let a line of shell run before artlock, with its arguments."""
    monkeypatch.setenv("REAL", str(shutil.which("artlock", path=job.path)))
    place = job.temporary / "before"
    place.mkdir()
    (place / "artlock").write_text(f'#!/bin/sh\n{line}\nexec "$REAL" "$@"\n')
    (place / "artlock").chmod(0o755)
    job.path = f"{place}{os.pathsep}{job.path}"


def commands(job: Job) -> list[str]:
    """Return the workflow commands that the runner would obey, but for stopping them."""
    obeyed = _STOPPED.sub("", job.log)
    return [line for line in obeyed.splitlines() if "::" in line or "##[" in line]


def test_a_pull_request_is_shown_checked_and_synced(job: Job) -> None:
    job.given["changed-since"] = "main"
    assert job.run() == 0, job.log
    assert job.ran == [
        "Show what changes",
        "Check the lockfile",
        "Take the digests",
        "Keep the cache",
        "Sync the data",
    ]
    assert "### Locked data: 1 artifact changed, +2 B" in job.summary
    assert "| R | `one.txt -> uno.txt` | 2 B |" in job.summary
    assert commands(job) == []
    assert "asked for 2 of 2 changed objects" in job.log
    assert "Synced 1 artifact: 6 B (0 fetched, 3 cached" in job.log
    assert (job.workspace / "sub/data/data/three.txt").read_text() == "3\n"
    kept = job.used["actions/cache@v4"]
    assert re.fullmatch(r"artlock-Linux-blake3:[0-9a-f]{64}-[0-9]+", kept["key"])
    nearest, *others = kept["restore-keys"].splitlines()
    assert all(kept["key"].startswith(prefix) for prefix in (nearest, *others))
    assert nearest.startswith(others[0])
    assert kept["path"] == os.environ["ARTLOCK_CACHE_DIR"]


def test_the_key_of_the_cache_changes_with_what_is_locked(job: Job) -> None:
    job.given["sync"] = "false"
    pins = set()
    for branch in ("main", "change", "main"):
        shell(job.workspace, f"git checkout -q {branch}")
        assert job.run() == 0, job.log
        pins.add(job.outputs["steps.digests.outputs.pin"])
        assert job.outputs["steps.digests.outputs.content"].startswith("blake3:")
    assert len(pins) == 2
    assert job.used == {}


def test_a_stale_lockfile_is_shown_at_its_declaration_and_nothing_is_synced(
    job: Job,
) -> None:
    with (job.workspace / "sub/artifacts.toml").open("a") as manifest:
        manifest.write('[artifacts.more]\nuri = "s/"\npath = "more"\n')
    line = (job.workspace / "sub/artifacts.toml").read_text().splitlines().index(
        "[artifacts.more]"
    ) + 2
    assert job.run() == 1
    assert commands(job) == [
        f"::error file=sub/artifacts.toml,line={line},title=artlock%3A stale::"
        "more: declared, but not locked%0Ahint: run `artlock resolve`"
    ]
    assert "Sync the data" not in job.ran


def test_a_row_that_was_edited_is_shown_at_its_line(job: Job) -> None:
    job.given["changed-since"] = "main"
    lockfile = job.workspace / "sub/artifacts.lock"
    text = lockfile.read_text()
    lockfile.write_text(text.replace('"three.txt",2', '"three.txt",3'))
    line = next(
        n for n, row in enumerate(text.splitlines(), 1) if row.startswith('["three.txt"')
    )
    assert job.run() == 1
    (command,) = commands(job)
    assert command.startswith(
        f"::error file=sub/artifacts.lock,line={line},title=artlock%3A overwritten::data/"
    )


def test_a_lockfile_that_cannot_be_read_is_shown_where_it_breaks(job: Job) -> None:
    job.given["changed-since"] = "main"
    with (job.workspace / "sub/artifacts.lock").open("a") as lockfile:
        lockfile.write("[[[\n")
    assert job.run() == 2
    assert re.match(r"::error file=sub/artifacts\.lock,line=\d+,", commands(job)[0])
    assert "cannot compare this branch" in job.summary


def test_options_reach_the_commands(job: Job) -> None:
    job.given |= {"require": "strong", "remote": "true", "groups": "a* none"}
    shell(job.workspace, "touch sub/ax && echo 4 > sub/s/four.txt")
    assert job.run() == 1
    assert commands(job) == [
        "::error file=sub/artifacts.lock,line=6,title=artlock%3A added::"
        "data/four.txt: s/four.txt"
    ]
    job.given["remote"] = "false"
    assert job.run() == 2
    assert "there is no group `a*`" in job.log


def test_offline_no_source_is_asked(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = job.temporary / "asked"
    put_before_artlock(job, monkeypatch, f'echo "$@" >> "{asked}"')
    job.given |= {"changed-since": "main", "offline": "true"}
    assert job.run() == 0, job.log
    assert "No source was asked" in job.log
    assert "Synced 1 artifact: 6 B (0 fetched, 3 cached" in job.log
    by_command = {line.split()[0]: line.split() for line in asked.read_text().splitlines()}
    assert "--offline" in by_command["check"]
    assert "--offline" in by_command["sync"]


def test_other_groups_have_another_cache(job: Job) -> None:
    keys = set()
    for groups in ("", "none", "none x"):
        job.given["groups"] = groups
        job.run()
        keys.add(job.used["actions/cache@v4"]["key"])
    assert len(keys) == 3


@pytest.mark.parametrize("flag", ["offline", "remote", "sync", "cache"])
def test_a_flag_in_another_spelling_is_refused(job: Job, flag: str) -> None:
    job.given[flag] = "True"
    assert job.run() == 2
    assert job.ran == ["Check the lockfile"]
    assert "each true or false" in commands(job)[0]


def test_a_digest_that_cannot_be_had_fails_the_job(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_before_artlock(job, monkeypatch, 'test "$1" != digest || exit 3')
    assert job.run() == 3
    assert job.ran[-1] == "Take the digests"


def test_5_8_no_name_of_a_branch_commands_the_runner(job: Job) -> None:
    """A path that is a workflow command is only ever printed while none is obeyed."""
    name = "::add-mask::x ##[error]y"
    shell(
        job.workspace,
        f"echo 5 > 'sub/s/{name}'; echo 'portable = false' >> sub/artifacts.toml; "
        "artlock -C sub update -q",
    )
    shell(job.workspace, "mkdir -p sub/data/data")
    (job.workspace / "sub/data/data" / name).write_text("mine")
    job.given["changed-since"] = "main"
    assert job.run() == 1  # a file is in the way, and the error names it
    assert f"  data/data/{name}" in job.log
    assert commands(job) == []
    assert f"`{name}`" in job.summary


def test_5_8_inputs_are_never_part_of_a_script() -> None:
    steps = definition()["runs"]["steps"]
    assert len(steps) == 6
    for step in steps:
        assert "${{" not in step.get("run", ""), step["name"]
        assert ("run" in step) != ("uses" in step)


@pytest.mark.slow
def test_artlock_is_installed_beside_the_python_of_the_job(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    subprocess.run([*build, str(wheels), REPOSITORY], check=True, capture_output=True)
    # No index is reached: what artlock needs is already here.
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_NO_DEPS", "1")
    (job.workspace / "pip.py").write_text("raise SystemExit('the branch was run')\n")
    (wheel,) = wheels.glob("*.whl")
    job.given |= {"requirement": str(wheel), "python": sys.executable}
    (install,) = (
        s for s in definition()["runs"]["steps"] if s["name"] == "Install artlock"
    )
    for _ in range(2):  # the second use in one job
        assert job.run_step(install) == 0, job.log
    (place,) = set((job.temporary / "path").read_text().splitlines())
    assert [path.name for path in Path(place).iterdir()] == ["artlock"]
    inner = Path(place).parent
    (site,) = inner.glob("lib/python*/site-packages")
    here = subprocess.run(
        [sys.executable, "-c", "import click; print(click.__path__[0])"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    (site / "here.pth").write_text(f"{Path(here).parent}\n")
    said = subprocess.run(
        [Path(place) / "artlock", "--version"], check=True, capture_output=True
    )
    assert said.stdout.startswith(b"artlock, version")
