"""check, verify, status, doctor, digest: what answers and writes nothing."""

import os
import subprocess
from collections.abc import Sequence

import pytest

from artlock.errors import IntegrityError, LockfileError, PolicyError
from artlock.model.tokens import Trust
from artlock.ops.check import Fault, check
from artlock.ops.digest import digests
from artlock.ops.doctor import Diagnosis, Health, diagnose, exit_code_of
from artlock.ops.revisions import compare, lockfile_at
from artlock.ops.verify import Place, VerifyReport, verify
from testbed.faults import Fault as RemoteFault
from testbed.faults import access_denied
from tests.unit.ops.remotes import Remote, reading
from tests.unit.ops.workbench import Workbench


def faults(bench: Workbench, *, require: Trust | None = None) -> list[tuple[str, str]]:
    report = check(bench.project(), require=require)
    return [(str(f.fault), f.artifact) for f in report.findings]


def locked(bench: Workbench) -> None:
    bench.put(a="1", b="2")
    bench.declare_files()
    bench.resolve()


# check


def test_a_lockfile_that_answers_has_no_faults(bench: Workbench) -> None:
    locked(bench)
    report = check(bench.project(), require=Trust.STRONG)
    assert (report.exit_code, report.artifacts, report.objects, report.weak) == (0, 1, 2, 0)


def test_without_a_lockfile_there_is_nothing_to_check(bench: Workbench) -> None:
    bench.declare_files()
    with pytest.raises(LockfileError, match="here yet"):
        check(bench.project())


def test_every_way_of_being_stale_is_told(bench: Workbench) -> None:
    locked(bench)
    bench.declare('checksum = "blake3"', more=bench.files_uri, data=bench.files_uri)
    assert faults(bench) == [("stale", "data"), ("stale", "more")]
    bench.declare()
    report = check(bench.project())
    assert [(f.artifact, f.text) for f in report.findings] == [
        ("data", "locked, but no longer declared")
    ]
    assert report.exit_code == 1


def test_where_files_land_does_not_make_a_lockfile_stale(bench: Workbench) -> None:
    locked(bench)
    bench.declare_files('path = "x"\ngroups = ["g"]\ndescription = "text"')
    assert faults(bench) == []


def test_another_spelling_is_not_canonical(bench: Workbench) -> None:
    locked(bench)
    text = bench.lockfile.read_text()
    bench.lockfile.write_text(text.replace('",1,"', '", 1,"'))
    assert faults(bench) == [("not-canonical", "")]
    bench.lockfile.write_bytes(text.replace("\n", "\r\n").encode())
    assert faults(bench) == [("not-canonical", "")]


def test_5_3_weak_rows_violate_what_is_required(bench: Workbench, remote: Remote) -> None:
    remote.put("a", "1")
    bench.declare(data=remote.uri)
    bench.resolve()
    assert faults(bench) == []
    report = check(bench.project(), require=Trust.STRONG)
    assert [f.fault for f in report.findings] == [Fault.POLICY]
    assert report.exit_code == 4
    bench.declare('\n[policy]\nrequire = "store"', data=remote.uri)
    assert faults(bench) == [("policy", "data")]
    # The stricter of the two counts.
    assert faults(bench, require=Trust.NONE) == [("policy", "data")]
    bench.resolve(digest_all=True)
    assert faults(bench, require=Trust.STRONG) == []


def test_version_ids_can_be_required(bench: Workbench) -> None:
    locked(bench)
    bench.declare_files("\n[policy]\nrequire-version-ids = true")
    assert faults(bench) == [("policy", "data")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('["a",', '["../a",'),
        ('["a",', '["/a",'),
        ('["a",', '[".git/a",'),
        ('["a",', '["B",'),
    ],
)
def test_5_1_a_hostile_row_is_refused_before_anything_else(
    bench: Workbench, old: str, new: str
) -> None:
    locked(bench)
    text = bench.lockfile.read_text().replace(old, new)
    bench.lockfile.write_text(text)
    with pytest.raises((PolicyError, LockfileError)):
        check(bench.project())
    with pytest.raises((PolicyError, LockfileError)):
        bench.sync()
    assert bench.workspace() == {}


# verify


def judged(bench: Workbench, place: Place, *names: str) -> VerifyReport:
    return verify(bench.project(), names, place=place)


def test_bytes_are_read_at_each_place(bench: Workbench) -> None:
    locked(bench)
    missing = judged(bench, Place.WORKSPACE)
    assert missing.missing == ("data/data/a", "data/data/b")
    assert missing.exit_code == 1
    bench.sync()
    for place in Place:
        report = judged(bench, place)
        assert (report.checked, report.size, report.exit_code) == (2, 2, 0)


def test_4_19_damage_with_the_old_time_is_found_in_the_workspace(bench: Workbench) -> None:
    locked(bench)
    bench.sync()
    path = bench.root / "data/data/a"
    then = path.stat()
    path.write_text("x")
    os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))
    report = judged(bench, Place.WORKSPACE)
    assert [type(e) for e in report.errors] == [IntegrityError]
    assert (report.checked, report.exit_code) == (1, 4)


def test_a_damaged_blob_is_put_aside_and_told(bench: Workbench) -> None:
    locked(bench)
    blob = bench.blobs()[0]
    blob.chmod(0o644)
    blob.write_text("x")
    report = judged(bench, Place.CACHE)
    assert report.exit_code == 4
    assert len(bench.blobs()) == 1
    assert judged(bench, Place.CACHE).exit_code == 1
    bench.sync()
    assert judged(bench, Place.CACHE).exit_code == 0


def test_the_source_is_read_and_wrong_is_told_from_refused(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "1")
    remote.put("b", "2")
    bench.declare(data=remote.uri)
    bench.resolve(digest_all=True)
    remote.forwarder.clear()
    assert judged(bench, Place.REMOTE).exit_code == 0
    assert sorted(remote.reads()) == ["a", "b"]
    remote.forwarder.inject(access_denied(matches=reading("/a")))
    assert judged(bench, Place.REMOTE).exit_code == 3
    remote.forwarder.inject(RemoteFault(kind="corrupt", matches=reading("/b")))
    report = judged(bench, Place.REMOTE)
    assert report.exit_code == 4
    assert len(report.errors) == 2


def test_rows_without_a_digest_are_counted_as_weak(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "1")
    bench.declare(data=remote.uri)
    bench.resolve()
    bench.sync()
    report = judged(bench, Place.WORKSPACE)
    assert (report.checked, report.weak, report.exit_code) == (1, 1, 0)
    bench.write("data/data/a", "x")
    assert judged(bench, Place.WORKSPACE).exit_code == 4


# status


def test_the_state_of_every_file_is_told(bench: Workbench) -> None:
    for name in "abcde":
        bench.put_at(name, "1")
    bench.declare_files()
    bench.resolve()
    bench.sync()
    assert bench.status().is_clean
    bench.write("data/data/a", "mine")
    (bench.root / "data/data/b").unlink()
    (bench.root / "data/data/c").unlink()
    (bench.root / "data/data/c").mkdir()
    bench.write("data/data/c/mine", "x")
    bench.put(d="2")
    (bench.source / "e").unlink()
    bench.update()
    assert bench.status().paths() == [
        ("modified", "data/data/a"),
        ("missing", "data/data/b"),
        ("blocked", "data/data/c"),
        ("outdated", "data/data/d"),
        ("extra", "data/data/e"),
    ]


def test_a_question_writes_nothing(bench: Workbench) -> None:
    locked(bench)
    bench.sync()
    bench.write("data/data/a", "mine")
    before = {p: p.stat().st_mtime_ns for p in bench.root.rglob("*")}
    bench.status()
    check(bench.project())
    judged(bench, Place.WORKSPACE)
    digests(bench.project())
    assert {p: p.stat().st_mtime_ns for p in bench.root.rglob("*")} == before


# digest


def test_the_content_digest_is_location_free_and_needs_a_digest_of_each_row(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("one/a", "1")
    remote.put("two/a", "1")
    bench.declare(data=f"{remote.uri}one/")
    bench.resolve()
    weak = digests(bench.project())
    assert (weak.content, weak.weak) == (None, 1)
    bench.resolve(digest_all=True)
    one = digests(bench.project())
    bench.declare(data=f"{remote.uri}two/")
    bench.resolve(digest_all=True)
    two = digests(bench.project())
    assert one.content == two.content is not None
    assert one.pin != two.pin


# doctor


def said(found: Sequence[Diagnosis], subject: str) -> list[tuple[Health, str]]:
    return [(d.health, d.text) for d in found if d.subject == subject]


def test_the_doctor_names_what_fails_and_goes_on(bench: Workbench, remote: Remote) -> None:
    remote.put("a", "1")
    bench.put(a="1")
    bench.declare(
        board="labelbox://project/42",
        far=remote.uri,
        near=bench.files_uri,
        one=f"{remote.uri}a",
        void=f"{remote.uri}nothing/",
        web="http://127.0.0.1:9/a.json",
    )
    remote.forwarder.clear()
    project = bench.project()
    found = diagnose(project.runtime, project)
    assert said(found, "far")[0][0] is Health.OK
    assert said(found, "near")[0][0] is Health.OK
    assert said(found, "one")[0][0] is Health.OK
    assert said(found, "board") == [(Health.OK, "link to `labelbox://project/42`")]
    assert said(found, "void")[0][0] is Health.FAIL
    assert said(found, "web")[0][0] is Health.FAIL
    assert said(found, "git")[0][0] is Health.NOTE
    assert exit_code_of(found) == 3


def test_the_doctor_looks_at_git_and_trust(bench: Workbench) -> None:
    bench.put(a="1")
    bench.declare('profile = "prod"', data="s3://bucket/x/")
    subprocess.run(["git", "init", "-q", bench.root], check=True)
    bench.offline = True
    project = bench.project()
    found = diagnose(project.runtime, project)
    texts = [text for _, text in said(found, "git")]
    assert "`artifacts.toml` is not in git" in texts
    assert "`.artlock/` is not ignored by git" in texts
    assert said(found, "trust")[0][0] is Health.NOTE
    (bench.root / ".gitignore").write_text("/.artlock/\n")
    subprocess.run(["git", "-C", bench.root, "add", "artifacts.toml"], check=True)
    found = diagnose(project.runtime, project)
    assert [h for h, _ in said(found, "git")] == [Health.OK]


# revisions


def test_revisions_are_compared_row_by_row(bench: Workbench) -> None:
    bench.git("init", "-q")
    locked(bench)
    bench.git("add", "project")
    bench.git("commit", "-qm", "one")
    assert compare(bench.project()) == ()
    bench.put(a="changed")
    bench.update()
    assert [c.path for c in compare(bench.project())] == ["a"]
    bench.git("commit", "-qam", "two")
    assert [c.path for c in compare(bench.project(), "HEAD~1", "HEAD")] == ["a"]
    assert compare(bench.project(), "HEAD") == ()
    bench.lockfile.unlink()
    assert [str(c.kind) for c in compare(bench.project())] == ["D", "D", "D"]
    bench.git("commit", "-qam", "three")
    assert lockfile_at(bench.project(), "HEAD").artifacts == ()


def test_5_1_a_source_outside_of_the_policy_is_not_read(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "1")
    bench.declare(data=remote.uri)
    bench.resolve()
    bench.declare('[policy]\nallow = ["s3://elsewhere/"]\n', data=remote.uri)
    remote.forwarder.clear()
    with pytest.raises(PolicyError, match="outside"):
        judged(bench, Place.REMOTE)
    assert remote.forwarder.requests == ()
