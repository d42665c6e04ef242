"""verify --repair: what the disk did is put right, what a person did stays."""

import errno
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from artlock.cache.records import Stamp
from artlock.errors import ArtlockError, ConflictError, IntegrityError, PolicyError
from artlock.model.plan import Placement
from artlock.model.settings import LinkMode
from artlock.ops.memory import index_path, index_secret, load_index
from artlock.ops.mending import MendRun
from artlock.ops.sync import SyncOptions
from artlock.ops.sync_fetch import SyncFetch
from artlock.ops.verify import Place, verify
from artlock.ops.verify_repair import Repaired, repair
from testbed.faults import Fault as RemoteFault
from testbed.faults import access_denied
from tests.unit.ops.remotes import Remote, reading
from tests.unit.ops.workbench import Workbench


def synced(bench: Workbench, mode: LinkMode = LinkMode.COPY, **files: str) -> None:
    bench.put(**(files or {"a": "1", "b": "2"}))
    bench.declare_files()
    bench.resolve()
    bench.sync(options=SyncOptions(link_mode=mode))


def rot(path: Path, text: str = "x") -> None:
    """Change bytes, and set the time of the change back; that of the inode moves."""
    before = path.stat()
    path.chmod(0o600)
    path.write_text(text)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def decay(bench: Workbench, target: str) -> None:
    """Change bytes as a disk does, so that nothing that a stat tells is another.

    No program can set the time of an inode, so the index is brought in line with it.
    """
    path = bench.root / target
    rot(path)
    project = bench.project()
    index = load_index(project)
    entry = index.get(target)
    assert entry is not None
    ctime_ns = path.stat().st_ctime_ns
    same = msgspec.structs.replace(entry, ctime_ns=ctime_ns, trusted_before_ns=ctime_ns + 1)
    secret = index_secret(project.runtime.environ)
    updated = index.updated([same], stamps=index.stamps)
    updated.save(index_path(project.state), secret=secret)


def repaired(
    bench: Workbench,
    *names: str,
    place: Place = Place.WORKSPACE,
    force: bool = False,
    share: float = 1.0,
) -> Repaired:
    return repair(bench.project(), names, place=place, force=force, share=share)


def written(bench: Workbench) -> dict[Path, Stamp]:
    return {path: Stamp.of(path.stat()) for path in bench.root.rglob("*")}


def clean(bench: Workbench) -> bool:
    return verify(bench.project()).exit_code == 0 and bench.status().is_clean


def test_what_is_right_stays_untouched(bench: Workbench) -> None:
    synced(bench)
    before = written(bench)
    for place in (Place.WORKSPACE, Place.CACHE):
        done = repaired(bench, place=place)
        assert (done.exit_code, done.report.checked, done.mended.written) == (0, 2, ())
    assert written(bench) == before


def test_missing_files_are_written(bench: Workbench) -> None:
    synced(bench)
    (bench.root / "data/data/a").unlink()
    done = repaired(bench)
    assert done.mended.written == ("data/data/a",)
    assert (done.exit_code, done.report.checked, done.report.missing) == (0, 2, ())
    assert clean(bench)


@pytest.mark.parametrize("mode", [LinkMode.COPY, LinkMode.HARDLINK])
def test_3_14_a_file_that_rotted_is_written_anew(bench: Workbench, mode: LinkMode) -> None:
    synced(bench, mode)
    decay(bench, "data/data/a")
    assert bench.status().is_clean  # nobody touched it
    done = repaired(bench)
    assert done.mended.written == ("data/data/a",)
    assert done.mended.kept == ()
    assert done.exit_code == 0
    assert bench.data() == {"a": "1", "b": "2"}
    assert clean(bench)
    assert bench.trash() == set()
    # A hard link: its blob rotted with it, and was put aside.
    assert len(done.mended.quarantined) == (mode is LinkMode.HARDLINK)
    assert bench.cached() == {"1", "2"}


def test_3_14_a_link_to_a_blob_that_rotted_gets_its_bytes_back(bench: Workbench) -> None:
    synced(bench, LinkMode.SYMLINK)
    assert verify(bench.project()).exit_code == 0
    rot((bench.root / "data/data/a").resolve())
    assert verify(bench.project()).exit_code == 4
    assert verify(bench.project()).exit_code == 1  # it was put aside
    done = repaired(bench)
    assert done.exit_code == 0
    assert (bench.root / "data/data/a").read_text() == "1"
    assert len(list((bench.cache / "v1/quarantine").iterdir())) == 1


def test_6c_3_what_a_person_changed_stays_and_is_listed(bench: Workbench) -> None:
    synced(bench)
    bench.write("data/data/a", "x")  # of the same size
    (bench.root / "data/data/b").unlink()
    done = repaired(bench)
    assert done.mended.kept == ("data/data/a",)
    assert done.mended.written == ("data/data/b",)
    assert done.exit_code == 4
    assert bench.data() == {"a": "x", "b": "2"}
    assert [type(error) for error in done.report.errors] == [IntegrityError]
    # Nor is it taken for artlock's by anything that comes after.
    again = repaired(bench)
    assert (again.mended.kept, again.exit_code) == (("data/data/a",), 4)
    with pytest.raises(ConflictError):
        bench.sync()
    assert bench.data() == {"a": "x", "b": "2"}


def test_6c_3_bytes_changed_with_the_old_time_are_a_person_s(bench: Workbench) -> None:
    synced(bench)
    rot(bench.root / "data/data/a")  # the time of the inode moved
    done = repaired(bench)
    assert (done.mended.kept, done.exit_code) == (("data/data/a",), 4)
    assert bench.data()["a"] == "x"


def test_without_an_index_nobody_knows_who_changed_a_file(bench: Workbench) -> None:
    synced(bench)
    bench.write("data/data/a", "x")
    (bench.root / ".artlock/index").unlink()
    done = repaired(bench)
    assert (done.mended.kept, done.exit_code) == (("data/data/a",), 4)


def test_6c_3_force_moves_what_a_person_changed_into_the_trash(bench: Workbench) -> None:
    synced(bench)
    bench.write("data/data/a", "mine")
    done = repaired(bench, force=True)
    assert done.exit_code == 0
    assert done.mended.written == ("data/data/a",)
    assert len(done.mended.trashed) == 1
    assert bench.trash() == {"mine"}
    assert clean(bench)


def test_6c_3_a_file_that_was_only_read_and_then_rotted_is_put_right(
    bench: Workbench,
) -> None:
    bench.put(a="1")
    bench.declare_files()
    bench.resolve()
    bench.write("data/data/a", "1")
    time.sleep(0.05)
    bench.sync()
    decay(bench, "data/data/a")
    done = repaired(bench)
    assert (done.mended.written, done.exit_code) == (("data/data/a",), 0)


def test_6c_3_a_person_s_file_of_another_version_is_no_rotten_one(
    bench: Workbench,
) -> None:
    bench.put(a="1")
    bench.declare_files()
    bench.resolve()
    bench.write("data/data/a", "1")
    time.sleep(0.05)
    bench.sync()  # as locked, and not written by artlock
    bench.put(a="2")
    bench.update()
    bench.forget_cache()
    done = repaired(bench)
    assert (done.mended.kept, done.exit_code) == (("data/data/a",), 4)
    assert bench.data() == {"a": "1"}


def test_what_artlock_wrote_of_another_version_is_replaced(bench: Workbench) -> None:
    synced(bench, a="1")
    time.sleep(0.05)
    bench.put(a="2")
    bench.update()
    done = repaired(bench)
    assert (done.mended.written, done.exit_code) == (("data/data/a",), 0)
    assert bench.data() == {"a": "2"}


def test_nothing_is_removed(bench: Workbench) -> None:
    synced(bench)
    (bench.source / "a").unlink()
    bench.update(allow_shrink=True)
    (bench.root / "data/data/b").unlink()
    assert repaired(bench).exit_code == 0
    assert bench.data() == {"a": "1", "b": "2"}
    bench.sync()
    assert bench.data() == {"b": "2"}


def test_only_what_is_named_is_put_right(bench: Workbench) -> None:
    bench.put(a="1")
    bench.declare(one=bench.files_uri, two=bench.files_uri)
    bench.resolve()
    bench.sync()
    for name in ("one", "two"):
        (bench.root / f"data/{name}/a").unlink()
    done = repaired(bench, "one")
    assert done.mended.written == ("data/one/a",)
    assert not (bench.root / "data/two/a").exists()


@pytest.mark.parametrize("text", ["x", "longer"])
def test_3_14_a_damaged_blob_is_not_what_repairs(bench: Workbench, text: str) -> None:
    synced(bench)
    for blob in bench.blobs():
        rot(blob, text)
    for name in "ab":
        (bench.root / f"data/data/{name}").unlink()
    done = repaired(bench)
    assert (done.exit_code, len(done.mended.quarantined), done.mended.fetched) == (0, 2, 2)
    assert clean(bench)
    assert bench.cached() == {"1", "2"}
    assert len(list((bench.cache / "v1/quarantine").iterdir())) == 2


def test_what_can_be_had_is_put_right_though_something_cannot(
    bench: Workbench, remote: Remote
) -> None:
    for name in "abc":
        remote.put(name, name)
    bench.declare(data=remote.uri)
    bench.resolve()
    bench.sync()
    bench.forget_cache()
    for name in "ab":
        (bench.root / f"data/data/{name}").unlink()
    remote.forwarder.inject(access_denied(matches=reading("/a")))
    done = repaired(bench)
    assert (done.exit_code, done.mended.written) == (3, ("data/data/b",))
    assert (done.report.missing, len(done.mended.failures)) == (("data/data/a",), 1)
    remote.forwarder.heal()
    assert repaired(bench).exit_code == 0
    assert bench.data() == {"a": "a", "b": "b", "c": "c"}


def test_bytes_that_are_wrong_at_the_source_repair_nothing(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "one")
    bench.declare(data=remote.uri)
    bench.resolve(digest_all=True)
    bench.forget_cache()
    remote.forwarder.inject(RemoteFault(kind="corrupt", matches=reading("/a")))
    done = repaired(bench)
    assert (done.exit_code, done.mended.written) == (4, ())
    assert bench.data() == {}


def test_a_file_that_is_changed_during_the_repair_is_not_replaced(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced(bench)
    (bench.root / "data/data/a").unlink()
    real = MendRun.carry_out

    def slow(self: MendRun, report: object) -> object:
        bench.write("data/data/a", "mine")
        return real(self, report)  # type: ignore[arg-type] # what it was called with

    monkeypatch.setattr(MendRun, "carry_out", slow)
    with pytest.raises(ArtlockError, match="changed while"):
        repaired(bench)
    assert bench.data()["a"] == "mine"


def test_a_sample_reads_a_share(bench: Workbench) -> None:
    bench.put(**{f"f{number}": str(number) for number in range(10)})
    synced(bench, a="1", b="2")
    assert verify(bench.project(), share=0.25).checked == 3
    assert verify(bench.project(), share=0.001).checked == 1
    shutil.rmtree(bench.root / "data")
    done = repaired(bench, share=0.5)
    assert len(done.mended.written) == len(bench.data()) == 6


@pytest.mark.parametrize("text", ["x", "longer"])
def test_3_14_a_sync_replaces_no_damaged_blob(bench: Workbench, text: str) -> None:
    synced(bench)
    shutil.rmtree(bench.root / "data")
    for blob in bench.blobs():
        rot(blob, text)
    bench.sync()
    assert bench.data() == {"a": "1", "b": "2"}
    aside = [path.read_text() for path in (bench.cache / "v1/quarantine").iterdir()]
    assert aside == [text, text]


# the cache


def test_blobs_come_back_from_the_workspace(bench: Workbench) -> None:
    synced(bench)
    bench.source.rename(bench.folder / "away")  # the workspace has the last copies
    rot(bench.blobs()[0])
    bench.blobs()[1].unlink()
    done = repaired(bench, place=Place.CACHE)
    assert done.exit_code == 0
    assert (done.mended.refilled, done.mended.fetched) == (2, 0)
    assert len(done.mended.quarantined) == 1
    assert bench.cached() == {"1", "2"}


def test_blobs_come_back_from_the_source(bench: Workbench) -> None:
    synced(bench)
    bench.write("data/data/a", "x")
    (bench.root / "data/data/b").unlink()
    shutil.rmtree(bench.cache / "v1/blobs/blake3")
    done = repaired(bench, place=Place.CACHE)
    assert (done.exit_code, done.report.checked) == (0, 2)
    assert (done.mended.refilled, done.mended.fetched) == (0, 2)
    assert bench.cached() == {"1", "2"}
    assert bench.data() == {"a": "x"}


def test_a_blob_that_cannot_be_had_is_told(bench: Workbench) -> None:
    synced(bench)
    shutil.rmtree(bench.root / "data")
    rot(bench.blobs()[0])
    bench.source.rename(bench.folder / "away")
    done = repaired(bench, place=Place.CACHE)
    assert done.exit_code == 3
    assert len(done.report.missing) == len(done.mended.failures) == 1


def test_rows_without_a_proof_are_not_filled_from_the_workspace(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "1")
    bench.declare(data=remote.uri)
    bench.resolve()
    bench.sync()
    shutil.rmtree(bench.cache / "v1/blobs/blake3")
    done = repaired(bench, place=Place.CACHE)
    assert (done.exit_code, done.mended.refilled, done.mended.fetched) == (0, 0, 1)


def test_a_source_outside_of_the_policy_fills_no_cache(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "1")
    bench.declare(data=remote.uri)
    bench.resolve()
    bench.sync()
    shutil.rmtree(bench.cache / "v1/blobs/blake3")
    bench.declare('[policy]\nallow = ["s3://elsewhere/"]\n', data=remote.uri)
    remote.forwarder.clear()
    with pytest.raises(PolicyError, match="outside"):
        repaired(bench, place=Place.CACHE)
    assert remote.forwarder.requests == ()


def test_a_file_that_cannot_be_read_to_its_end_is_no_copy(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced(bench, a="1", b="2" * (3 << 20))
    shutil.rmtree(bench.cache / "v1/blobs/blake3")
    real = os.read

    def read(fd: int, size: int) -> bytes:
        data = real(fd, size)
        if os.lseek(fd, 0, os.SEEK_CUR) > 2 << 20:
            raise OSError(errno.EIO, "input/output error")
        return data

    monkeypatch.setattr("artlock.ops.verify_repair.os.read", read)
    # Only the reads of files: the source is read with these too.
    fetch = SyncFetch.fetch

    def healed(self: SyncFetch, placements: Sequence[Placement]) -> object:
        monkeypatch.setattr("artlock.ops.verify_repair.os.read", real)
        return fetch(self, placements)

    monkeypatch.setattr(SyncFetch, "fetch", healed)
    done = repaired(bench, place=Place.CACHE)
    assert (done.exit_code, done.mended.refilled, done.mended.fetched) == (0, 1, 1)
    assert len(bench.blobs()) == 2
