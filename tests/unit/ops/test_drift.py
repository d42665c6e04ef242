import os

import pytest

from artlock.errors import AccessDeniedError, StoreUnavailableError
from artlock.ops.drift import DriftReport, find_drift
from testbed.faults import Fault, access_denied, s3_error
from testbed.http_server import HttpServer
from tests.unit.ops.remotes import Remote
from tests.unit.ops.workbench import Workbench


def drift(bench: Workbench, *names: str) -> DriftReport:
    return find_drift(bench.project(), names)


def kinds(report: DriftReport) -> dict[str, str]:
    return {item.path: str(item.kind) for item in report.drifts}


def test_every_kind_of_drift_at_a_source_with_versions(
    bench: Workbench, remote: Remote
) -> None:
    lost = {}
    for path in ("again", "changed", "deleted", "gone", "same"):
        lost[path] = remote.put(path, "locked")
    bench.declare(data=remote.uri)
    bench.resolve()
    assert drift(bench).drifts == ()
    assert drift(bench).exit_code == 0
    remote.put("added", "x")
    remote.put("again", "locked")
    remote.put("changed", "other!")
    remote.delete("deleted")
    remote.put("gone", "other!")
    remote.delete("gone", lost["gone"])
    report = drift(bench)
    assert kinds(report) == {
        "added": "added",
        "again": "same-bytes",
        "changed": "changed",
        "deleted": "deleted",
        "gone": "gone",
    }
    assert (report.exit_code, report.objects) == (1, 5)
    assert report.drifts[0].uri == f"{remote.uri}added"


def test_drift_at_a_source_without_versions(bench: Workbench, unversioned: Remote) -> None:
    for path in ("overwritten", "gone", "same", "equal"):
        unversioned.put(path, "locked")
    bench.declare(data=unversioned.uri)
    bench.resolve()
    unversioned.put("overwritten", "other!")
    unversioned.put("equal", "locked")
    unversioned.delete("gone")
    assert kinds(drift(bench)) == {"overwritten": "overwritten", "gone": "gone"}


def test_no_bytes_are_read_and_only_what_differs_is_asked_for(
    bench: Workbench, remote: Remote
) -> None:
    for number in range(10):
        remote.put(f"{number}", "locked")
    bench.declare(data=remote.uri)
    bench.resolve()
    remote.put("3", "other!")
    remote.forwarder.clear()
    assert kinds(drift(bench)) == {"3": "changed"}
    assert remote.reads() == []
    assert remote.asked("HEAD") == 1


def test_4_9_a_refusal_is_never_read_as_deleted(bench: Workbench, remote: Remote) -> None:
    remote.put("a", "locked")
    bench.declare(data=remote.uri)
    bench.resolve()
    remote.put("a", "other!")
    remote.forwarder.inject(access_denied(matches=lambda _m, _p, q: "versionId=" in q))
    report = drift(bench)
    assert kinds(report) == {"a": "denied"}
    assert report.exit_code == 3
    remote.forwarder.inject(access_denied())
    report = drift(bench)
    assert report.drifts == ()
    assert isinstance(report.errors[0], AccessDeniedError)
    assert report.exit_code == 3


def restored(_method: str, _path: str, query: str) -> bool:
    return "versionId=" in query


def test_1_17_what_was_restored_is_not_archived(bench: Workbench, remote: Remote) -> None:
    remote.client.put_object(
        Bucket=remote.bucket, Key=f"{remote.prefix}/a", Body=b"1", StorageClass="GLACIER"
    )
    bench.declare(data=remote.uri)
    bench.resolve()
    remote.forwarder.clear()
    assert kinds(drift(bench)) == {"a": "archived"}
    assert drift(bench).exit_code == 1
    assert remote.asked("HEAD") == 2
    headers = {"x-amz-restore": 'ongoing-request="false", expiry-date="x"'}
    remote.forwarder.inject(Fault(kind="headers", headers=headers, matches=restored))
    assert drift(bench).exit_code == 0
    remote.forwarder.heal()
    remote.forwarder.inject(s3_error(404, "NoSuchVersion", matches=restored))
    assert kinds(drift(bench)) == {"a": "gone"}


def test_1_18_a_replaced_version_in_a_hidden_archive_is_archived(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "locked")
    bench.declare(data=remote.uri)
    bench.resolve()
    remote.put("a", "other!")
    headers = {
        "x-amz-storage-class": "INTELLIGENT_TIERING",
        "x-amz-archive-status": "DEEP_ARCHIVE_ACCESS",
    }
    remote.forwarder.inject(Fault(kind="headers", headers=headers, matches=restored))
    assert kinds(drift(bench)) == {"a": "archived"}


def test_1_17_an_archived_object_without_a_version_is_told(
    bench: Workbench, unversioned: Remote
) -> None:
    unversioned.client.put_object(
        Bucket=unversioned.bucket,
        Key=f"{unversioned.prefix}/a",
        Body=b"1",
        StorageClass="DEEP_ARCHIVE",
    )
    bench.declare(data=unversioned.uri)
    bench.resolve()
    assert kinds(drift(bench)) == {"a": "archived"}


def test_1_15_one_of_many_that_is_gone_is_found(bench: Workbench, remote: Remote) -> None:
    versions = {f"{n:03}": remote.put(f"{n:03}", "locked") for n in range(50)}
    bench.declare(data=remote.uri)
    bench.resolve()
    for path in versions:
        remote.put(path, "other!")
    remote.delete("017", versions["017"])
    report = drift(bench)
    assert report.counts() == {"changed": 49, "gone": 1}
    assert kinds(report)["017"] == "gone"


def test_one_source_that_cannot_be_asked_does_not_hide_the_others(
    bench: Workbench, remote: Remote
) -> None:
    bench.put(a="1")
    remote.put("a", "1")
    bench.declare(far=remote.uri, near=bench.files_uri)
    bench.resolve()
    bench.put(a="2")
    bench.offline = True
    report = drift(bench)
    assert kinds(report) == {"a": "overwritten"}
    assert isinstance(report.errors[0], StoreUnavailableError)
    assert report.exit_code == 3
    assert drift(bench, "near").exit_code == 1


@pytest.mark.parametrize(
    ("after", "kind"),
    [("one", None), ("two", "overwritten"), ("longer", "overwritten"), (None, "gone")],
)
def test_4_19_files_are_compared_by_their_bytes(
    bench: Workbench, after: str | None, kind: str | None
) -> None:
    bench.put(a="one", b="stays")
    bench.declare_files()
    bench.resolve()
    if after is None:
        (bench.source / "a").unlink()
    else:
        path = bench.source / "a"
        then = path.stat()
        path.write_text(after)
        # As old as before: neither size nor time tells "two" from "one".
        os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert kinds(drift(bench)) == ({} if kind is None else {"a": kind})


def test_a_source_that_is_empty_now_has_lost_every_object(bench: Workbench) -> None:
    bench.put(a="1", b="2")
    bench.declare_files()
    bench.resolve()
    for path in bench.source.iterdir():
        path.unlink()
    assert kinds(drift(bench)) == {"a": "gone", "b": "gone"}


def test_a_web_resource_with_another_etag_is_overwritten(
    bench: Workbench, http_server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTLOCK_TRUST", "127.0.0.1")
    http_server.put("/a.json", b"one", etag='"1"')
    bench.declare(data=http_server.url("/a.json"))
    bench.resolve()
    http_server.clear()
    assert drift(bench).drifts == ()
    assert http_server.count(lambda r: r.method == "GET") == 0
    http_server.put("/a.json", b"two", etag='"2"')
    assert kinds(drift(bench)) == {"a.json": "overwritten"}
    http_server.remove("/a.json")
    assert kinds(drift(bench)) == {"a.json": "gone"}


def test_links_have_no_drift(bench: Workbench) -> None:
    bench.declare(board="labelbox://project/42")
    bench.resolve()
    assert drift(bench) == DriftReport(drifts=(), errors=(), objects=0)
