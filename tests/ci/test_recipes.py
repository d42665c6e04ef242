"""What the guides tell people to put into files of CI, read as CI reads it, and run."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ci.runner import definition
from tests.programs import REPOSITORY, path_with_artlock

GUIDES = REPOSITORY / "docs" / "guides"
_BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def recipes(guide: str) -> Iterator[Any]:
    """Yield what each YAML block of a guide says."""
    for block in _BLOCK.findall((GUIDES / guide).read_text("utf-8")):
        yield yaml.safe_load(block)


def steps_of(recipe: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - any YAML
    """Return the steps of a workflow, or of a piece of one."""
    if isinstance(recipe, list):
        return recipe
    return [step for job in recipe["jobs"].values() for step in job["steps"]]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone on the branch `change` of an origin whose `main` has moved on."""
    monkeypatch.setenv("PATH", path_with_artlock(tmp_path / "bin"))
    monkeypatch.setenv("ARTLOCK_CACHE_DIR", str(tmp_path / "cache"))
    shell(
        tmp_path,
        """
        git init -q -b main origin && cd origin
        mkdir s && echo 1 > s/one.txt
        artlock init -q && artlock add s/ --name data -q
        git add . && git commit -q -m First
        git checkout -q -b change
        echo 2 > s/two.txt && artlock update -q
        git add . && git commit -q -m Change
        git update-ref refs/pull/7/head change
        git checkout -q main
        echo text > README && git add . && git commit -q -m Other
        echo 3 > s/one.txt && artlock update -q && git commit -q -a -m Moved
        git checkout -q -b merged && git merge -q change || true
        artlock resolve -q && git add . && git commit -q -m Merge
        git update-ref refs/pull/7/merge merged
        git checkout -q main
        git clone -q -b change . ../clone
        """,
    )
    return tmp_path / "clone"


def shell(folder: Path, script: str, **variables: str) -> str:
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_recipes_for_github_give_the_action_what_it_takes() -> None:
    known = definition()["inputs"]
    used = []
    for recipe in recipes("check-in-github-actions.md"):
        for step in steps_of(recipe):
            assert "${{" not in step.get("run", "")
            if step.get("uses", "").startswith("OWNER/artlock@"):
                used.append(step)
                assert step["with"].keys() <= known.keys()
    assert len(used) == 2


def test_inputs_that_the_guide_names_are_there() -> None:
    text = (GUIDES / "check-in-github-actions.md").read_text("utf-8")
    named = re.findall(r"`([a-z-]+): (?:\"|strong|serve)", text)
    assert {"sync", "groups", "require", "remote", "offline"} <= set(named)
    assert set(named) <= definition()["inputs"].keys()


def test_5_8_workflows_with_rights_run_nothing_of_the_branch(clone: Path) -> None:
    """The two files are taken as text, and nothing else of the branch comes along."""
    (recipe,) = (
        r
        for r in recipes("check-in-github-actions.md")
        # YAML 1.1 takes the key `on` for a truth.
        if isinstance(r, dict) and "pull_request_target" in r[True]
    )
    assert recipe["permissions"] == {"contents": "read"}
    checkout, take, action = steps_of(recipe)
    assert "ref" not in checkout["with"]
    assert checkout["with"]["persist-credentials"] is False
    assert action["with"] == {"changed-since": "HEAD", "sync": "false"}
    shell(clone, "git checkout -q main")
    # A source in the folder of the project is not what a bucket is: it comes along here.
    shell(clone, "git show origin/change:s/two.txt > s/two.txt")
    head = shell(clone, "git rev-parse origin/change").strip()
    given = {"NUMBER": "7", "HEAD": head, "TOKEN": "x"}
    shell(clone, take["run"], **given)
    assert shell(clone, "git diff --name-only").split() == ["artifacts.lock"]
    said = shell(clone, "artlock check --changed-since HEAD --output-format github")
    assert "asked for 1 of 1 changed object" in said


def test_the_jobs_for_gitlab_do_what_they_say(clone: Path) -> None:
    (recipe,) = recipes("check-in-gitlab-ci.md")
    common = recipe[".artlock"]
    assert common["retry"]["exit_codes"] == [3]
    assert common["variables"]["GIT_DEPTH"] == "0"
    for name in ("data", "data-review"):
        job = recipe[name]
        assert job["extends"] == ".artlock"
        script = "\n".join(job["script"])
        shell(clone, script, CI_MERGE_REQUEST_TARGET_BRANCH_NAME="main")
    assert (clone / "data/data/two.txt").read_text() == "2\n"
    body = (clone / "data.md").read_text()
    assert body.startswith("### Locked data: 1 artifact changed, +2 B")
    assert recipe["data-review"]["artifacts"]["paths"] == ["data.md"]
    # In a fork's pipeline `origin` is the fork, whose branches are not the target.
    (parent,) = shell(clone, "git remote get-url origin").split()
    shell(clone, "git init -q ../fork && git remote set-url origin ../fork && rm data.md")
    shell(
        clone,
        "\n".join(recipe["data-review"]["script"]),
        CI_PROJECT_ID="2",
        CI_MERGE_REQUEST_PROJECT_ID="1",
        CI_MERGE_REQUEST_PROJECT_URL=parent,
        CI_MERGE_REQUEST_TARGET_BRANCH_NAME="main",
    )
    assert (clone / "data.md").read_text() == body


def test_a_cache_that_gitlab_looks_for_is_one_that_a_job_saves() -> None:
    (recipe,) = recipes("check-in-gitlab-ci.md")
    cache = recipe["data"]["cache"]
    assert isinstance(cache["key"], str)
    assert set(cache.get("fallback_keys", ())) <= {cache["key"]}


def test_the_hooks_that_the_guide_names_are_offered() -> None:
    offered = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text("utf-8"))
    ids = {hook["id"] for hook in offered}
    text = (GUIDES / "check-before-each-commit.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)) == ids
    (recipe,) = recipes("check-before-each-commit.md")
    assert {hook["id"] for hook in recipe["repos"][0]["hooks"]} <= ids
