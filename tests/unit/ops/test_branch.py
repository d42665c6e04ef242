"""What a branch changed, judged without a source; the transcripts ask sources."""

import subprocess

import pytest
from msgspec.structs import replace

from artlock.errors import ManifestError
from artlock.formats.lockfile import format_lockfile
from artlock.model.lock import Kind, LockedArtifact, LockedObject, Lockfile
from artlock.model.manifest import Declaration
from artlock.model.uri import Uri
from artlock.ops.branch import BranchReport, check_branch
from artlock.ops.spots import Spot, Spots
from tests.unit.ops.workbench import Workbench

ONE, TWO = ("md5:" + digit * 32 for digit in "12")


def tree(name: str, **rows: tuple[str, str]) -> LockedArtifact:
    return LockedArtifact(
        name=name,
        declared=Declaration(uri=Uri.parse("s3://bucket/p/")),
        kind=Kind.TREE,
        objects=tuple(LockedObject(p, 3, *row) for p, row in rows.items()),
    )


def judged(
    bench: Workbench, before: LockedArtifact | None, *after: LockedArtifact
) -> BranchReport:
    """Commit one lockfile, and judge another by it."""
    if before is not None:
        bench.lockfile.write_bytes(format_lockfile(Lockfile(artifacts=(before,))))
    commit = ["commit", "-q", "--allow-empty", "-m", "one"]
    for command in (["init", "-q"], ["add", "."], commit):
        subprocess.run(["git", *command], cwd=bench.root, check=True)
    bench.declare(**{artifact.name: "s3://bucket/p/" for artifact in after})
    bench.lockfile.write_bytes(format_lockfile(Lockfile(artifacts=after)))
    return check_branch(bench.project(), "HEAD", offline=True)


def told(report: BranchReport) -> list[tuple[str, str]]:
    return [(str(finding.fault), finding.path) for finding in report.findings]


def test_5_2_another_name_for_an_artifact_is_no_reason_to_believe_another_checksum(
    bench: Workbench,
) -> None:
    bench.declare(data="s3://bucket/p/")
    before = tree("data", x=(ONE, "v1"), y=(ONE, "v1"))
    report = judged(bench, before, tree("other", x=(TWO, "v1"), y=(ONE, "v1")))
    assert told(report) == [("altered", "x")]
    assert (report.exit_code, report.changed, report.asked) == (4, 2, 0)


def test_an_object_elsewhere_has_versions_of_its_own(bench: Workbench) -> None:
    bench.declare(data="s3://bucket/p/")
    after = tree("data", x=(TWO, "v1"))
    moved = replace(after.declared, uri=Uri.parse("s3://elsewhere/p/"))
    report = judged(bench, tree("data", x=(ONE, "v1")), replace(after, declared=moved))
    assert told(report) == []


def test_a_digest_more_is_no_contradiction(bench: Workbench) -> None:
    bench.declare(data="s3://bucket/p/")
    strong = f"blake3:{'a' * 64} {ONE}"
    report = judged(bench, tree("data", x=(ONE, "v1")), tree("data", x=(strong, "v1")))
    assert (told(report), report.changed, report.exit_code) == ([], 1, 0)


def test_5_2_another_algorithm_is_no_way_to_say_something_else(bench: Workbench) -> None:
    bench.declare(data="s3://bucket/p/")
    after = tree("data", x=(f"blake3:{'7' * 64}", "v1"))
    assert told(judged(bench, tree("data", x=(ONE, "v1")), after)) == [("altered", "x")]


def test_5_2_a_row_that_stays_hides_no_other_of_the_same_object(bench: Workbench) -> None:
    bench.declare(data="s3://bucket/p/")
    report = judged(
        bench,
        tree("data", x=(ONE, "v1")),
        tree("data", x=(ONE, "v1")),
        tree("more", x=(TWO, "v1")),
    )
    assert [(f.artifact, f.fault) for f in report.findings] == [("more", "altered")]
    assert (report.changed, report.declared) == (1, 1)


def test_5_2_rows_below_another_uri_are_other_rows(bench: Workbench) -> None:
    bench.declare(data="s3://bucket/p/")
    rows = tree("data", x=(ONE, "v1"), y=(ONE, "v1"))
    moved = replace(rows.declared, uri=Uri.parse("s3://elsewhere/p/"))
    report = judged(bench, rows, replace(rows, declared=moved))
    assert (told(report), report.changed, report.declared) == ([], 2, 1)


def test_what_only_goes_is_counted(bench: Workbench) -> None:
    bench.declare(data="s3://bucket/p/")
    before = tree("data", x=(ONE, "v1"), y=(ONE, "v1"))
    report = judged(bench, before, tree("data", x=(ONE, "v1")))
    assert (report.changed, report.removed, report.declared) == (0, 1, 0)


def test_a_past_without_a_project_holds_nobody(bench: Workbench) -> None:
    report = judged(bench, None, tree("data", x=(ONE, "v1")))
    assert (told(report), report.changed) == ([], 1)


def test_5_8_a_policy_that_nobody_can_read_is_no_licence(bench: Workbench) -> None:
    (bench.root / "artifacts.toml").write_text("[policy]\nallow = 7\n")
    with pytest.raises(ManifestError, match="policy of `HEAD` is not known") as caught:
        judged(bench, None, tree("data", x=(ONE, "v1")))
    assert caught.value.exit_code == 2


def test_what_is_wrong_is_shown_in_the_file_that_has_it(bench: Workbench) -> None:
    bench.declare(data="s3://bucket/p/")
    judged(bench, None, tree("data", x=(ONE, "v1"), y=(ONE, "v1")))
    spots = Spots(bench.project())
    assert spots.of("data", "y") == Spot("artifacts.lock", 12)
    assert spots.of("data").file == "artifacts.toml"
    assert spots.of("gone") == Spot("artifacts.lock", 1)
    assert spots.of("") == Spot("artifacts.lock", 1)
