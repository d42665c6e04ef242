from pathlib import Path

import pytest

from artlock.gitio.provenance import git_author, git_state, public_remote
from tests.unit.gitio.test_repository import git

PATHS = ("artifacts.lock", "artifacts.toml", "artifacts.lock.d")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a commit of both files."""
    root = tmp_path / "project"
    (root / "artifacts.lock.d").mkdir(parents=True)
    for name in ("artifacts.lock", "artifacts.toml", "artifacts.lock.d/one.rows", "other"):
        (root / name).write_text(name)
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "one")
    return root


def uncommitted(root: Path) -> tuple[str, ...]:
    state = git_state(root, PATHS)
    assert state is not None
    return state.uncommitted


def test_a_committed_project_has_its_commit(root: Path) -> None:
    (root / "other").write_text("changed")
    state = git_state(root, PATHS)
    assert state is not None
    assert state.commit == git(root, "rev-parse", "HEAD").strip()
    assert state.uncommitted == ()
    assert state.remote is None


def test_outside_of_git_there_is_no_state(tmp_path: Path) -> None:
    assert git_state(tmp_path, PATHS) is None


@pytest.mark.parametrize("name", ["artifacts.lock", "artifacts.toml"])
def test_a_change_counts_staged_or_not(root: Path, name: str) -> None:
    (root / name).write_text("changed")
    assert uncommitted(root) == (name,)
    git(root, "add", "--all")
    assert uncommitted(root) == (name,)


def test_a_changed_part_counts(root: Path) -> None:
    (root / "artifacts.lock.d/two.rows").write_text("new")
    assert uncommitted(root) == ("artifacts.lock.d",)


def test_a_file_that_was_removed_counts(root: Path) -> None:
    (root / "artifacts.toml").unlink()
    assert uncommitted(root) == ("artifacts.toml",)


def test_a_file_that_git_ignores_counts(root: Path) -> None:
    git(root, "rm", "--quiet", "--cached", "artifacts.lock")
    (root / ".gitignore").write_text("artifacts.lock\n")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "two")
    assert uncommitted(root) == ("artifacts.lock",)


def test_before_the_first_commit_nothing_is_committed(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "artifacts.lock").write_text("")
    state = git_state(tmp_path, PATHS)
    assert state is not None
    assert state.commit is None
    assert state.uncommitted == ("artifacts.lock",)


def test_the_remote_that_the_branch_follows_is_told(root: Path) -> None:
    git(root, "remote", "add", "origin", "https://ada:secret@git.example/team/data.git?x=1")
    git(root, "remote", "add", "fork", "git@git.example:ada/data.git")
    state = git_state(root, PATHS)
    assert state is not None
    assert state.remote == "https://git.example/team/data.git"
    git(root, "config", "branch.main.remote", "fork")
    state = git_state(root, PATHS)
    assert state is not None
    assert state.remote == "git@git.example:ada/data.git"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://token@git.example:8443/a.git#x", "https://git.example:8443/a.git"),
        ("ssh://git:pw@git.example/a.git", "ssh://git@git.example/a.git"),
        ("git@git.example:a/b.git", "git@git.example:a/b.git"),
        ("git.example:a/b.git", "git.example:a/b.git"),
        ("https://[::1/a", None),
        ("file:///home/ada/data.git", None),
        ("/home/ada/data.git", None),
        ("../data.git", None),
        ("ext::sh -c x", None),
    ],
)
def test_a_remote_is_told_without_credentials_and_folders(
    url: str, told: str | None
) -> None:
    assert public_remote(url) == told


def test_the_author_is_whom_git_knows(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GIT_AUTHOR_NAME", raising=False)
    monkeypatch.delenv("GIT_AUTHOR_EMAIL", raising=False)
    assert git_author(root) is None
    git(root, "config", "user.email", "ada@example.org")
    assert git_author(root) == "ada@example.org"
    git(root, "config", "user.name", "Ada")
    assert git_author(root) == "Ada <ada@example.org>"
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Bob")
    assert git_author(root) == "Bob <ada@example.org>"
