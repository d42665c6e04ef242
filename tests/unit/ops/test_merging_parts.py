"""git merges lockfiles in parts: each part, and the frame that says what they are."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from artlock.errors import LockfileError
from artlock.formats.lockfile import format_lockfile, parse_lockfile
from artlock.formats.lockfile_parts import split
from artlock.formats.lockfile_survey import survey_text
from artlock.model.lock import LockedObject, Lockfile
from artlock.ops.lockfiles import LockFiles
from artlock.ops.merging import install_driver
from artlock.ops.project import Project
from artlock.ops.repair import Repaired
from artlock.ops.resolve import _readable
from artlock.ops.runtime import Runtime
from tests.parts import cut_small, tree
from tests.programs import path_with_artlock

MANIFEST = '[artlock]\nversion = 1\n\n[artifacts.data]\nuri = "s3://bucket/data/"\n'
BASE = {f"{number:04}": 1 for number in range(0, 2000, 10)}
Sizes = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with the driver, and a project in it."""

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

    def write(self, sizes: Sizes, above: int = 0) -> None:
        lock = lock_of(sizes)
        LockFiles(self.project).replace(lock, split(format_lockfile(lock), above))

    def commit(self, sizes: Sizes, message: str, above: int = 0) -> None:
        self.write(sizes, above)
        self.git("add", "--all", ".")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def branches(self, ours: Sizes, theirs: Sizes, base: Sizes = BASE) -> None:
        self.commit(base, "base")
        self.git("branch", "theirs")
        self.commit(ours, "ours")
        self.git("checkout", "--quiet", "theirs")
        self.commit(theirs, "theirs")
        self.git("checkout", "--quiet", "main")

    def sizes(self) -> dict[str, int]:
        text = LockFiles(self.project).text()
        assert text is not None
        assert survey_text(text).oddity is None
        assert LockFiles(self.project).problem() is None
        (artifact,) = parse_lockfile(text.data).artifacts
        return {row.path: row.size for row in artifact.objects}

    def parts(self) -> list[Path]:
        return sorted((self.project / "artifacts.lock.d").rglob("*.rows"))


def lock_of(sizes: Sizes) -> Lockfile:
    objects = (LockedObject(path, size, "", "") for path, size in sizes.items())
    return Lockfile(artifacts=(tree(objects),))


@pytest.fixture(params=[".", "sub folder"])
def repository(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Repository:
    cut_small(monkeypatch)
    root = tmp_path / "re po"
    project = root / request.param
    project.mkdir(parents=True)
    monkeypatch.setenv("PATH", path_with_artlock(tmp_path / "bin"))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.org")
    subprocess.run(["git", "init", "-q", "-b", "main", root], check=True)
    (project / "artifacts.toml").write_text(MANIFEST)
    (project / ".gitignore").write_text("/.artlock/\n")
    install_driver(project)
    return Repository(project)


def read_in_merge(repository: Repository) -> Repaired:
    project = Project.open(repository.project, Runtime.load(os.environ))
    return _readable(project, project.lock_files.frame(), anew=False)


def without(sizes: Sizes, *paths: str) -> dict[str, int]:
    return {path: size for path, size in sizes.items() if path not in paths}


def test_3_27_rows_of_one_part_and_of_others_do_not_meet(repository: Repository) -> None:
    ours = without(BASE, "0040") | {"0010": 2, "0011": 1, "1500": 2}
    theirs = without(BASE, "0050") | {"0000": 3, "0012": 1, "1700": 3, "1990": 4}
    repository.branches(ours, theirs)
    assert len(repository.parts()) > 5
    repository.git("merge", "--quiet", "theirs")
    merged = without(BASE, "0040", "0050") | {
        "0000": 3,
        "0010": 2,
        "0011": 1,
        "0012": 1,
        "1500": 2,
        "1700": 3,
        "1990": 4,
    }
    assert repository.sizes() == dict(sorted(merged.items()))
    assert not repository.git("status", "--porcelain")


def test_rebase_pick_and_revert_ask_too(repository: Repository) -> None:
    repository.branches({**BASE, "0011": 1}, {**BASE, "0012": 1})
    merged = dict(sorted({**BASE, "0011": 1, "0012": 1}.items()))
    repository.git("checkout", "--quiet", "-b", "picked")
    repository.git("cherry-pick", "theirs")
    assert repository.sizes() == merged
    repository.git("checkout", "--quiet", "theirs")
    repository.git("rebase", "--quiet", "main")
    assert repository.sizes() == merged
    repository.git("checkout", "--quiet", "picked")
    repository.git("revert", "--no-edit", "HEAD~1")
    assert repository.sizes() == dict(sorted({**BASE, "0012": 1}.items()))


def test_branches_that_met_before_merge_again(repository: Repository) -> None:
    repository.branches({**BASE, "0011": 1}, {**BASE, "0012": 1})
    repository.git("merge", "--quiet", "theirs")
    repository.git("checkout", "--quiet", "theirs")
    repository.commit({**BASE, "0012": 1, "0013": 1}, "more")
    repository.git("merge", "--quiet", "main")
    assert set(repository.sizes()) == {*BASE, "0011", "0012", "0013"}


def test_a_row_that_both_changed_is_a_conflict_that_can_be_resolved(
    repository: Repository,
) -> None:
    ours = {**BASE, "0010": 2, "0011": 1, "1500": 2}
    theirs = {**BASE, "0010": 3, "1700": 3}
    repository.branches(ours, theirs)
    said = repository.git("merge", "theirs", expected=1)
    assert "artifacts.lock`: both sides changed 1 object of `data`" in said
    assert "CONFLICT (content): Merge conflict in" in said
    frame = (repository.project / "artifacts.lock").read_text()
    assert frame.count("<<<<<<< ours") == 1
    first = (repository.project / "artifacts.lock.d/data/first.rows").read_text()
    assert '<<<<<<< ours\n["0010",2,"",""],\n=======\n["0010",3,"",""],\n>>>>>>>' in first
    repaired = read_in_merge(repository)
    (artifact,) = repaired.lock.artifacts
    agreed = without(BASE, "0010", "1500", "1700")
    assert {row.path: row.size for row in artifact.objects} == agreed
    assert repaired.disputed == {"data"}


def test_without_the_driver_other_parts_still_merge(repository: Repository) -> None:
    repository.git("config", "--remove-section", "merge.artlock")
    repository.branches({**BASE, "0011": 1}, {**BASE, "1981": 1})
    repository.git("merge", "--quiet", "theirs")
    assert set(repository.sizes()) == {*BASE, "0011", "1981"}


def test_without_the_driver_one_part_is_a_conflict_that_can_be_resolved(
    repository: Repository,
) -> None:
    repository.git("config", "--remove-section", "merge.artlock")
    repository.branches({**BASE, "0011": 1}, {**BASE, "0101": 1, "1981": 1})
    repository.git("merge", "theirs", expected=1)
    with pytest.raises(LockfileError, match="conflict markers"):
        repository.sizes()
    repaired = read_in_merge(repository)
    (artifact,) = repaired.lock.artifacts
    assert {row.path for row in artifact.objects} >= set(BASE)
    assert repaired.disputed == {"data"}


@pytest.mark.parametrize("has_driver", [True, False])
@pytest.mark.parametrize("way", ["revert", "squash", "stash"])
def test_what_git_merges_without_a_name_for_the_other_side_can_be_resolved(
    repository: Repository, way: str, *, has_driver: bool
) -> None:
    if not has_driver:
        repository.git("config", "--remove-section", "merge.artlock")
    repository.commit({**BASE, "0010": 3, "1700": 3}, "base")
    if way == "revert":
        repository.commit({**BASE, "0010": 4}, "to be reverted")
        repository.commit({**BASE, "0010": 2, "1500": 2}, "ours")
        repository.git("revert", "--no-edit", "HEAD~1", expected=1)
    elif way == "squash":
        repository.branches({**BASE, "0010": 2, "1500": 2}, {**BASE, "0010": 3, "1700": 3})
        repository.git("merge", "--squash", "theirs", expected=1)
    else:
        repository.commit(BASE, "base")
        repository.write({**BASE, "0010": 3, "1700": 3})
        repository.git("stash", "--quiet")
        repository.commit({**BASE, "0010": 2, "1500": 2}, "ours")
        repository.git("stash", "pop", expected=1)
    repaired = read_in_merge(repository)
    (artifact,) = repaired.lock.artifacts
    rows = {row.path: row.size for row in artifact.objects}
    assert rows.items() >= without(BASE, "0010", "1500", "1700").items()
    assert "0010" not in rows
    assert repaired.disputed == {"data"}


def test_a_side_whose_parts_are_nowhere_has_a_way_out(repository: Repository) -> None:
    repository.branches({**BASE, "0010": 2}, {**BASE, "0010": 3})
    repository.git("merge", "theirs", expected=1)
    frame = repository.project / "artifacts.lock"
    frame.write_bytes(
        re.sub(rb"blake3:[0-9a-f]{8}", b"blake3:00000000", frame.read_bytes())
    )
    with pytest.raises(LockfileError, match="is another than") as caught:
        read_in_merge(repository)
    way_out = re.search("`git (checkout HEAD -- [^`]*)`", caught.value.hint or "")
    assert way_out is not None
    repository.git(*way_out[1].split())
    assert repository.sizes()["0010"] == 2


def test_parts_without_the_driver_are_no_clean_merge(repository: Repository) -> None:
    attributes = repository.project / ".gitattributes"
    lines = attributes.read_text().splitlines(keepends=True)
    attributes.write_text("".join(line for line in lines if "lock.d/** merge" not in line))
    repository.branches({**BASE, "0011": 1}, {**BASE, "0012": 1})
    said = repository.git("merge", "theirs", expected=1)
    assert "both sides changed `data`" in said


def test_a_side_that_began_to_have_parts_is_merged(repository: Repository) -> None:
    repository.commit(BASE, "base", above=1 << 20)
    assert repository.parts() == []
    repository.git("branch", "theirs")
    repository.commit({**BASE, "0011": 1}, "ours")
    assert repository.parts()
    repository.git("checkout", "--quiet", "theirs")
    (repository.project / "other").write_text("x")
    repository.git("add", ".")
    repository.git("commit", "-qm", "theirs")
    repository.git("merge", "--quiet", "main")
    assert set(repository.sizes()) == {*BASE, "0011"}
    repository.git("checkout", "--quiet", "main")


@pytest.mark.parametrize("is_changed", [False, True])
def test_one_side_has_parts_and_the_other_rows(
    repository: Repository, *, is_changed: bool
) -> None:
    repository.commit(BASE, "base", above=1 << 20)
    repository.git("branch", "theirs")
    repository.commit({**BASE, "0011": 1}, "ours")
    repository.git("checkout", "--quiet", "theirs")
    theirs = {**BASE, "0012": 1} if is_changed else BASE
    lock = format_lockfile(lock_of(theirs)).replace(b"revision = 0", b"revision = 1")
    (repository.project / "artifacts.lock").write_bytes(lock)
    repository.git("commit", "-qam", "theirs")
    repository.git("checkout", "--quiet", "main")
    repository.git("merge", "--quiet", "theirs", expected=int(is_changed))
    if not is_changed:
        assert set(repository.sizes()) == {*BASE, "0011"}
    else:
        frame = (repository.project / "artifacts.lock").read_text()
        ours, _, theirs_text = frame.partition("=======")
        assert "parts = [" in ours
        assert "objects = [" in theirs_text


def test_parts_that_git_lacks_are_a_conflict(repository: Repository) -> None:
    repository.branches({**BASE, "0011": 1}, {**BASE, "1012": 1})
    repository.git("checkout", "--quiet", "theirs")
    frame = repository.project / "artifacts.lock"
    digest = frame.read_text().rpartition('"blake3:')[2].partition('"')[0]
    frame.write_text(frame.read_text().replace(digest, "0" * 64))
    repository.git("commit", "-qam", "torn")
    repository.git("checkout", "--quiet", "main")
    said = repository.git("merge", "theirs", expected=1)
    assert "CONFLICT" in said


def test_5_1_a_commit_with_another_part_is_not_read_after_a_merge_either(
    repository: Repository,
) -> None:
    repository.branches({**BASE, "0011": 1}, {**BASE, "1012": 1})
    repository.git("checkout", "--quiet", "theirs")
    repository.parts()[0].write_bytes(b'["x",1,"",""],\n')
    repository.git("commit", "-qam", "torn")
    repository.git("checkout", "--quiet", "main")
    repository.git("merge", "--quiet", "theirs")
    with pytest.raises(LockfileError, match="is another than"):
        repository.sizes()


def test_what_is_no_part_is_left_to_git(repository: Repository) -> None:
    repository.branches({**BASE, "0011": 1}, {**BASE, "0012": 1})
    shutil.rmtree(repository.project / "artifacts.lock.d")
    folder = repository.project / "artifacts.lock.d" / "data"
    folder.mkdir(parents=True)
    for name, content in (("base", "a\n"), ("ours", "b\n"), ("theirs", "c\n")):
        (folder / name).write_text(content)
    done = subprocess.run(
        [
            *("artlock", "git", "merge-driver", "base", "ours", "theirs"),
            *("--path", "artifacts.lock.d/data/first.rows"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "is not rows as artlock writes them" in done.stderr
    assert (folder / "ours").read_text() == "b\n"
