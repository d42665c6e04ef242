"""What happens between two steps of a sync must cost nobody their work."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from artlock.errors import ArtlockError, ConflictError, WorkspaceError
from artlock.formats.lockfile import format_lockfile
from artlock.fs.link import Cloner
from artlock.model.plan import SyncPlan
from artlock.ops.materialize import Materializer
from artlock.ops.project import Project
from artlock.ops.space import refuse_without_space
from artlock.ops.sync import SyncOptions
from artlock.ops.sync_values import Download
from tests.unit.ops.workbench import Workbench


@pytest.fixture
def during_the_fetch(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Deeds to do between looking at the workspace and writing to it."""
    deeds: list[object] = []

    def hook(project: Project, plan: SyncPlan, download: Download) -> None:
        for deed in deeds:
            assert callable(deed)
            deed()
        refuse_without_space(project, plan, download)

    monkeypatch.setattr("artlock.ops.sync_run.refuse_without_space", hook)
    return deeds


def test_2_20_an_edit_during_the_fetch_stops_the_sync(
    bench: Workbench, during_the_fetch: list[object]
) -> None:
    bench.put_at("x", "old")
    bench.declare_files()
    bench.resolve()
    bench.sync()
    bench.put_at("x", "new!")
    bench.update()
    during_the_fetch.append(lambda: bench.write("data/data/x", "MINE"))
    with pytest.raises(ConflictError):
        bench.sync()
    assert bench.data() == {"x": "MINE"}


def test_2_24_an_edit_of_a_file_that_becomes_a_folder_stops_the_sync(
    bench: Workbench, during_the_fetch: list[object]
) -> None:
    bench.put_at("a", "old")
    bench.declare_files()
    bench.resolve()
    bench.sync()
    (bench.source / "a").unlink()
    bench.put_at("a/b", "new")
    bench.update()
    during_the_fetch.append(lambda: bench.write("data/data/a", "MINE"))
    with pytest.raises(ConflictError):
        bench.sync()
    assert bench.data() == {"a": "MINE"}


def test_a_lockfile_that_changed_during_a_sync_is_not_called_done(
    bench: Workbench, during_the_fetch: list[object]
) -> None:
    bench.put_at("x", "one")
    bench.declare_files()
    first = bench.resolve().lock
    bench.put_at("x", "two!")
    second = bench.update().lock
    bench.lockfile.write_bytes(format_lockfile(first))
    during_the_fetch.append(
        lambda: bench.lockfile.write_bytes(format_lockfile(second)),
    )
    bench.sync()
    during_the_fetch.clear()
    assert not bench.status().is_clean
    bench.sync()
    assert bench.data() == {"x": "two!"}


def test_a_sync_that_waited_uses_the_lockfile_that_was_written_meanwhile(
    bench: Workbench,
) -> None:
    bench.put_at("x", "one")
    bench.declare_files()
    bench.resolve()
    bench.sync()
    bench.put_at("x", "three")
    lock = bench.update(write=False).lock
    (bench.root / "data/data/x").unlink()
    with bench.project().mutex("resolve"):
        waiting = threading.Thread(target=bench.sync)
        waiting.start()
        waiting.join(0.3)
        bench.lockfile.write_bytes(format_lockfile(lock))
    waiting.join()
    assert bench.data() == {"x": "three"}


@pytest.mark.parametrize("later", ["sync", "force", "removed"])
def test_2_20_an_edit_that_a_forced_sync_met_before_it_failed_stays_the_persons(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, later: str
) -> None:
    bench.put(x="old", y="y")
    bench.declare_files()
    bench.resolve()
    bench.sync()
    bench.put(x="new")
    bench.update()
    bench.write("data/data/x", "MINE")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Materializer, "_copy", full)
        patch.setattr(Cloner, "clone", lambda *_, **__: False)
        with pytest.raises(WorkspaceError, match="no space left"):
            bench.force()
    assert bench.data() == {"x": "MINE", "y": "y"}
    if later == "force":
        bench.force()
        assert bench.trash() == {"MINE"}
        return
    if later == "removed":
        (bench.source / "x").unlink()
        bench.update()
        bench.sync()
    else:
        with pytest.raises(ConflictError):
            bench.sync()
    assert bench.data() == {"x": "MINE", "y": "y"}


def test_2_20_a_file_that_a_person_made_what_is_locked_is_theirs(bench: Workbench) -> None:
    bench.put(x="old", y="y")
    bench.declare_files()
    bench.resolve()
    bench.sync()
    bench.write("data/data/x", "new")
    bench.put(x="new")
    bench.update()
    bench.forget_cache()
    bench.sync()
    (bench.source / "x").unlink()
    bench.update()
    bench.sync()
    assert bench.data() == {"x": "new", "y": "y"}


def test_2_20_a_file_that_artlock_only_read_is_not_its_own_to_remove(
    bench: Workbench,
) -> None:
    bench.put_at("x", "mine")
    bench.put_at("y", "y")
    bench.declare_files()
    bench.resolve()
    bench.forget_cache()
    bench.write("data/data/x", "mine")
    bench.sync()
    (bench.source / "x").unlink()
    bench.update()
    bench.sync()
    assert bench.data() == {"x": "mine", "y": "y"}


def test_2_20_a_file_that_artlock_only_read_is_not_its_own_to_replace(
    bench: Workbench,
) -> None:
    bench.put_at("x", "mine")
    bench.declare_files()
    bench.resolve()
    bench.forget_cache()
    bench.write("data/data/x", "mine")
    bench.sync()
    bench.put_at("x", "other")
    bench.update()
    with pytest.raises(ConflictError):
        bench.sync()


def test_3_14_a_damaged_copy_in_the_cache_is_no_copy(bench: Workbench) -> None:
    bench.put_at("x", "PRECIOUS")
    bench.declare_files()
    bench.resolve()
    bench.put_at("x", "two!")
    bench.update()
    for blob in bench.blobs():
        if blob.read_text() == "PRECIOUS":
            blob.chmod(0o644)
            blob.write_text("GARBAGE!")
    bench.write("data/data/x", "PRECIOUS")
    with pytest.raises(ConflictError):
        bench.sync()
    assert bench.data() == {"x": "PRECIOUS"}


def test_2_28_an_edit_right_after_the_names_were_given_is_seen(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put_at("x", "aaaa")
    bench.declare_files()
    bench.resolve()
    original = Materializer.place

    def place(
        self: Materializer, targets: Iterable[str], before: Mapping[str, os.stat_result]
    ) -> None:
        original(self, targets, before)
        (bench.root / "data/data/x").write_text("MINE")

    monkeypatch.setattr(Materializer, "place", place)
    bench.sync()
    monkeypatch.undo()
    assert not bench.status().is_clean


def test_5_1_a_row_of_another_size_is_never_called_clean(bench: Workbench) -> None:
    bench.put_at("x", "four")
    bench.declare_files()
    bench.resolve()
    bench.sync()
    text = bench.lockfile.read_text()
    bench.lockfile.write_text(text.replace('"x",4,', '"x",5,'))
    assert text != bench.lockfile.read_text()
    assert not bench.status().is_clean
    with pytest.raises(ArtlockError):
        bench.sync()
    bench.lockfile.write_text(text)
    assert bench.status().is_clean


def test_frozen_keeps_what_is_locked_and_no_longer_declared(bench: Workbench) -> None:
    bench.put_at("x", "x")
    bench.declare(a=bench.files_uri, b=bench.files_uri)
    bench.resolve()
    bench.sync()
    bench.declare(a=bench.files_uri)
    bench.sync(options=SyncOptions(frozen=True))
    assert (bench.root / "data/b/x").exists()


def test_what_a_killed_run_left_is_swept(bench: Workbench) -> None:
    bench.put_at("x", "x")
    bench.declare_files()
    bench.resolve()
    staging = bench.root / ".artlock/tmp"
    staging.mkdir(parents=True)
    left = _left_by_a_dead_process(staging)
    bench.sync()
    assert not left.exists()


def _left_by_a_dead_process(staging: Path) -> Path:

    code = "from artlock.fs.temporary import Names; print(Names().next())"
    name = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()
    left = staging / name
    left.write_text("half")
    os.utime(left, (0, 0))
    return left
