import os
import subprocess
from pathlib import Path

import pytest

from artlock.errors import GitError
from artlock.gitio import repository
from artlock.gitio.repository import (
    is_ignored,
    is_tracked,
    merge_base,
    read_at,
    repository_root,
)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    command = ["git", *identity, "-c", "init.defaultBranch=main", *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository of two commits, with a project in a folder below."""
    root = tmp_path / "re po"
    (root / "sub").mkdir(parents=True)
    git(root, "init", "--quiet")
    (root / "sub/artifacts.lock").write_bytes(b"one\r\n\0")
    (root / ".gitignore").write_text("/sub/data/\n*.tmp\n")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "one")
    git(root, "tag", "v1.0")
    (root / "sub/artifacts.lock").write_bytes(b"two\n")
    (root / "sub/[x]").write_bytes(b"brackets")
    (root / "sub/link").symlink_to("artifacts.lock")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "two", "--message", "v1.0")
    return root


def test_the_root_is_found_from_below(root: Path) -> None:
    assert repository_root(root / "sub") == root
    assert repository_root(root) == root


def test_a_folder_outside_of_a_repository_has_no_root(tmp_path: Path) -> None:
    assert repository_root(tmp_path) is None


def test_the_inside_of_git_has_no_work_tree(root: Path) -> None:
    assert repository_root(root / ".git") is None


def test_a_repository_of_somebody_else_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        repository,
        "_environment",
        lambda: {**os.environ, "LC_ALL": "C", "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"},
    )
    with pytest.raises(GitError, match="cannot find the repository: detected dubious"):
        repository_root(root)


@pytest.mark.parametrize(
    ("revision", "content"),
    [
        ("HEAD", b"two\n"),
        ("main", b"two\n"),
        ("HEAD~1", b"one\r\n\0"),
        ("v1.0", b"one\r\n\0"),
    ],
)
def test_a_file_is_read_byte_for_byte_as_it_was(
    root: Path, revision: str, content: bytes
) -> None:
    assert read_at(root, revision, "sub/artifacts.lock") == content
    assert read_at(root / "sub", revision, "artifacts.lock") == content


@pytest.mark.parametrize(
    "path", ["absent", "sub", "sub/", "sub/link", "sub/*", "sub/absent"]
)
def test_what_is_no_file_of_that_revision_is_none(root: Path, path: str) -> None:
    assert read_at(root, "HEAD", path) is None


def test_names_are_no_patterns(root: Path) -> None:
    assert read_at(root, "HEAD", "sub/[x]") == b"brackets"
    assert read_at(root, "HEAD~1", "sub/[x]") is None
    assert is_tracked(root, "sub/[x]")
    assert not is_tracked(root, "sub/*.lock")


@pytest.mark.parametrize(
    "revision",
    [
        "nonsense",
        "HEAD~9",
        "",
        "--output=x",
        "-h",
        "a b",
        "HEAD\n",
        "HEAD\0",
        "HEAD:sub",
        "HEAD..main",
        "^HEAD",
        "0" * 40,
    ],
)
def test_a_revision_that_is_not_there_is_named(root: Path, revision: str) -> None:
    with pytest.raises(GitError, match=r"^git knows no revision") as caught:
        read_at(root, revision, "sub/artifacts.lock")
    assert caught.value.exit_code == 2
    assert caught.value.hint is not None
    assert not (root / "x").exists()


def test_a_repository_without_commits_has_no_head(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    with pytest.raises(GitError, match="git knows no revision `HEAD`"):
        read_at(tmp_path, "HEAD", "x")


def test_questions_outside_of_a_repository_fail(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="cannot look up `HEAD`: not a git repository"):
        read_at(tmp_path, "HEAD", "x")
    with pytest.raises(GitError, match="cannot tell whether `x` is tracked: not a git"):
        is_tracked(tmp_path, "x")
    with pytest.raises(GitError, match="cannot tell whether `x` is ignored: not a git"):
        is_ignored(tmp_path, "x")


def test_a_folder_that_is_not_there_fails(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="git cannot be run in"):
        repository_root(tmp_path / "absent")


def test_a_damaged_repository_fails(root: Path) -> None:
    blob = git(root, "rev-parse", "HEAD:sub/artifacts.lock").strip()
    (root / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(GitError, match=r"cannot read `sub/artifacts\.lock` at `HEAD`"):
        read_at(root, "HEAD", "sub/artifacts.lock")
    tree = git(root, "rev-parse", "HEAD^{tree}").strip()
    (root / ".git/objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(GitError, match="cannot look into `HEAD`"):
        read_at(root, "HEAD", "sub/artifacts.lock")


def test_tracked_means_in_the_index(root: Path) -> None:
    (root / "new").write_bytes(b"")
    assert is_tracked(root, "sub/artifacts.lock")
    assert is_tracked(root, "sub")
    assert not is_tracked(root, "new")
    assert not is_tracked(root, "sub/data")


def test_ignored_means_as_git_would(root: Path) -> None:
    assert is_ignored(root, "sub/data/")
    assert is_ignored(root, "sub/data/deep/x")
    assert is_ignored(root / "sub", "x.tmp")
    assert not is_ignored(root, "data/")
    assert not is_ignored(root, "sub/da*/")
    assert not is_ignored(root, ":(icase)SUB/DATA/")
    assert not is_ignored(root, "sub/artifacts.lock")


def test_5_15_git_is_never_taken_from_the_folder_that_is_looked_at(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = root / "git"
    fake.write_text(f"#!/bin/sh\ntouch '{root}/fooled'\n")
    fake.chmod(0o755)
    monkeypatch.chdir(root)
    for entry in (".", "", "../re po"):
        monkeypatch.setenv("PATH", f"{entry}{os.pathsep}{os.defpath}")
        assert repository_root(root) == root
    assert not (root / "fooled").exists()


def test_5_15_the_repository_cannot_name_a_program_to_run(root: Path) -> None:
    hook = root / "monitor"
    hook.write_text(f"#!/bin/sh\ntouch '{root}/fooled'\n")
    hook.chmod(0o755)
    git(root, "config", "core.fsmonitor", str(hook))
    git(root, "config", "core.pager", str(hook))
    assert is_tracked(root, "sub/artifacts.lock")
    assert read_at(root, "HEAD", "sub/artifacts.lock") == b"two\n"
    assert not is_ignored(root, "sub/artifacts.lock")
    assert not (root / "fooled").exists()


def test_without_git_the_error_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(root))
    with pytest.raises(GitError, match="git is not installed") as caught:
        repository_root(root)
    assert caught.value.hint == "install git"


def test_variables_of_a_hook_do_not_lead_elsewhere(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / "index"))
    assert repository_root(root / "sub") == root
    assert is_tracked(root, "sub/artifacts.lock")


def test_git_that_does_not_answer_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "bin/git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}{os.pathsep}{os.defpath}")
    monkeypatch.setattr(repository, "_TIMEOUT_S", 0.1)
    with pytest.raises(GitError, match="git did not answer within"):
        repository_root(tmp_path)


def test_no_lock_is_taken_and_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "0")
    environment = repository._environment()
    assert environment["GIT_OPTIONAL_LOCKS"] == "0"
    assert environment["GIT_TERMINAL_PROMPT"] == "0"
    assert environment["LC_ALL"] == "C"
    assert environment["GIT_CONFIG_COUNT"] == "0"


def test_where_a_branch_left_another_is_found(root: Path) -> None:
    began = git(root, "rev-parse", "HEAD").strip()
    git(root, "checkout", "--quiet", "-b", "branch")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "mine")
    git(root, "checkout", "--quiet", "main")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "theirs")
    git(root, "checkout", "--quiet", "branch")
    assert merge_base(root, "main") == began
    assert merge_base(root, "main", "branch") == began
    assert merge_base(root, "v1.0") == git(root, "rev-parse", "v1.0").strip()
    git(root, "checkout", "--quiet", "--orphan", "alone")
    with pytest.raises(GitError, match="no revision `HEAD`"):
        merge_base(root, "main")
    git(root, "commit", "--quiet", "--message", "alone")
    with pytest.raises(GitError, match="no commit in common"):
        merge_base(root, "main")
    with pytest.raises(GitError, match="no revision `nowhere`"):
        merge_base(root, "nowhere")
