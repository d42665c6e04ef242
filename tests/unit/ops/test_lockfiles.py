"""A lockfile in parts on disk: written whole or not at all, and never read as a mixture."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from io import RawIOBase
from pathlib import Path

import pytest
from blake3 import blake3

from artlock.errors import ArtlockError, LockfileError, WorkspaceError
from artlock.formats.lockfile_parts import parse_frame, split
from artlock.fs import atomic
from artlock.fs.root import Root
from artlock.model.lock import Lockfile
from artlock.ops import partfiles, plainfiles
from artlock.ops.check import check
from artlock.ops.doctor import diagnose
from artlock.ops.edit import add_attributes
from artlock.ops.fmt import canonicalize
from artlock.ops.gc import GcOptions, collect
from artlock.ops.hashing import hasher_of
from artlock.ops.history import history, origins
from artlock.ops.lockfiles import LockFiles
from artlock.ops.resolve import Pins
from artlock.ops.revisions import compare, lockfile_at
from artlock.ops.roots import Keep
from tests.parts import cut_small, rows, text, tree
from tests.unit.ops.workbench import Workbench

SPLIT = "split-above = 0\n"


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_small(monkeypatch)


@pytest.fixture
def split_bench(bench: Workbench) -> Workbench:
    bench.put(**{f"f{number:03}": str(number) for number in range(40)})
    bench.declare_files(head=SPLIT)
    bench.resolve()
    return bench


def parts(bench: Workbench) -> dict[str, bytes]:
    folder = bench.root / "artifacts.lock.d"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def state(bench: Workbench) -> tuple[bytes, dict[str, bytes]]:
    return bench.lockfile.read_bytes(), parts(bench)


def faults(bench: Workbench) -> list[str]:
    return [finding.text for finding in check(bench.project()).findings]


def some(bench: Workbench) -> str:
    """Return the name of a part in the middle."""
    return list(parts(bench))[2]


# read and written


def test_everything_reads_a_lockfile_in_parts(split_bench: Workbench) -> None:
    bench = split_bench
    assert len(parts(bench)) == 4
    assert b"objects = [" not in bench.lockfile.read_bytes()
    assert faults(bench) == []
    assert len(bench.paths()) == 40
    assert len(bench.sync().plan.write) == 40
    assert bench.sync().plan.is_empty
    assert bench.status().plan.is_empty
    (origin,) = origins(bench.project(), "f007", here=bench.root)
    assert origin.row.path == "f007"
    assert not (bench.root / ".artlock" / "parts").exists()


def test_a_resolve_that_changes_nothing_writes_nothing(split_bench: Workbench) -> None:
    before = state(split_bench)
    stamps = [path.stat() for path in _files(split_bench)]
    assert not split_bench.resolve().written
    assert not split_bench.update().written
    assert state(split_bench) == before
    assert [path.stat() for path in _files(split_bench)] == stamps


def _files(bench: Workbench) -> Iterator[Path]:
    yield bench.lockfile
    yield from sorted(p for p in (bench.root / "artifacts.lock.d").rglob("*"))


def test_one_object_touches_one_part_and_the_frame(split_bench: Workbench) -> None:
    before = parts(split_bench)
    split_bench.put(f020="other")
    assert split_bench.update().written
    after = parts(split_bench)
    assert sum(before.get(p) != after.get(p) for p in before.keys() | after.keys()) == 1
    assert faults(split_bench) == []


def test_same_rows_are_the_same_files_whatever_was_before(split_bench: Workbench) -> None:
    before = state(split_bench)
    for number in (3, 20, 39):
        (split_bench.source / f"f{number:03}").unlink()
        split_bench.update(allow_shrink=True)
        assert faults(split_bench) == []
    split_bench.put(f003="3", f020="20", f039="39")
    split_bench.update()
    assert state(split_bench) == before


def test_a_lockfile_whose_text_stays_keeps_its_form(bench: Workbench) -> None:
    bench.put(a="1")
    bench.declare_files()
    bench.resolve()
    before = bench.lockfile.read_bytes()
    bench.declare_files(head=SPLIT)
    assert not bench.resolve().written
    assert bench.lockfile.read_bytes() == before
    assert faults(bench) == []
    bench.put(b="2")
    bench.update()
    assert list(parts(bench)) == ["data/first.rows"]
    bench.declare_files()
    assert not bench.resolve().written
    assert canonicalize(bench.lockfile, write=False)
    assert canonicalize(bench.lockfile, write=True)
    assert not (bench.root / "artifacts.lock.d").exists()
    assert not canonicalize(bench.lockfile, write=True)


def test_an_artifact_that_leaves_takes_its_parts_along(split_bench: Workbench) -> None:
    (split_bench.root / "artifacts.lock.d" / "NOTES").write_text("mine")
    split_bench.declare(head=SPLIT)
    split_bench.resolve()
    assert list(parts(split_bench)) == ["NOTES"]
    assert faults(split_bench) == []


def test_a_project_in_parts_is_synced_from_the_cache_alone(
    split_bench: Workbench,
) -> None:
    split_bench.sync()
    collect(split_bench.project().runtime, GcOptions(grace_s=0))
    assert len(split_bench.cached()) == 40


# what does not belong together


@pytest.mark.parametrize("deed", ["stale", "swapped", "missing", "link", "folder"])
def test_5_1_no_command_takes_another_part(split_bench: Workbench, deed: str) -> None:
    folder = split_bench.root / "artifacts.lock.d"
    victim, other = (folder / name for name in list(parts(split_bench))[1:3])
    content = victim.read_bytes()
    if deed == "stale":
        victim.write_bytes(content.replace(b"f0", b"f1"))
    elif deed == "swapped":
        victim.write_bytes(other.read_bytes())
    else:
        victim.unlink()
    if deed == "link":
        (split_bench.folder / "same").write_bytes(content)
        victim.symlink_to(split_bench.folder / "same")
    if deed == "folder":
        victim.mkdir()
    for command in (
        split_bench.lock,
        split_bench.sync,
        split_bench.resolve,
        lambda: check(split_bench.project()),
    ):
        with pytest.raises(LockfileError) as caught:
            command()
        assert "git checkout -- artifacts.lock artifacts.lock.d" in (
            caught.value.hint or ""
        )
    assert split_bench.data() == {}
    split_bench_anew(split_bench, deed)


def test_without_git_the_part_that_is_missing_is_told(
    split_bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (split_bench.root / "artifacts.lock.d" / some(split_bench)).unlink()
    (split_bench.root / ".git").mkdir()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(LockfileError, match="is not there"):
        split_bench.resolve()


def test_resolve_takes_a_missing_part_from_the_commit(split_bench: Workbench) -> None:
    split_bench.git("init", "-q")
    split_bench.git("add", "project")
    split_bench.git("commit", "-qm", "one")
    before = state(split_bench)
    shutil.rmtree(split_bench.root / "artifacts.lock.d")
    assert split_bench.resolve().written
    assert state(split_bench) == before


def split_bench_anew(bench: Workbench, deed: str) -> None:
    """The way out that does not need git."""
    if deed in {"folder", "link"}:
        with pytest.raises(LockfileError, match="is not a regular file"):
            bench.resolve(pins=Pins.FORGET)
        return
    bench.resolve(pins=Pins.FORGET)
    assert faults(bench) == []


@pytest.mark.parametrize("place", ["artifacts.lock.d", "artifacts.lock.d/data"])
def test_2_11_a_linked_folder_leads_nowhere(split_bench: Workbench, place: str) -> None:
    folder = split_bench.root / place
    outside = split_bench.folder / "outside"
    folder.rename(outside)
    folder.symlink_to(outside)
    before = sorted(outside.rglob("*"))
    with pytest.raises(LockfileError):
        split_bench.lock()
    split_bench.put(f000="other")
    with pytest.raises(WorkspaceError):
        split_bench.resolve(pins=Pins.FORGET)
    assert sorted(outside.rglob("*")) == before


def test_2_11_a_linked_staging_folder_leads_nowhere(split_bench: Workbench) -> None:
    outside = split_bench.folder / "outside"
    outside.mkdir()
    (split_bench.root / ".artlock").mkdir(exist_ok=True)
    (split_bench.root / ".artlock" / "parts").symlink_to(outside)
    split_bench.put(f000="other")
    with pytest.raises(WorkspaceError):
        split_bench.update()
    assert list(outside.iterdir()) == []
    assert faults(split_bench) == []


def test_a_part_that_nobody_lists_is_told_and_removed(split_bench: Workbench) -> None:
    folder = split_bench.root / "artifacts.lock.d" / "data"
    (folder / f"{'0' * 32}.rows").write_bytes(b"x")
    (folder / "notes.txt").write_text("mine")
    assert faults(split_bench) == [
        f"`artifacts.lock.d/data/{'0' * 32}.rows` is a part that `artifacts.lock` does "
        "not list"
    ]
    assert canonicalize(split_bench.lockfile, write=True)
    assert faults(split_bench) == []
    assert (folder / "notes.txt").exists()


def test_5_11_a_huge_part_is_not_read(split_bench: Workbench) -> None:
    victim = split_bench.root / "artifacts.lock.d" / some(split_bench)
    os.truncate(victim, (1 << 30) + 1)
    with pytest.raises(LockfileError, match="larger than"):
        split_bench.lock()


def test_other_cuts_are_read_told_and_mended(
    split_bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(split_bench)
    monkeypatch.setattr("artlock.formats.lockfile_cuts._HIT", 0)
    assert faults(split_bench) == ["the parts of `data` are not cut as artlock cuts them"]
    assert len(split_bench.paths()) == 40
    assert canonicalize(split_bench.lockfile, write=True)
    assert faults(split_bench) == []
    cut_small(monkeypatch)
    assert canonicalize(split_bench.lockfile, write=True)
    assert state(split_bench) == before


# killed, and raced with


def steps(monkeypatch: pytest.MonkeyPatch, limit: int) -> list[str]:
    """Let the process be killed before the deed of that number; return what was done."""
    done: list[str] = []

    def counted(deed: Callable[..., object], name: str) -> Callable[..., object]:
        def run(*args: object, **how: object) -> object:
            if len(done) == limit:
                raise Killed
            done.append(name)
            return deed(*args, **how)

        return run

    replace_file = counted(atomic.replace_file, "write")
    for module in (atomic, partfiles):
        monkeypatch.setattr(module, "replace_file", replace_file)
    for name in ("move", "remove", "remove_empty"):
        deed = getattr(partfiles, name)
        monkeypatch.setattr(partfiles, name, counted(deed, name))
    return done


@pytest.mark.parametrize("limit", range(16))
def test_3_4_killed_at_any_step_the_lockfile_is_that_of_before_or_after(
    split_bench: Workbench, limit: int
) -> None:
    bench = split_bench
    before = bench.lock()
    bench.put(f003="other", f030="other")
    for number in range(10, 20):
        (bench.source / f"f{number:03}").unlink()
    after = bench.update(write=False).lock
    with pytest.MonkeyPatch.context() as patch:
        done = steps(patch, limit)
        try:
            bench.update()
        except Killed:
            assert len(done) == limit
    assert bench.lock() in (before, after)
    assert bench.sync().plan.write
    # Whatever is told has a way out, and all is well then.
    assert all("cut short" in t or "does not list" in t for t in faults(bench))
    canonicalize(bench.lockfile, write=True)
    assert faults(bench) == []
    bench.update()
    assert bench.lock() == after
    assert faults(bench) == []


def test_the_next_resolve_ends_what_was_cut_short(split_bench: Workbench) -> None:
    split_bench.put(f003="other", f030="other")
    with pytest.MonkeyPatch.context() as patch:
        steps(patch, 3)
        with pytest.raises(Killed):
            split_bench.update()
    assert faults(split_bench) == ["writing `artifacts.lock.d/` was cut short"]
    assert split_bench.resolve().written
    assert faults(split_bench) == []
    assert not (split_bench.root / ".artlock" / "parts").exists()


def test_3_8_a_kill_leaves_nothing_that_git_would_offer(
    split_bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []
    real = atomic._fill

    def filling(fd: int, data: bytes, mode: int | None) -> None:
        seen.extend(split_bench.root.rglob(".artlock-*"))
        real(fd, data, mode)

    monkeypatch.setattr(atomic, "_fill", filling)
    split_bench.put(f003="other", f030="other")
    split_bench.update()
    assert {path.parent.name for path in seen} == {"parts", "project"}
    assert faults(split_bench) == []


def test_a_part_keeps_its_permissions(split_bench: Workbench) -> None:
    paths = sorted((split_bench.root / "artifacts.lock.d").rglob("*.rows"))
    for path in paths:
        path.chmod(0o664)
    split_bench.put(f003="other")
    split_bench.update()
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o664}


@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_parts_of_the_same_bytes_are_all_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_elsewhere: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    if is_elsewhere:
        monkeypatch.setattr(partfiles, "move", refuse)
    lock = Lockfile(artifacts=tuple(tree(rows(range(200)), name) for name in "abc"))
    files = LockFiles(tmp_path)
    assert files.replace(lock, split(text(*lock.artifacts), 0))
    found = files.text()
    assert found is not None
    assert found.data == text(*lock.artifacts)
    left = [path.name for path in (tmp_path / ".artlock" / "parts").glob("*")]
    assert files.problem() is None
    assert left == []


def test_what_another_run_staged_stays_for_a_day(split_bench: Workbench) -> None:
    staged = split_bench.root / ".artlock" / "parts" / f"{'0' * 64}.rows"
    staged.parent.mkdir()
    staged.write_bytes(b"x")
    assert faults(split_bench) == []
    split_bench.put(f003="other")
    split_bench.update()
    assert staged.exists()
    os.utime(staged, (0, 0))
    split_bench.put(f003="more")
    split_bench.update()
    assert not staged.parent.exists()


def write(root: Path, size: int) -> Lockfile:
    data = text(tree(rows(range(200), size=size)))
    lock = Lockfile(artifacts=(tree(rows(range(200), size=size)),))
    LockFiles(root).replace(lock, split(data, 0))
    return lock


def test_3_10_a_reader_beside_a_writer_reads_one_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 1)
    real = plainfiles.opened
    sizes: list[int] = []

    def racing(root: Root, path: str) -> AbstractContextManager[int | None]:
        # A writer comes between any two looks of the reader, until it has had enough.
        if len(sizes) < 3 and path.endswith("first.rows"):
            sizes.append(len(sizes) + 2)
            with monkeypatch.context() as patch:
                patch.setattr(partfiles, "opened", real)
                write(tmp_path, sizes[-1])
        return real(root, path)

    monkeypatch.setattr(partfiles, "opened", racing)
    found = LockFiles(tmp_path).text()
    assert found is not None
    assert found.data == text(tree(rows(range(200), size=4)))


@pytest.mark.parametrize("read", [LockFiles.text, LockFiles.key])
def test_3_10_a_reader_finds_a_part_that_is_put_in_place_meanwhile(
    tmp_path: Path, read: Callable[[LockFiles], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 1)
    with monkeypatch.context() as patch:
        patch.setattr(partfiles.PartFiles, "settle", lambda *_: False)
        write(tmp_path, 2)  # the frame is replaced, and the parts wait
    real = plainfiles.opened
    settled: list[bool] = []

    def racing(root: Root, path: str) -> AbstractContextManager[int | None]:
        if path.startswith(partfiles.STAGED):
            monkeypatch.setattr(partfiles, "opened", real)
            settled.append(LockFiles(tmp_path).settle())
        return real(root, path)

    monkeypatch.setattr(partfiles, "opened", racing)
    assert read(LockFiles(tmp_path))
    assert settled == [True]


def test_a_frame_that_never_rests_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 1)
    real = plainfiles.opened
    count = iter(range(2, 99))

    def racing(root: Root, path: str) -> AbstractContextManager[int | None]:
        with monkeypatch.context() as patch:
            patch.setattr(partfiles, "opened", real)
            write(tmp_path, next(count))
        return real(root, path)

    monkeypatch.setattr(partfiles, "opened", racing)
    with pytest.raises(LockfileError, match="replaced again and again"):
        LockFiles(tmp_path).text()


def test_a_full_disk_leaves_all_as_it_was(
    split_bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(split_bench)
    split_bench.put(f003="other")

    def full(*_: object, **__: object) -> bool:
        raise OSError(28, "No space left on device")

    for module in (atomic, partfiles):
        monkeypatch.setattr(module, "replace_file", full)
    with pytest.raises(WorkspaceError) as caught:
        split_bench.update()
    assert "free" in (caught.value.hint or "")
    assert state(split_bench) == before
    assert faults(split_bench) == []


@pytest.mark.parametrize("is_replaced", [False, True])
def test_failures_do_not_add_up_where_parts_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_replaced: bool
) -> None:
    write(tmp_path, 1)
    real = atomic.replace_file
    staged = tmp_path / ".artlock" / "parts"

    def full(path: Path, data: bytes, **how: Callable[[bytes], object] | None) -> bool:
        if path.name != "artifacts.lock":
            return real(path, data)
        if is_replaced:
            real(path, data, check=how["check"])
        assert len(list(staged.iterdir())) > 5
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "replace_file", full)
        with pytest.raises(WorkspaceError):
            write(tmp_path, 2)
    # What the frame lists is needed, and nothing else.
    assert staged.exists() is is_replaced
    found = LockFiles(tmp_path).text()
    assert found is not None
    assert found.data == text(tree(rows(range(200), size=2 if is_replaced else 1)))


def test_the_key_is_told_without_the_rows(split_bench: Workbench) -> None:
    files = split_bench.project().lock_files
    found = files.text()
    assert found is not None
    assert files.key() == found.key
    victim = split_bench.root / "artifacts.lock.d" / some(split_bench)
    victim.write_bytes(victim.read_bytes() + b"x")
    with pytest.raises(LockfileError, match="is another than"):
        files.key()


def test_5_1_what_is_too_large_for_a_part_is_another_and_is_not_read(
    split_bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = split_bench.root / "artifacts.lock.d" / some(split_bench)
    limit = max(len(data) for data in parts(split_bench).values())
    read: list[int] = []

    def counting(file: RawIOBase) -> blake3:
        read.append(os.fstat(file.fileno()).st_size)
        return hasher_of(file)

    monkeypatch.setattr(plainfiles, "MAX_BYTES", limit)
    monkeypatch.setattr(plainfiles, "hasher_of", counting)
    files = split_bench.project().lock_files
    assert files.key()
    os.truncate(victim, limit + 1)
    with pytest.raises(LockfileError, match="is another than"):
        files.key()
    assert max(read) == limit


def test_5_1_a_frame_without_its_folder_is_nothing_that_was_judged(
    split_bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artlock.ops.surveys.LONG", 1)
    assert faults(split_bench) == []
    assert faults(split_bench) == []
    shutil.rmtree(split_bench.root / "artifacts.lock.d")
    with pytest.raises(LockfileError, match="is not there"):
        check(split_bench.project())


# in git


def test_git_tells_of_lockfiles_in_parts(split_bench: Workbench) -> None:
    bench = split_bench
    bench.git("init", "-q")
    bench.git("add", "project")
    bench.git("commit", "-qm", "one")
    first = bench.lock()
    bench.put(f003="other")
    bench.update()
    assert [c.path for c in compare(bench.project())] == ["f003"]
    bench.git("add", "project")
    bench.git("commit", "-qm", "two")
    bench.put(f040="new", f041="new")
    bench.declare_files()
    bench.update()
    assert parts(bench) == {}
    bench.git("add", "-A", "project")
    bench.git("commit", "-qm", "three")
    assert [c.path for c in compare(bench.project(), "HEAD~2", "HEAD~1")] == ["f003"]
    assert lockfile_at(bench.project(), "HEAD~2") == first
    told = [(e.commit.subject, len(e.changes), e.problem) for e in history(bench.project())]
    assert told == [("three", 2, None), ("two", 1, None), ("one", 41, None)]


@pytest.mark.parametrize("keep", [Keep.BRANCHES, Keep.COMMITS])
def test_3_17_gc_keeps_what_parts_in_git_need(split_bench: Workbench, keep: Keep) -> None:
    bench = split_bench
    bench.git("init", "-q", "-b", "main")
    bench.git("add", "project")
    bench.git("commit", "-qm", "one")
    bench.git("branch", "old")
    bench.sync()
    bench.put(f003="other")
    bench.update()
    bench.git("add", "project")
    bench.git("commit", "-qm", "two")
    bench.sync()
    assert len(bench.cached()) == 41
    report = collect(bench.project().runtime, GcOptions(grace_s=0, keep=keep))
    assert report.roots.unreadable == []
    assert len(bench.cached()) == 41
    bench.git("branch", "-qD", "old")
    collect(bench.project().runtime, GcOptions(grace_s=0, keep=Keep.BRANCHES))
    assert len(bench.cached()) == 40


@pytest.mark.parametrize("keep", [Keep.BRANCHES, Keep.COMMITS])
def test_3_17_gc_finds_parts_that_were_committed_after_their_frame(
    split_bench: Workbench, keep: Keep
) -> None:
    bench = split_bench
    bench.git("init", "-q", "-b", "main")
    bench.git("add", "project")
    bench.git("commit", "-qm", "one")
    bench.git("checkout", "-q", "-b", "side")
    bench.put(f003="other")
    bench.update()
    bench.sync()
    bench.git("add", "project/artifacts.lock")
    bench.git("commit", "-qm", "the frame")
    bench.git("branch", "early")
    bench.git("add", "-A", "project")
    bench.git("commit", "-qm", "its parts")
    bench.git("checkout", "-q", "main")
    bench.sync()
    report = collect(bench.project().runtime, GcOptions(grace_s=0, keep=keep))
    assert report.roots.unreadable == []
    assert len(bench.cached()) == 41


def test_5_1_a_link_in_git_is_no_part(split_bench: Workbench) -> None:
    bench = split_bench
    bench.git("init", "-q")
    victim = bench.root / "artifacts.lock.d" / some(bench)
    content = victim.read_bytes()
    victim.unlink()
    victim.symlink_to("/dev/zero")
    bench.git("add", "project")
    bench.git("commit", "-qm", "one")
    with pytest.raises(LockfileError, match="is not there, but `HEAD:project/"):
        lockfile_at(bench.project(), "HEAD")
    victim.unlink()
    victim.write_bytes(content)
    bench.git("add", "project")
    bench.git("commit", "-qm", "two")
    told = [(e.commit.subject, e.problem is None) for e in history(bench.project())]
    assert told[-1] == ("one", False)


def test_doctor_knows_parts_that_are_not_in_git(split_bench: Workbench) -> None:
    split_bench.git("init", "-q")
    split_bench.git("add", "project/artifacts.lock", "project/artifacts.toml")
    project = split_bench.project()
    texts = [d.text for d in diagnose(project.runtime, project)]
    assert "`artifacts.lock.d` is not in git" in texts
    missing = "`.gitattributes` does not say how git is to treat `artifacts.lock.d/`"
    assert missing in texts
    add_attributes(split_bench.root)
    assert missing not in [d.text for d in diagnose(project.runtime, project)]


def test_a_frame_with_markers_is_not_taken_for_one(split_bench: Workbench) -> None:
    frame = split_bench.lockfile.read_bytes()
    split_bench.lockfile.write_bytes(b"<<<<<<< ours\n" + frame)
    with pytest.raises(ArtlockError, match="conflict markers"):
        split_bench.lock()
    assert parse_frame(frame) is not None
