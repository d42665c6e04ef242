"""cache, edit, fmt, repair, trust: what keeps a project and a machine in order."""

import os
import shutil
from pathlib import Path

import pytest

from artlock.errors import (
    CacheError,
    ConfigError,
    LockfileError,
    ManifestError,
    ObjectNotFoundError,
    StoreUnavailableError,
    WorkspaceError,
)
from artlock.formats.lockfile import parse_lockfile
from artlock.formats.trust import trust_path
from artlock.ops import edit
from artlock.ops.cache import cache_usage, prune_cache, verify_cache
from artlock.ops.check import check
from artlock.ops.doctor import Health, diagnose, exit_code_of
from artlock.ops.edit import Addition, add, project_name, remove, start_project
from artlock.ops.fmt import canonicalize
from artlock.ops.project import Project
from artlock.ops.repair import read_with_markers
from artlock.ops.resolve import resolve
from artlock.ops.sources import Sources
from artlock.ops.trusting import is_trusted, set_trust, trust_report
from tests.unit.ops.workbench import Workbench


def locked(bench: Workbench, **files: str) -> None:
    bench.put(**(files or {"a": "1", "b": "2"}))
    bench.declare_files()
    bench.update(allow_shrink=True)


# cache


def pruned(bench: Workbench, *, max_size: int | None = None, grace_s: float = 0.0) -> int:
    found, _ = prune_cache(
        bench.project().runtime, max_size=max_size, grace_s=grace_s, dry_run=False
    )
    return len(found.removed)


def test_3_17_what_a_project_locks_is_never_pruned(bench: Workbench) -> None:
    locked(bench)
    bench.sync()
    assert pruned(bench, max_size=0) == 0
    assert bench.cached() == {"1", "2"}


def test_3_17_what_another_project_needs_stays(bench: Workbench, tmp_path: Path) -> None:
    locked(bench)
    bench.sync()
    other = Workbench(tmp_path / "other")
    bench.cache.mkdir(mode=0o700, exist_ok=True)
    other.cache.symlink_to(bench.cache)
    other.put(c="3")
    other.declare_files()
    other.resolve()
    other.sync()
    shutil.rmtree(bench.source)
    bench.declare()
    bench.resolve()
    bench.sync()
    assert pruned(other) == 2
    assert other.cached() == {"3"}


def test_what_is_in_a_workspace_stays_although_the_lockfile_moved_on(
    bench: Workbench,
) -> None:
    locked(bench, a="1")
    bench.sync()
    locked(bench, a="2")
    assert pruned(bench) == 0
    bench.sync()
    assert pruned(bench) == 1
    assert bench.cached() == {"2"}


def test_what_was_used_lately_stays(bench: Workbench) -> None:
    locked(bench, a="1")
    bench.sync()
    locked(bench, a="2")
    bench.sync()
    assert pruned(bench, grace_s=3600) == 0
    assert bench.cached() == {"1", "2"}


def test_rows_without_a_digest_need_what_is_in_the_workspace(bench: Workbench) -> None:
    locked(bench, a="1")
    bench.sync()
    usage = cache_usage(bench.project().runtime)
    assert (usage.blobs, usage.blob_size) == (1, 1)


def test_3_17_a_project_that_is_not_there_stops_the_pruning(
    bench: Workbench, tmp_path: Path
) -> None:
    other = Workbench(tmp_path / "other")
    bench.cache.mkdir(mode=0o700, exist_ok=True)
    other.cache.symlink_to(bench.cache)
    locked(other)
    other.sync()
    runtime = other.project().runtime
    other.root.rename(tmp_path / "unmounted")
    with pytest.raises(CacheError, match="is not there now"):
        prune_cache(runtime, max_size=None, grace_s=0, dry_run=False)
    assert bench.cached() == {"1", "2"}


def test_a_lockfile_that_cannot_be_read_stops_the_pruning(bench: Workbench) -> None:
    locked(bench)
    bench.sync()
    bench.lockfile.write_text("nonsense")
    with pytest.raises(CacheError, match="nobody knows what it needs"):
        pruned(bench)
    assert bench.cached() == {"1", "2"}


def test_every_blob_is_read_and_damaged_ones_are_put_aside(bench: Workbench) -> None:
    locked(bench)
    assert verify_cache(bench.project().runtime).intact == 2
    blob = bench.blobs()[0]
    blob.chmod(0o644)
    blob.write_text("x")
    found = verify_cache(bench.project().runtime)
    assert (found.intact, len(found.damaged)) == (1, 1)
    assert len(bench.blobs()) == 1


# edit


def test_a_failed_addition_leaves_both_files(bench: Workbench) -> None:
    locked(bench)
    before = [(bench.root / n).read_bytes() for n in ("artifacts.toml", "artifacts.lock")]
    runtime = bench.project().runtime
    with pytest.raises(ObjectNotFoundError):
        add(bench.root, runtime, Addition(uri="file:///no/where/"))
    with pytest.raises(ManifestError):
        add(bench.root, runtime, Addition(uri=bench.files_uri, name="No Name"))
    assert before == [
        (bench.root / n).read_bytes() for n in ("artifacts.toml", "artifacts.lock")
    ]


def test_a_lockfile_that_cannot_be_written_takes_the_manifest_back(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked(bench)
    before = (bench.root / "artifacts.toml").read_bytes()

    def full(*_: object, **__: object) -> bool:
        message = "full"
        raise WorkspaceError(message)

    monkeypatch.setattr(Project, "write_lockfile", full)
    with pytest.raises(WorkspaceError, match="full"):
        add(bench.root, bench.project().runtime, Addition(uri=bench.files_uri, name="x"))
    assert (bench.root / "artifacts.toml").read_bytes() == before


def test_artifacts_come_and_go(bench: Workbench) -> None:
    locked(bench)
    runtime = bench.project().runtime
    name, resolution = add(bench.root, runtime, Addition(uri=f"{bench.files_uri}a"))
    assert name == "a"
    assert resolution is not None
    assert resolution.written
    remove(bench.project(), ["a", "data", "a"])
    assert bench.lock().artifacts == ()
    with pytest.raises(ManifestError):
        remove(bench.project(), ["a"])


@pytest.mark.parametrize(
    ("text", "name"),
    [("My Data!", "my-data"), ("..", "data"), ("été", "t"), ("a_b.c", "a_b.c")],
)
def test_names_are_made_valid(text: str, name: str) -> None:
    assert project_name(text) == name


def test_a_project_starts_with_files_that_are_valid(tmp_path: Path) -> None:
    written = start_project(tmp_path)
    assert written == ("artifacts.toml", ".gitattributes", ".gitignore")
    with pytest.raises(ManifestError, match="already"):
        start_project(tmp_path)
    with pytest.raises(WorkspaceError):
        start_project(tmp_path / "nowhere")


def test_lines_that_git_has_are_not_repeated(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("/data/\nno newline")
    start_project(tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "/data/\nno newline\n/.artlock/\n"
    assert edit._add_lines(tmp_path / ".gitignore", ["/data/"]) is False


# fmt


def test_what_is_not_valid_is_not_rewritten(tmp_path: Path) -> None:
    for name, error in (("artifacts.toml", ManifestError), ("x.lock", LockfileError)):
        path = tmp_path / name
        path.write_bytes(b"[[artifact\n")
        with pytest.raises(error):
            canonicalize(path, write=True)
        assert path.read_bytes() == b"[[artifact\n"
    (tmp_path / "latin.toml").write_bytes(b"\xe9")
    with pytest.raises(ConfigError, match="not UTF-8: byte 0"):
        canonicalize(tmp_path / "latin.toml", write=True)


# repair

HEAD = """\
# This file is @generated by artlock. Do not edit it by hand; run `artlock resolve`.
version = 1
revision = 0
columns = ["path","size","checksum","version"]

[[artifact]]
name = "data"
uri = "s3://b/d/"
kind = "tree"
objects = [
"""
KEPT = '["k",1,"etag:k","1"],\n'
MARKED = f"""{HEAD}["a",1,"etag:a","1"],
<<<<<<< HEAD
["b",1,"etag:b","1"],
||||||| base
=======
["c",1,"etag:c","1"],
>>>>>>> other
{KEPT}]
"""


def test_3_27_rows_that_both_sides_have_stay_and_the_artifact_is_disputed() -> None:
    repaired = read_with_markers(MARKED.encode())
    (artifact,) = repaired.lock.artifacts
    assert [row.path for row in artifact.objects] == ["a", "k"]
    assert repaired.disputed == {"data"}


def test_3_27_a_lockfile_without_markers_is_read_as_it_is() -> None:
    text = f"{HEAD}{KEPT}]\n".encode()
    repaired = read_with_markers(text)
    assert (repaired.lock, repaired.disputed) == (parse_lockfile(text), frozenset())


@pytest.mark.parametrize("lost", ["=======\n", ">>>>>>> other\n"])
def test_3_27_markers_that_do_not_pair_are_refused(lost: str) -> None:
    with pytest.raises(LockfileError):
        read_with_markers(MARKED.replace(lost, "").encode())


def test_3_27_resolve_asks_disputed_sources_again(bench: Workbench) -> None:
    bench.put(a="1", b="2")
    bench.declare(calm=bench.files_uri, data=bench.files_uri)
    bench.resolve()
    text = bench.lockfile.read_text()
    start = text.index('["a"', text.index('name = "data"'))
    ours, rest = (
        text[start : text.index("\n", start) + 1],
        text[text.index("\n", start) + 1 :],
    )
    theirs = ours.replace("blake3:", "blake3:").replace(ours[20:24], "0000")
    bench.lockfile.write_text(
        f"{text[:start]}<<<<<<< HEAD\n{ours}=======\n{theirs}>>>>>>> other\n{rest}"
    )
    with pytest.raises(LockfileError, match="conflict markers"):
        bench.lock()
    assert bench.resolve().listed == ("data",)
    assert bench.lockfile.read_text() == text


# trust

TRUSTED = 'profile = "prod"'


def test_a_yes_holds_for_exactly_these_settings(bench: Workbench) -> None:
    bench.declare(TRUSTED, data="s3://bucket/x/")
    assert not is_trusted(bench.project())
    set_trust(bench.project(), trusted=True)
    assert is_trusted(bench.project())
    bench.declare(TRUSTED, data="s3://another/x/")
    assert not is_trusted(bench.project())
    bench.declare('profile = "admin"', data="s3://bucket/x/")
    assert not is_trusted(bench.project())
    bench.declare(TRUSTED, data="s3://bucket/x/")
    assert is_trusted(bench.project())
    set_trust(bench.project(), trusted=False)
    assert not is_trusted(bench.project())


def test_a_yes_is_of_one_checkout(bench: Workbench, tmp_path: Path) -> None:
    bench.declare(TRUSTED, data="s3://bucket/x/")
    set_trust(bench.project(), trusted=True)
    other = Workbench(tmp_path / "other")
    other.declare(TRUSTED, data="s3://bucket/x/")
    assert not is_trusted(other.project())


def test_the_environment_trusts_hosts_without_writing_anything(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.declare('endpoint = "https://minio.example:9000"', data="s3://bucket/x/")
    monkeypatch.setenv("ARTLOCK_TRUST", "minio.example")
    report = trust_report(bench.project())
    assert (report.trusted, report.by_environment) == (False, report.settings)
    assert not trust_path(os.environ).exists()


def test_a_project_that_asks_for_nothing_is_trusted(bench: Workbench) -> None:
    bench.declare_files()
    assert is_trusted(bench.project())


@pytest.mark.parametrize("mode", [0o666, 0o620])
def test_5_4_a_trust_file_that_others_can_write_is_refused(
    bench: Workbench, mode: int
) -> None:
    bench.declare(TRUSTED, data="s3://bucket/x/")
    set_trust(bench.project(), trusted=True)
    path = trust_path(os.environ)
    assert path.stat().st_mode & 0o022 == 0
    path.chmod(mode)
    with pytest.raises(ConfigError, match="could have been written by others"):
        is_trusted(bench.project())


# two at once, and what git delivers


def test_what_is_typed_into_the_manifest_during_an_add_stays(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked(bench)
    real = resolve
    manifest = bench.root / "artifacts.toml"

    def slow(project: Project, names: list[str], *, write: bool) -> object:
        found = real(project, names, write=write)
        manifest.write_text(manifest.read_text() + "# typed meanwhile\n")
        return found

    monkeypatch.setattr(edit, "resolve", slow)
    before, lock = manifest.read_text(), bench.lockfile.read_bytes()
    with pytest.raises(WorkspaceError, match="changed while this command ran") as caught:
        add(bench.root, bench.project().runtime, Addition(uri=bench.files_uri + "a"))
    assert caught.value.hint == "run it again"
    assert manifest.read_text() == before + "# typed meanwhile\n"
    assert bench.lockfile.read_bytes() == lock


def test_of_two_adds_at_once_none_is_lost(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked(bench)
    runtime = bench.project().runtime
    real = resolve

    def slow(project: Project, names: list[str], *, write: bool) -> object:
        monkeypatch.setattr(edit, "resolve", real)
        found = real(project, names, write=write)
        add(bench.root, runtime, Addition(uri=bench.files_uri + "b", name="second"))
        return found

    monkeypatch.setattr(edit, "resolve", slow)
    first = Addition(uri=bench.files_uri + "a", name="first")
    with pytest.raises(WorkspaceError):
        add(bench.root, runtime, first)
    add(bench.root, runtime, first)
    names = {a.name for a in bench.project().manifest.artifacts}
    assert {"first", "second"} < names
    assert {a.name for a in bench.lock().artifacts} == names


def test_a_manifest_that_was_changed_since_is_not_taken_back(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked(bench)
    manifest = bench.root / "artifacts.toml"
    before = manifest.read_text()

    def add_with(typed: str) -> None:
        def fail(_self: Project, *_: object, **__: object) -> bool:
            manifest.write_text(manifest.read_text() + typed)
            message = "the disk is full"
            raise WorkspaceError(message)

        monkeypatch.setattr(Project, "write_lockfile", fail)
        with pytest.raises(WorkspaceError, match="disk is full"):
            add(bench.root, bench.project().runtime, Addition(uri=bench.files_uri + "a"))

    add_with("")
    assert manifest.read_text() == before
    add_with("# typed\n")
    assert manifest.read_text().endswith("# typed\n")


@pytest.mark.parametrize("kind", ["link", "dangling", "file"])
def test_2_12_a_state_folder_that_is_none_is_refused_before_anything_is_written(
    bench: Workbench, tmp_path: Path, kind: str
) -> None:
    bench.put(a="1")
    bench.declare_files()
    outside = tmp_path / "outside"
    if kind == "file":
        bench.project().state.write_text("mine")
    else:
        bench.project().state.symlink_to(outside)
    if kind == "link":
        outside.mkdir()
        (outside / "mutex").write_text("mine")
    for deed in (bench.resolve, bench.sync):
        with pytest.raises((WorkspaceError, LockfileError)) as caught:
            deed()
        if deed == bench.resolve:
            assert "`.artlock` is in the way" in str(caught.value)
    assert not bench.lockfile.exists()
    assert (
        [p.read_text() for p in outside.iterdir()] == ["mine"] if kind == "link" else True
    )


def test_a_relative_path_is_one_from_the_folder_in_which_it_is_typed(
    bench: Workbench,
) -> None:
    bench.declare()
    for name in ("sub/here/deep", "sub/x y"):
        (bench.root / name).mkdir(parents=True)
        (bench.root / name / "f").write_text("1")
    runtime = bench.project().runtime
    typed = {
        "here/": "sub/here/",
        "../sub/here/deep/": "sub/here/deep/",
        "x y/": "sub/x y/",
    }
    for uri in typed:
        add(bench.root / "sub", runtime, Addition(uri=uri))
    assert {str(a.uri) for a in bench.project().manifest.artifacts} == set(typed.values())
    with pytest.raises(ManifestError, match="inside of the project"):
        add(bench.root / "sub", runtime, Addition(uri="../../elsewhere/"))
    add(bench.root / "sub", runtime, Addition(uri="labelbox:42", name="board"))
    board = bench.project().manifest.get("board")
    assert board is not None
    assert str(board.uri) == "labelbox:42"


# what answers for a source


def test_an_identity_names_what_steers_and_holds_no_secret(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def identity(uri: str, *settings: str) -> str:
        bench.declare("\n".join(settings), x=uri)
        project = bench.project()
        set_trust(project, trusted=True)
        with Sources(project) as sources:
            found = sources.identity(project.manifest.artifacts[0])
        assert found is not None
        return found

    seen = [
        identity("s3://bucket/x"),
        identity("s3://bucket/x", 'region = "eu-west-1"'),
        identity("s3://bucket/x", 'ca-bundle = "ca.pem"'),
    ]
    for name in ("AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "jos\udce9")
        seen.append(identity("s3://bucket/x"))
    for token in ("5ecre7", "another"):
        monkeypatch.setenv("TOKEN", token)
        header = 'headers = { X-Token = "${TOKEN}" }'
        seen.append(identity("https://example.com/x", header))
    seen.append(identity("https://example.com/x"))
    assert len(set(seen)) == len(seen)
    assert not any("5ecre7" in text for text in seen)


# what a person is told


def test_check_knows_the_way_out_of_a_missing_version(bench: Workbench) -> None:
    bench.put(a="1")
    bench.declare_files(head="[policy]\nrequire-version-ids = true")
    bench.resolve()
    hints = [finding.hint for finding in check(bench.project()).findings]
    assert hints == [
        "switch on versioning at the source and run `artlock update`, or drop the key"
    ]


def test_doctor_gets_along_without_git(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    locked(bench)
    monkeypatch.setenv("PATH", str(tmp_path))
    project = bench.project()
    found = diagnose(project.runtime, project)
    assert [d.health for d in found if d.subject == "git"] == [Health.NOTE]
    assert exit_code_of(found) == 0


def test_an_offline_run_that_needs_the_network_is_told_how(tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "offline", offline=True)
    bench.declare(x="https://example.com/x")
    with pytest.raises(StoreUnavailableError) as caught:
        bench.resolve()
    assert caught.value.hint == "leave out `--offline`"
    assert "try again" in str(StoreUnavailableError("cut", uri="s3://b/x").hint)
