"""git itself merges, rebases and picks, and calls artlock for the lockfile."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from artlock.formats.lockfile import format_lockfile, parse_lockfile
from artlock.model.lock import Kind, LockedArtifact, LockedObject, Lockfile
from artlock.model.manifest import Declaration
from artlock.model.uri import Uri
from artlock.ops.merging import install_driver
from artlock.ops.repair import read_with_markers
from tests.programs import path_with_artlock

LOCKFILE = "artifacts.lock"
MANIFEST = '[artlock]\nversion = 1\n\n[artifacts.data]\nuri = "s3://bucket/data/"\n'
BASE = {"a": 1, "b": 1, "c": 1, "d/e": 1}
"""The rows that both branches begin with: a path and a size."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with the driver, and two branches that began as one."""

    root: Path
    project: Path

    def git(self, *arguments: str, expected: int = 0) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.project,
            capture_output=True,
            text=True,
            env=os.environ | {"GIT_EDITOR": "true"},
            check=False,
        )
        assert done.returncode == expected, done.stdout + done.stderr
        return done.stdout + done.stderr

    def commit(self, lock: bytes, message: str) -> None:
        (self.project / LOCKFILE).write_bytes(lock)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def branches(self, ours: bytes, theirs: bytes, base: bytes | None = None) -> None:
        self.commit(lock_of(BASE) if base is None else base, "base")
        self.git("branch", "theirs")
        self.commit(ours, "ours")
        self.git("checkout", "--quiet", "theirs")
        self.commit(theirs, "theirs")
        self.git("checkout", "--quiet", "main")

    @property
    def text(self) -> str:
        return (self.project / LOCKFILE).read_text()

    @property
    def rows(self) -> dict[str, int]:
        (artifact,) = parse_lockfile((self.project / LOCKFILE).read_bytes()).artifacts
        return {row.path: row.size for row in artifact.objects}


@pytest.fixture(params=[".", "sub folder"])
def repository(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Repository:
    root = tmp_path / "re po"
    project = root / request.param
    project.mkdir(parents=True)
    monkeypatch.setenv("PATH", path_with_artlock(tmp_path / "bin"))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.org")
    made = Repository(root, project)
    subprocess.run(["git", "init", "-q", "-b", "main", root], check=True)
    (project / "artifacts.toml").write_text(MANIFEST)
    install_driver(project)
    return made


def lock_of(rows: Mapping[str, int], **further: Mapping[str, int]) -> bytes:
    return format_lockfile(
        Lockfile(
            artifacts=tuple(
                LockedArtifact(
                    name=name,
                    declared=Declaration(uri=Uri.parse(f"s3://bucket/{name}/")),
                    kind=Kind.TREE,
                    objects=tuple(
                        LockedObject(path, size, "", "")
                        for path, size in sorted(sizes.items())
                    ),
                )
                for name, sizes in sorted({"data": rows, **further}.items())
            )
        )
    )


def test_3_27_neighbouring_rows_do_not_meet(repository: Repository) -> None:
    repository.branches(
        lock_of({**BASE, "b": 2, "bb": 1}),
        lock_of({k: v for k, v in BASE.items() if k != "c"} | {"a": 3, "cc": 1}),
    )
    repository.git("merge", "--quiet", "theirs")
    assert repository.rows == {"a": 3, "b": 2, "bb": 1, "cc": 1, "d/e": 1}
    assert not repository.git("status", "--porcelain")


def test_lines_would_have_been_a_conflict(repository: Repository) -> None:
    # What the test above holds is worth something only if git alone cannot do it.
    repository.git("config", "--remove-section", "merge.artlock")
    repository.branches(lock_of({**BASE, "bb": 1}), lock_of({**BASE, "bc": 1}))
    repository.git("merge", "theirs", expected=1)


def test_alike_is_no_conflict(repository: Repository) -> None:
    changed = lock_of({**BASE, "b": 2})
    repository.branches(changed, changed)
    repository.git("merge", "--quiet", "theirs")
    assert repository.rows["b"] == 2


def test_a_row_that_both_changed_is_marked_and_can_be_resolved(
    repository: Repository,
) -> None:
    repository.branches(
        lock_of({**BASE, "b": 2, "x": 1}), lock_of({**BASE, "b": 3, "c": 4, "a": 5})
    )
    said = repository.git("merge", "theirs", expected=1)
    assert "both sides changed 1 object of `data`" in said
    assert "CONFLICT" in said
    assert repository.text.count("<<<<<<< ") == 1
    marked = repository.text[repository.text.index("<<<<<<< ") :].splitlines()[:5]
    assert marked[1] == '["b",2,"",""],'
    assert marked[3] == '["b",3,"",""],'
    repaired = read_with_markers(repository.text.encode())
    (artifact,) = repaired.lock.artifacts
    assert {r.path: r.size for r in artifact.objects} == {"a": 5, "c": 4, "d/e": 1, "x": 1}
    assert repaired.disputed == {"data"}


def test_changed_here_and_deleted_there_is_a_conflict(repository: Repository) -> None:
    repository.branches(
        lock_of({**BASE, "b": 2}), lock_of({k: v for k, v in BASE.items() if k != "b"})
    )
    repository.git("merge", "theirs", expected=1)
    assert '["b",2,"",""],\n=======\n>>>>>>> ' in repository.text


def test_a_whole_artifact_may_be_in_conflict(repository: Repository) -> None:
    repository.branches(
        lock_of(BASE),
        lock_of(BASE, more={"a": 2}),
        base=lock_of(BASE, more={"a": 1}),
    )
    repository.git("merge", "--quiet", "theirs", expected=1)  # deleted here, changed there
    assert "<<<<<<< ours\n=======\n\n[[artifact]]" in repository.text


def test_rebase_and_cherry_pick_ask_too(repository: Repository) -> None:
    repository.branches(lock_of({**BASE, "bb": 1}), lock_of({**BASE, "bc": 1}))
    repository.git("checkout", "--quiet", "-b", "picked")
    repository.git("cherry-pick", "theirs")
    assert repository.rows == {**BASE, "bb": 1, "bc": 1}
    repository.git("checkout", "--quiet", "theirs")
    repository.git("rebase", "--quiet", "main")
    assert repository.rows == {**BASE, "bb": 1, "bc": 1}


def test_a_conflict_in_a_rebase_has_markers(repository: Repository) -> None:
    repository.branches(lock_of({**BASE, "b": 2}), lock_of({**BASE, "b": 3}))
    repository.git("checkout", "--quiet", "theirs")
    said = repository.git("rebase", "main", expected=1)
    assert "both sides changed" in said
    assert "<<<<<<< " in repository.text
    repository.git("rebase", "--abort")


def test_branches_without_a_common_past_are_merged(repository: Repository) -> None:
    repository.commit(lock_of({"a": 1}), "here")
    repository.git("checkout", "--quiet", "--orphan", "other")
    repository.commit(lock_of({"b": 1}), "there")
    repository.git("checkout", "--quiet", "main")
    repository.git("merge", "--quiet", "--allow-unrelated-histories", "other")
    assert repository.rows == {"a": 1, "b": 1}


def test_atomic_keeps_both_sides_apart(repository: Repository) -> None:
    manifest = repository.project / "artifacts.toml"
    manifest.write_text(MANIFEST + 'merge = "atomic"\n')
    repository.branches(lock_of({**BASE, "a": 2}), lock_of({**BASE, "d/e": 2}))
    said = repository.git("merge", "theirs", expected=1)
    assert "both sides changed `data`" in said


def test_either_side_may_say_that_an_artifact_is_atomic(repository: Repository) -> None:
    manifest = repository.project / "artifacts.toml"
    repository.commit(lock_of(BASE), "base")
    repository.git("checkout", "--quiet", "-b", "theirs")
    manifest.write_text(MANIFEST + 'merge = "atomic"\n')
    repository.commit(lock_of({**BASE, "d/e": 2}), "theirs")
    repository.git("checkout", "--quiet", "main")
    repository.commit(lock_of({**BASE, "a": 2}), "ours")
    said = repository.git("merge", "theirs", expected=1)
    assert "both sides changed `data`" in said


def test_a_manifest_that_cannot_be_read_lets_nothing_be_mixed(
    repository: Repository,
) -> None:
    (repository.project / "artifacts.toml").write_text("<<<<<<< no manifest\n")
    repository.branches(lock_of({**BASE, "a": 2}), lock_of({**BASE, "d/e": 2}))
    repository.git("merge", "theirs", expected=1)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"no lockfile\n", "is not valid"),
        (b"", "is not valid"),
        (lock_of(BASE).replace(b"version = 1", b"version = 2"), "later than this artlock"),
    ],
)
def test_a_side_that_cannot_be_read_is_merged_by_lines_and_never_clean(
    repository: Repository, broken: bytes, reason: str
) -> None:
    repository.branches(lock_of({**BASE, "b": 2}), broken)
    said = repository.git("merge", "theirs", expected=1)
    assert reason in said
    if b"version = 2" in broken:
        # The lines do not meet; the format is still one that nobody here can read.
        assert "version = 2" in repository.text
        assert '["b",2,"",""],' in repository.text
    else:
        assert "<<<<<<< " in repository.text


@pytest.mark.parametrize("code", [1, 2, 3, 126])
def test_3_27_a_driver_that_fails_never_leaves_one_side_without_a_mark(
    repository: Repository, code: int
) -> None:
    program = shutil.which("artlock")
    assert program is not None
    Path(program).write_text(f"#!/bin/sh\nexit {code}\n")
    repository.branches(lock_of({**BASE, "b": 2}), lock_of({**BASE, "b": 3, "z": 1}))
    repository.git("merge", "theirs", expected=1)
    assert repository.text.count("<<<<<<< ") == 1
    assert '["b",2,"",""],' in repository.text
    assert '["b",3,"",""],' in repository.text


def test_ancestors_that_crossed_are_no_reason_to_mix(repository: Repository) -> None:
    """Two merges of the same two commits differ: git merges their ancestors first."""
    one, two = {**BASE, "b": 2}, {**BASE, "b": 3}
    repository.branches(lock_of(one), lock_of(two))
    for branch, other, kept in (("theirs", "main", two), ("main", "theirs~1", one)):
        repository.git("checkout", "--quiet", branch)
        repository.git("merge", "--quiet", other, expected=1)
        repository.commit(lock_of(kept), "settled")
    repository.commit(lock_of({**one, "a": 7}), "ours again")
    repository.git("checkout", "--quiet", "theirs")
    repository.commit(lock_of({**two, "c": 8}), "theirs again")
    said = repository.git("merge", "main", expected=1)
    assert "both sides changed `data`" in said
    assert said.count("both sides changed") == 1


def test_a_stash_is_merged_too(repository: Repository) -> None:
    repository.commit(lock_of(BASE), "base")
    (repository.project / LOCKFILE).write_bytes(lock_of({**BASE, "bb": 1}))
    repository.git("stash", "--quiet")
    repository.commit(lock_of({**BASE, "bc": 1}), "meanwhile")
    repository.git("stash", "pop", "--quiet")
    assert repository.rows == {**BASE, "bb": 1, "bc": 1}


def test_a_second_work_tree_has_the_driver(repository: Repository, tmp_path: Path) -> None:
    repository.branches(lock_of({**BASE, "bb": 1}), lock_of({**BASE, "bc": 1}))
    below = repository.project.relative_to(repository.root)
    repository.git("worktree", "add", "--quiet", str(tmp_path / "second"), "theirs")
    second = Repository(tmp_path / "second", tmp_path / "second" / below)
    second.git("merge", "--quiet", "main")
    assert second.rows == {**BASE, "bb": 1, "bc": 1}
    assert install_driver(second.project) == ([], False)


def test_lines_that_git_marks_with_their_base_can_be_resolved(
    repository: Repository,
) -> None:
    repository.git("config", "merge.conflictStyle", "diff3")
    repository.git("config", "--remove-section", "merge.artlock")
    repository.branches(lock_of({**BASE, "b": 2}), lock_of({**BASE, "b": 3}))
    repository.git("merge", "theirs", expected=1)
    assert "|||||||" in repository.text
    assert read_with_markers(repository.text.encode()).disputed == {"data"}


@pytest.mark.parametrize(("asked", "given"), [(12, 12), (3, 7), (2000, 2000)])
def test_markers_are_as_long_as_git_asks(
    repository: Repository, asked: int, given: int
) -> None:
    attributes = repository.project / ".gitattributes"
    size = f"{LOCKFILE} conflict-marker-size={asked}\n"
    attributes.write_text(attributes.read_text() + size)
    repository.branches(lock_of({**BASE, "b": 2}), lock_of({**BASE, "b": 3}))
    repository.git("merge", "theirs", expected=1)
    assert f"\n{'<' * given} ours\n" in repository.text
    assert read_with_markers(repository.text.encode()).disputed == {"data"}


def test_without_artlock_on_the_path_git_merges_lines(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = os.environ["PATH"].split(os.pathsep)
    kept = [path for path in paths if not (Path(path) / "artlock").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join(kept))
    repository.branches(lock_of({**BASE, "a": 2}), lock_of({**BASE, "d/e": 2}))
    repository.git("merge", "--quiet", "theirs")
    assert repository.rows == {**BASE, "a": 2, "d/e": 2}


def test_hunks_are_headed_by_their_artifact(repository: Repository) -> None:
    before = {f"f{n:02}": 1 for n in range(30)}
    repository.commit(lock_of(before), "before")
    (repository.project / LOCKFILE).write_bytes(lock_of({**before, "f20": 2}))
    assert "@@ data\n" in repository.git("diff")


def test_installing_twice_changes_nothing(repository: Repository) -> None:
    assert install_driver(repository.project) == ([], False)
