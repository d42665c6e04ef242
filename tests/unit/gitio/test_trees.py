import subprocess
from pathlib import Path

import pytest

from artlock.errors import GitError
from artlock.gitio.repository import read_version
from artlock.gitio.trees import commits_that_have, files_below, is_merged_by
from tests.unit.gitio.test_repository import git


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository of two commits, and a third that no branch leads to any more."""
    root = tmp_path / "re po"
    folder = root / "sub" / "artifacts.lock.d"
    (folder / "a b").mkdir(parents=True)
    git(root, "init", "--quiet")
    for number, name in enumerate(("one", "two", "gone")):
        (root / "sub/artifacts.lock").write_text(name)
        (folder / "a b" / "é.rows").write_text(name * 100)
        if number == 1:
            (folder / "link").symlink_to("a b")
            (root / "sub/artifacts.lock.dx").write_text("no part")
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "--message", name)
    git(root, "reset", "--quiet", "--hard", "HEAD~1")
    return root


def test_regular_files_below_a_folder_are_told(root: Path) -> None:
    files = files_below(root, "HEAD", "sub/artifacts.lock.d")
    assert list(files) == ["a b/é.rows"]
    blob = files["a b/é.rows"]
    assert blob.size == 300
    assert read_version(root, blob.name) == b"two" * 100
    assert files_below(root / "sub", "HEAD", "artifacts.lock.d") == files
    assert files_below(root, "HEAD", "absent") == {}


def test_a_commit_that_is_not_there_is_no_folder(root: Path) -> None:
    with pytest.raises(GitError, match="cannot look into `MERGE_HEAD`"):
        files_below(root, "MERGE_HEAD", "sub/artifacts.lock.d")


@pytest.mark.parametrize("content", ["one", "two", "gone"])
def test_a_commit_is_found_by_what_it_has(root: Path, content: str) -> None:
    path = "sub/artifacts.lock"
    commits = commits_that_have(root, path, content.encode())
    assert len(set(commits)) == len(commits)
    shown = [git(root, "show", f"{commit}:{path}") for commit in commits]
    assert content in shown


def test_what_nobody_has_is_not_found(root: Path) -> None:
    assert commits_that_have(root, "sub/artifacts.lock", b"never") == []


def test_outside_of_a_repository_nothing_is_found(tmp_path: Path) -> None:
    with pytest.raises(GitError):
        commits_that_have(tmp_path, "artifacts.lock", b"x")
    with pytest.raises(GitError, match="cannot read the attributes"):
        is_merged_by(tmp_path, ["x"], "artlock")


def test_attributes_say_who_merges(root: Path) -> None:
    paths = ["sub/artifacts.lock.d/a b/é.rows", "sub/artifacts.lock"]
    assert not is_merged_by(root, paths, "artlock")
    (root / "sub/.gitattributes").write_text("artifacts.lock.d/** merge=artlock\n")
    assert is_merged_by(root, paths[:1], "artlock")
    assert not is_merged_by(root, paths, "artlock")


def test_a_commit_that_a_merge_made_is_found(root: Path) -> None:
    git(root, "checkout", "--quiet", "-b", "side", "HEAD~1")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "side")
    command = ["git", "merge", "--no-commit", "-s", "ours", "main"]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    (root / "sub/artifacts.lock").write_text("merged")
    git(root, "commit", "--quiet", "-am", "merge")
    (commit, *_) = commits_that_have(root, "sub/artifacts.lock", b"merged")
    assert git(root, "show", f"{commit}:sub/artifacts.lock") == "merged"
