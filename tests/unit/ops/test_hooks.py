"""Where hooks go; what they print is in the transcripts, which run git."""

import os
import subprocess
from pathlib import Path

import pytest

from artlock.errors import GitError, LockfileError, ManifestError, WorkspaceError
from artlock.model.hooks import Hook
from artlock.ops.hooks import (
    exit_code_of,
    install_hooks,
    judge_staged,
    moved_projects,
    uninstall_hooks,
)
from tests.unit.ops.workbench import Workbench


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "init.defaultBranch=main", *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "re po"
    root.mkdir()
    git(root, "init", "--quiet")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "one")
    return root


def test_hooks_are_programs_and_installing_twice_changes_nothing(root: Path) -> None:
    written = install_hooks(root)
    assert {path.name for path in written} == set(Hook)
    for path in written:
        assert path.parent == root / ".git" / "hooks"
        assert os.access(path, os.X_OK)
        assert subprocess.run(["sh", "-n", path], check=False).returncode == 0
    assert install_hooks(root) == ()
    assert uninstall_hooks(root).hooks == tuple(Hook)
    assert uninstall_hooks(root).hooks == ()
    assert uninstall_hooks(root).kept == ()


def test_a_hook_without_artlock_on_the_path_says_so(root: Path, tmp_path: Path) -> None:
    install_hooks(root)
    (tmp_path / "bin").mkdir()
    for hook in Hook:
        done = subprocess.run(
            [root / ".git" / "hooks" / hook],
            env={"PATH": str(tmp_path / "bin")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == (1 if hook.may_refuse else 0)
        assert done.stderr.startswith("artlock is not on the path: ")


def test_linked_work_trees_share_their_hooks(root: Path, tmp_path: Path) -> None:
    git(root, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    written = install_hooks(tmp_path / "linked")
    assert {path.parent for path in written} == {root / ".git" / "hooks"}
    assert install_hooks(root) == ()


def test_hooks_of_the_repository_go_where_it_says(root: Path) -> None:
    git(root, "config", "core.hooksPath", ".githooks")
    assert {path.parent for path in install_hooks(root)} == {root / ".githooks"}


@pytest.mark.parametrize("path", ["", ".", ".git"])
def test_no_hook_is_written_beside_other_files(root: Path, path: str) -> None:
    git(root, "config", "core.hooksPath", path)
    before = sorted(root.iterdir())
    with pytest.raises(GitError, match="no folder for hooks alone"):
        install_hooks(root)
    assert sorted(root.iterdir()) == before
    assert uninstall_hooks(root).hooks == ()


def test_a_line_break_in_a_path_ends_no_path(tmp_path: Path) -> None:
    root = tmp_path / "a\nb"
    root.mkdir()
    git(root, "init", "--quiet")
    git(root, "config", "core.hooksPath", "c\nd")
    assert {path.parent for path in install_hooks(root)} == {root / "c\nd"}


def test_a_hook_that_does_not_ask_is_not_installed(root: Path) -> None:
    install_hooks(root)
    hook = root / ".git" / "hooks" / "pre-commit"
    hook.write_text(f"#!/bin/sh\n  # {Hook.PRE_COMMIT.call}\n")
    with pytest.raises(GitError, match="not artlock's"):
        install_hooks(root)
    assert uninstall_hooks(root).kept == ()
    hook.write_text(f"#!/bin/sh\n{Hook.PRE_COMMIT.call}\n")
    hook.chmod(0o644)
    with pytest.raises(GitError, match="not executable") as caught:
        install_hooks(root)
    assert f"`chmod +x '{hook}'`" in str(caught.value.hint)


def test_a_repository_elsewhere_is_named_and_not_followed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    monkeypatch.setenv("GIT_DIR", str(root / ".git"))
    with pytest.raises(GitError, match="does not follow `GIT_DIR`") as caught:
        install_hooks(tree)
    assert "--no-verify" in str(caught.value.hint)


def test_hooks_of_all_repositories_are_left_alone(root: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    git(root, "config", "--global", "core.hooksPath", str(shared))
    with pytest.raises(GitError, match="outside of this repository") as caught:
        install_hooks(root)
    assert "core.hooksPath .git/hooks" in str(caught.value.hint)
    assert not shared.exists()
    assert uninstall_hooks(root).hooks == ()
    git(root, "config", "--local", "core.hooksPath", ".git/hooks")
    assert len(install_hooks(root)) == len(Hook)


def test_a_link_is_somebody_s_own(root: Path, tmp_path: Path) -> None:
    (root / ".git" / "hooks").mkdir(exist_ok=True)
    (root / ".git" / "hooks" / "post-merge").symlink_to(tmp_path / "nowhere")
    with pytest.raises(GitError, match="post-merge"):
        install_hooks(root)
    assert not (tmp_path / "nowhere").exists()


def test_a_hook_that_cannot_be_read_is_an_error(root: Path) -> None:
    (root / ".git" / "hooks" / "post-merge").mkdir(parents=True)
    with pytest.raises(WorkspaceError, match="cannot be read"):
        install_hooks(root)
    with pytest.raises(WorkspaceError, match="cannot be read"):
        uninstall_hooks(root)


def test_a_hook_with_other_lines_stays(root: Path) -> None:
    install_hooks(root)
    path = root / ".git" / "hooks" / "pre-commit"
    path.write_text(path.read_text() + "echo mine\n")
    found = uninstall_hooks(root)
    assert (Hook.PRE_COMMIT in found.hooks, found.kept) == (False, (path,))
    assert path.exists()


def test_the_index_of_the_hook_is_judged(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`git commit FILE` makes an index of its own, and tells hooks of it."""
    bench.put(a="1")
    bench.declare_files()
    bench.resolve()
    git(bench.root, "init", "--quiet")
    git(bench.root, "add", ".")
    runtime = bench.project().runtime
    (judged,) = judge_staged(bench.root, runtime)
    assert (judged.folder, judged.exit_code, judged.error) == ("", 0, None)
    own = str(bench.folder / "index")
    git(bench.root, "read-tree", "--empty", f"--index-output={own}")
    monkeypatch.setenv("GIT_INDEX_FILE", own)
    assert judge_staged(bench.root, runtime) == ()


def test_a_project_that_is_taken_out_is_not_judged(bench: Workbench) -> None:
    bench.put(a="1")
    bench.declare_files()
    bench.resolve()
    git(bench.root, "init", "--quiet")
    git(bench.root, "add", ".")
    git(bench.root, "commit", "--quiet", "--message", "one")
    git(bench.root, "rm", "--quiet", "--cached", "artifacts.toml", "artifacts.lock")
    assert judge_staged(bench.root, bench.project().runtime) == ()


def test_every_project_that_cannot_be_judged_is_told(bench: Workbench) -> None:
    for name in ("x", "y/z"):
        (bench.root / name).mkdir(parents=True)
        (bench.root / name / "artifacts.toml").write_text("[artlock\n")
    bench.declare()
    git(bench.root, "init", "--quiet")
    git(bench.root, "add", ".")
    judged = judge_staged(bench.root, bench.project().runtime)
    assert [one.folder for one in judged] == ["", "x", "y/z"]
    assert [type(one.error) for one in judged] == [LockfileError, *[ManifestError] * 2]
    assert exit_code_of(judged) == 2


def test_a_project_that_cannot_be_judged_hides_nothing_of_the_others(
    bench: Workbench,
) -> None:
    bench.put(x_txt="x")
    bench.declare_files()
    bench.resolve()
    bench.declare_files('[artifacts.more]\nuri = "s3://bucket/p/"')
    (bench.root / "x").mkdir()
    (bench.root / "x" / "artifacts.toml").write_text("[artlock\n")
    git(bench.root, "init", "--quiet")
    git(bench.root, "add", "artifacts.toml", "artifacts.lock", "x")
    top, below = judge_staged(bench.root, bench.project().runtime)
    assert ([str(f.fault) for f in top.findings], top.exit_code) == (["stale"], 1)
    assert (below.folder, below.findings, below.exit_code) == ("x", (), 2)


@pytest.mark.parametrize(
    ("hook", "arguments"),
    [
        (Hook.POST_CHECKOUT, ("HEAD", "HEAD", "1")),
        (Hook.POST_CHECKOUT, ("HEAD~1", "HEAD", "0")),
        (Hook.POST_CHECKOUT, ("0" * 40, "HEAD", "1")),
        (Hook.POST_MERGE, ("1",)),
        (Hook.POST_REWRITE, ("amend",)),
        (Hook.POST_REWRITE, ()),
    ],
)
def test_where_the_work_tree_did_not_move_nothing_is_asked(
    bench: Workbench, hook: Hook, arguments: tuple[str, ...]
) -> None:
    bench.declare()
    assert moved_projects(bench.root, bench.project().runtime, hook, arguments) == ()
