import os
import random
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from artlock.errors import (
    AccessDeniedError,
    IntegrityError,
    ManifestError,
    ManyErrors,
    ObjectChangedError,
    ObjectNotFoundError,
    PolicyError,
    StoreError,
    StoreUnavailableError,
    WorkspaceError,
)
from artlock.model.lock import Kind
from artlock.model.objects import ObjectInfo
from artlock.model.uri import Uri
from artlock.ops.observe import observe
from artlock.ops.project import Project
from artlock.ops.resolve import Pins, resolve
from artlock.ops.runtime import Runtime
from artlock.ops.sync import SyncOptions, sync
from artlock.stores.file import FileStore
from artlock.stores.s3 import S3Store
from artlock.stores.schemes import OPENERS
from testbed.faults import Fault, access_denied
from tests.defaults import set_default
from tests.unit.ops.remotes import Remote, reading
from tests.unit.ops.workbench import Workbench


def test_what_is_locked_and_declared_alike_is_not_even_listed(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "old")
    bench.declare(data=remote.uri)
    bench.resolve()
    before = bench.lockfile.read_bytes()
    remote.put("a", "newer")
    remote.forwarder.clear()
    result = bench.resolve()
    assert (result.listed, result.differs, result.written) == ((), False, False)
    assert remote.forwarder.requests == ()
    assert bench.lockfile.read_bytes() == before


def test_1_8_a_listing_needs_one_request_for_a_thousand_versions(
    bench: Workbench, remote: Remote
) -> None:
    for number in range(12):
        remote.put(f"{number:03}", "x")
    bench.declare(data=remote.uri)
    bench.resolve()
    assert len(bench.paths()) == 12
    assert remote.asked("GET", "versions") <= 2
    assert remote.asked("GET", "list-type=2") <= 1  # the cross-check of 1.11
    assert remote.asked("HEAD") == 0
    assert remote.reads() == []


@pytest.mark.parametrize("page_size", [1, 2, 5])
def test_1_10_the_size_of_a_page_never_reaches_the_lockfile(
    bench: Workbench, remote: Remote, monkeypatch: pytest.MonkeyPatch, page_size: int
) -> None:
    for name in ("a", "b", "c", "d/a", "d/b"):
        remote.put(name, f"old {name}")
        remote.put(name, f"text of {name}")
    bench.declare(data=remote.uri)
    bench.resolve()
    whole = bench.lockfile.read_bytes()
    set_default(monkeypatch, S3Store, "page_size", page_size)
    remote.forwarder.clear()
    assert not bench.resolve(pins=Pins.FORGET).differs
    assert bench.lockfile.read_bytes() == whole
    assert remote.asked("GET") > 2


class _Shuffled(FileStore):
    """Lists in another order each time, as S3 Express may (hazard 1.19)."""

    def scan(self, prefix: Uri, *, as_of: datetime | None = None) -> Iterator[ObjectInfo]:
        found = list(super().scan(prefix, as_of=as_of))
        random.shuffle(found)
        yield from found


def test_3_28_the_order_of_a_listing_never_reaches_the_lockfile(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        bench.put_at(f"{number % 7}/{number}", f"text {number}")
    bench.declare_files()
    bench.resolve()
    sorted_ = bench.lockfile.read_bytes()
    monkeypatch.setitem(OPENERS, "file", _Shuffled)
    for _ in range(5):
        assert not bench.resolve(pins=Pins.FORGET).differs
        assert bench.lockfile.read_bytes() == sorted_


def test_update_moves_pins_and_keeps_rows_that_did_not_change(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "old")
    remote.put("b", "same")
    bench.declare(data=remote.uri)
    bench.resolve(digest_all=True)
    kept = bench.row("b")
    assert kept[0].startswith("blake3:")
    version = remote.put("a", "newer")
    result = bench.update()
    assert [(c.path, str(c.kind)) for c in result.changes] == [("a", "M")]
    assert bench.row("a")[1] == version
    assert bench.row("b") == kept


def test_hash_reads_each_object_once_and_never_again(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "one")
    remote.put("b", "two")
    bench.declare(data=remote.uri)
    assert bench.resolve(digest_all=True).read_size == 6
    assert sorted(remote.reads()) == ["a", "b"]
    assert bench.resolve(digest_all=True).read_size == 0
    # As if nothing were locked: the cache still knows the bytes of a version.
    first = bench.lockfile.read_bytes()
    assert bench.resolve(pins=Pins.FORGET, digest_all=True).read_size == 0
    assert bench.lockfile.read_bytes() == first
    assert sorted(remote.reads()) == ["a", "b"]


def test_the_tokens_of_a_row_do_not_depend_on_what_lies_in_a_cache(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "one")
    bench.declare(data=remote.uri)
    bench.resolve()
    without = bench.lockfile.read_bytes()
    bench.sync()
    bench.resolve(pins=Pins.FORGET)
    assert bench.lockfile.read_bytes() == without


def test_an_edited_declaration_is_listed_again_and_keeps_its_pins(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "old")
    bench.declare(data=remote.uri)
    bench.resolve()
    pinned = bench.row("a")
    remote.put("a", "newer")
    remote.put("b", "new")
    bench.declare('exclude = ["x"]', data=remote.uri)
    bench.resolve()
    assert bench.row("a") == pinned
    assert bench.paths() == ["a", "b"]


def test_another_source_shares_no_pins(bench: Workbench, remote: Remote) -> None:
    remote.put("one/a", "1")
    remote.put("two/a", "2")
    bench.declare(data=f"{remote.uri}one/")
    bench.resolve()
    one = bench.row("a")
    bench.declare(data=f"{remote.uri}two/")
    bench.resolve()
    assert bench.row("a") != one


def test_only_what_is_named_is_asked_for(bench: Workbench, remote: Remote) -> None:
    remote.put("a", "1")
    bench.declare(one=remote.uri, two=remote.uri)
    assert bench.resolve("one").listed == ("one",)
    assert [a.name for a in bench.lock().artifacts] == ["one"]
    assert bench.resolve("two").listed == ("two",)
    assert [a.name for a in bench.lock().artifacts] == ["one", "two"]
    with pytest.raises(ManifestError, match="no artifact `three`"):
        bench.resolve("three")


def test_what_is_no_longer_declared_leaves_the_lockfile(bench: Workbench) -> None:
    bench.put(a="1")
    bench.declare(one=bench.files_uri, two=bench.files_uri)
    bench.resolve()
    bench.declare(two=bench.files_uri)
    bench.resolve()
    assert [a.name for a in bench.lock().artifacts] == ["two"]


def test_a_uri_without_a_slash_never_takes_a_sibling(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("data/a", "below")
    remote.put("data2/b", "sibling")
    bench.declare(data=f"{remote.uri}data")
    bench.resolve()
    assert bench.paths() == ["a"]
    remote.put("data2", "an object of exactly that key")
    bench.declare(data=f"{remote.uri}data2")
    bench.resolve()
    artifact = bench.lock().get("data")
    assert artifact is not None
    assert (artifact.kind, bench.paths()) == (Kind.FILE, ["data2"])


def test_1_21_folder_markers_are_skipped_and_counted(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("d/", "")
    remote.put("d/a", "1")
    remote.put("_SUCCESS", "")
    bench.declare(data=remote.uri)
    assert bench.resolve().markers == 1
    assert bench.paths() == ["_SUCCESS", "d/a"]


def test_the_past_is_locked_by_version_and_by_moment(
    bench: Workbench, remote: Remote
) -> None:
    old = remote.put("a", "old")
    remote.put("a", "newer")
    bench.declare(f'version = "{old}"', data=f"{remote.uri}a")
    bench.resolve()
    bench.sync()
    assert bench.data() == {"a": "old"}


def test_a_link_is_never_looked_into(bench: Workbench, remote: Remote) -> None:
    bench.declare("link = true", data=remote.uri)
    bench.resolve()
    artifact = bench.lock().get("data")
    assert artifact is not None
    assert (artifact.kind, artifact.objects) == (Kind.LINK, ())
    assert remote.forwarder.requests == ()
    report = bench.sync()
    assert (report.links, report.plan.is_empty) == (1, True)


def test_fallback_locks_a_link_only_where_access_is_refused(
    bench: Workbench, remote: Remote
) -> None:
    bench.declare('fallback = "link"', data=remote.uri)
    with pytest.raises(ObjectNotFoundError):
        bench.resolve()
    remote.put("a", "1")
    remote.forwarder.inject(access_denied())
    bench.resolve()
    artifact = bench.lock().get("data")
    assert artifact is not None
    assert artifact.kind is Kind.LINK
    assert "`data` is locked as a link" in bench.notices.texts[-1]
    remote.forwarder.heal()
    bench.update()
    assert bench.paths() == ["a"]


def test_without_fallback_a_refusal_leaves_the_lockfile_as_it_was(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "1")
    bench.declare(data=remote.uri)
    bench.resolve()
    before = bench.lockfile.read_bytes()
    remote.forwarder.inject(access_denied())
    with pytest.raises(AccessDeniedError) as caught:
        bench.update()
    assert "s3:ListBucket" in str(caught.value.hint)
    assert bench.lockfile.read_bytes() == before


def test_several_failures_are_told_together_and_nothing_is_written(
    bench: Workbench,
) -> None:
    bench.put(a="1")
    bench.declare(good=bench.files_uri, one="file:///no/where/", two="file:///not/here/")
    with pytest.raises(ManyErrors) as caught:
        bench.resolve()
    assert len(caught.value.errors) == 2
    assert caught.value.exit_code == 3
    assert not bench.lockfile.exists()


def test_1_11_an_artifact_that_loses_most_objects_needs_a_yes(bench: Workbench) -> None:
    for number in range(12):
        bench.put_at(f"{number}", "x")
    bench.declare_files()
    bench.resolve()
    before = bench.lockfile.read_bytes()
    for number in range(10):
        (bench.source / f"{number}").unlink()
    with pytest.raises(PolicyError, match="would shrink from 12 to 2 objects"):
        bench.update()
    assert bench.lockfile.read_bytes() == before
    bench.update(allow_shrink=True)
    assert bench.paths() == ["10", "11"]


def test_1_11_versions_and_a_plain_listing_that_differ_write_no_lockfile(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "1")
    remote.put("b", "1")

    def lose_b(body: bytes) -> bytes:
        start = body.index(b"<Version>", body.index(b"/a</Key>"))
        return body[:start] + body[body.index(b"</Version>", start) + 10 :]

    remote.forwarder.inject(
        Fault(
            kind="rewrite",
            matches=lambda m, _p, q: m == "GET" and "versions" in q,
            rewrite=lose_b,
        )
    )
    bench.declare(data=remote.uri)
    with pytest.raises(StoreError) as caught:
        bench.resolve()
    assert caught.value.exit_code == 3
    assert not bench.lockfile.exists()


@pytest.mark.parametrize(
    ("path", "source"),
    [("inside/copy", "inside/"), ("inside", "inside/"), ("inside", "inside/deep/")],
)
def test_2_26_a_place_that_overlaps_with_its_source_is_refused(
    bench: Workbench, path: str, source: str
) -> None:
    bench.write("inside/deep/a", "1")
    bench.declare(f'path = "{path}"', data=source)
    with pytest.raises(PolicyError, match="overlaps with its own source"):
        bench.resolve()
    assert not bench.lockfile.exists()


@pytest.mark.parametrize("below", ["data/data/cache", "data/data", "data", "DATA/Data/x"])
def test_2_26_a_place_that_overlaps_with_the_cache_is_refused(
    bench: Workbench, below: str
) -> None:
    bench.put(a="1")
    bench.declare_files()
    bench.resolve()
    before = bench.lockfile.read_bytes()
    runtime = Runtime.load(os.environ, cache_dir=bench.root / below)
    project = Project.open(bench.root, runtime)
    for deed in (lambda: resolve(project, None, pins=Pins.MOVE), lambda: sync(project)):
        with pytest.raises(PolicyError, match="overlaps with the cache"):
            deed()
    assert bench.lockfile.read_bytes() == before
    assert bench.data() == {}


def test_2_26_a_link_does_not_hide_that_places_overlap(bench: Workbench) -> None:
    bench.put(a="1")
    bench.declare_files()
    bench.resolve()
    cache = bench.root / "data/data/cache"
    cache.mkdir(parents=True)
    shutil.rmtree(bench.cache)
    bench.cache.symlink_to(cache)
    with pytest.raises(PolicyError, match="overlaps with the cache"):
        bench.sync(options=SyncOptions(exact=True))
    assert list(cache.iterdir()) == []
    bench.cache.unlink()
    bench.write("data/data/source/a", "1")
    link = bench.folder / "link"
    link.symlink_to(bench.root / "data/data/source")
    bench.declare(data=f"{link.as_uri()}/")
    with pytest.raises(PolicyError, match="overlaps with its own source"):
        bench.update()


def test_2_12_a_link_that_goes_while_it_is_read_is_no_defect(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put(a="1")
    bench.declare_files()
    bench.resolve()
    place = bench.root / "data/data"
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(bench.source)
    read = os.readlink

    def gone(path: str, **how: int) -> str:
        if Path(path) == place:
            place.unlink(missing_ok=True)
        return read(path, **how)

    monkeypatch.setattr(os, "readlink", gone)
    with pytest.raises(WorkspaceError, match="cannot look where"):
        bench.sync()
    assert bench.sync().plan.write


def test_5_1_a_source_outside_of_the_policy_is_not_asked(
    bench: Workbench, remote: Remote
) -> None:
    bench.declare('\n[policy]\nallow = ["s3://elsewhere/"]', data=remote.uri)
    with pytest.raises(PolicyError, match="outside of"):
        bench.resolve()
    assert remote.forwarder.requests == ()


def test_3_29_a_lockfile_that_somebody_changed_meanwhile_is_not_replaced(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put(a="1")
    bench.declare_files()
    bench.resolve()
    bench.put(b="2")

    def somebody_else_writes(*args: object) -> object:
        bench.lockfile.write_bytes(bench.lockfile.read_bytes() + b"\n")
        return observe(*args)  # type: ignore[arg-type] # handed on as it came

    monkeypatch.setattr("artlock.ops.resolve.observe", somebody_else_writes)
    with pytest.raises(WorkspaceError, match="changed while this command ran"):
        bench.update()


def test_1_28_an_object_replaced_between_listing_and_reading_is_not_locked(
    bench: Workbench, unversioned: Remote
) -> None:
    def overwrite() -> None:
        unversioned.put("a", "other!")

    unversioned.put("a", "listed")
    unversioned.forwarder.inject(
        Fault(
            kind="before",
            matches=reading("/a"),
            times=1,
            action=overwrite,
        )
    )
    bench.declare(head='checksum = "blake3"', data=unversioned.uri)
    with pytest.raises(ManyErrors) as caught:
        bench.resolve()
    assert isinstance(caught.value.errors[0], (ObjectChangedError, IntegrityError))
    assert caught.value.exit_code == 4
    assert not bench.lockfile.exists()


def test_what_was_read_before_a_failure_is_not_read_again(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "1")
    remote.put("b", "2")
    remote.forwarder.inject(access_denied(matches=reading("/b")))
    bench.declare(head='checksum = "blake3"', data=remote.uri)
    with pytest.raises(ManyErrors):
        bench.resolve()
    remote.forwarder.heal()
    remote.forwarder.clear()
    bench.resolve()
    assert remote.reads() == ["b"]


def test_offline_nothing_but_files_is_asked(bench: Workbench, remote: Remote) -> None:
    bench.put(a="1")
    bench.offline = True
    bench.declare(far=remote.uri, near=bench.files_uri)
    with pytest.raises(StoreUnavailableError, match="--offline"):
        bench.resolve()
    bench.resolve("near")
    assert remote.forwarder.requests == ()
