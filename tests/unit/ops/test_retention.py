from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from artlock.errors import AccessDeniedError, BucketNotFoundError, StoreUnavailableError
from artlock.model.retention import Fate, Retention, Since, Unread, Versioning
from artlock.ops import retention_words as words
from artlock.ops.retention import RetentionKind, RetentionReport, find_retention
from testbed.faults import access_denied, s3_error
from testbed.seaweedfs import SeaweedFS
from tests.unit.ops.remotes import Remote, new_prefix
from tests.unit.ops.workbench import Workbench

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import LifecycleRuleTypeDef

NOW = datetime(2030, 1, 1, tzinfo=UTC)
MakeRemote = Callable[[str], Remote]


@pytest.fixture
def locking(remote: Remote, locking_bucket: str) -> Remote:
    """Return a tree in a bucket that can lock versions, and has a rule for old ones."""
    return Remote(remote.client, locking_bucket, new_prefix(), remote.forwarder)


@pytest.fixture(scope="module")
def locking_bucket(seaweedfs: SeaweedFS) -> str:
    name = f"ops-locking-{new_prefix()}"
    seaweedfs.create_bucket(name, None, locks=True)
    set_rule(seaweedfs.client(), name, "")
    return name


@pytest.fixture
def expiring(remote: Remote) -> Iterator[Remote]:
    """Return a tree with versions that a rule deletes when they are old."""
    set_rule(remote.client, remote.bucket, f"{remote.prefix}/")
    yield remote
    remote.client.delete_bucket_lifecycle(Bucket=remote.bucket)


def set_rule(client: "S3Client", bucket: str, prefix: str) -> None:
    rule: LifecycleRuleTypeDef = {
        "ID": "old",
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
    }
    client.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [rule]}
    )


def retention(bench: Workbench, now: datetime = NOW) -> RetentionReport:
    return find_retention(bench.project(), now=now)


def counted(report: RetentionReport) -> dict[str, tuple[int, int]]:
    return {str(f.kind): (f.objects, f.size) for f in report.findings}


def test_1_15_a_bucket_is_asked_once_however_much_lies_in_it(
    bench: Workbench, expiring: Remote
) -> None:
    for number in range(20):
        expiring.put(f"{number}", "locked")
    bench.declare(one=expiring.uri, two=f"{expiring.uri}1")
    bench.resolve()
    expiring.forwarder.clear()
    report = retention(bench)
    assert [(f.artifact, f.objects, f.size) for f in report.findings] == [
        ("one", 20, 120),
        ("two", 1, 6),
    ]
    assert (report.exit_code, report.objects, report.at_risk) == (1, 21, 21)
    assert expiring.forwarder.count() == 3
    assert bench.notices.texts == []


def test_1_16_a_term_protects_until_it_ends(bench: Workbench, locking: Remote) -> None:
    ends = {"soon": NOW + timedelta(days=1), "later": NOW + timedelta(days=90)}
    for path, end in ends.items():
        locking.put(path, "locked")
        locking.client.put_object_retention(
            Bucket=locking.bucket,
            Key=f"{locking.prefix}/{path}",
            Retention={"Mode": "GOVERNANCE", "RetainUntilDate": end},
        )
    bench.declare(data=locking.uri)
    bench.resolve()
    report = retention(bench)
    (finding,) = report.findings
    assert (finding.kind, finding.objects) == (RetentionKind.PROTECTED, 2)
    assert finding.date == ends["soon"]
    assert "the first until 2030-01-02" in finding.text
    assert (report.exit_code, report.at_risk) == (0, 0)
    afterwards = retention(bench, ends["soon"] + timedelta(seconds=1))
    assert counted(afterwards) == {"expires": (1, 6), "protected": (1, 6)}
    assert (afterwards.exit_code, afterwards.at_risk) == (1, 1)
    assert retention(bench, ends["later"]).at_risk == 2


def test_1_16_only_versions_at_risk_are_asked_for(
    bench: Workbench, locking: Remote
) -> None:
    for path in ("a", "b", "c"):
        locking.put(path, "locked")
    bench.declare(data=locking.uri)
    bench.resolve()
    locking.forwarder.clear()
    retention(bench)
    assert locking.asked("HEAD") == 3
    locking.forwarder.clear()
    locking.forwarder.inject(
        s3_error(
            404,
            "NoSuchLifecycleConfiguration",
            matches=lambda _m, _p, query: query.startswith("lifecycle"),
        )
    )
    assert retention(bench).exit_code == 0
    assert locking.asked("HEAD") == 0


def test_a_store_that_breaks_off_is_a_failure_and_no_loss(
    bench: Workbench, locking: Remote
) -> None:
    locking.put("a", "locked")
    bench.declare(data=locking.uri)
    bench.resolve()
    locking.forwarder.inject(
        s3_error(503, "SlowDown", matches=lambda method, _p, _q: method == "HEAD")
    )
    report = retention(bench)
    assert report.findings == ()
    assert isinstance(report.errors[0], StoreUnavailableError)
    assert report.exit_code == 3


def test_4_9_a_source_that_cannot_be_asked_does_not_hide_the_others(
    bench: Workbench, expiring: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    expiring.put("a", "locked")
    bench.put(a="1")
    bench.declare(far=expiring.uri, near=bench.files_uri, board="labelbox://project/42")
    bench.resolve()
    expiring.forwarder.inject(
        s3_error(404, "NoSuchBucket", matches=lambda _m, _p, query: "lifecycle" in query)
    )
    report = retention(bench)
    assert counted(report) == {"not-kept": (1, 1)}
    assert isinstance(report.errors[0], BucketNotFoundError)
    assert (report.exit_code, report.objects) == (3, 0)
    expiring.forwarder.heal()
    expiring.forwarder.inject(access_denied())
    assert counted(retention(bench)) == {"unknown": (1, 6), "not-kept": (1, 1)}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    expiring.forwarder.heal()
    expiring.forwarder.inject(s3_error(403, "InvalidAccessKeyId"))
    report = retention(bench)
    assert isinstance(report.errors[0], AccessDeniedError)
    assert report.exit_code == 3


def test_what_is_not_locked_yet_is_not_judged(bench: Workbench) -> None:
    bench.declare_files()
    bench.put(a="1")
    bench.resolve()
    bench.declare(data=bench.files_uri, later=f"{bench.files_uri}a")
    assert counted(retention(bench)) == {"not-kept": (1, 1)}


REPLACED = Fate(rules=("r",), since=Since.REPLACED, days=30)


@pytest.mark.parametrize(
    ("fate", "text"),
    [
        (REPLACED, "is lost 30 days after it is replaced or deleted (lifecycle rule `r`)"),
        (
            Fate(rules=("r",), since=Since.REPLACED, least_days=5),
            "is lost when it is replaced or deleted, once it is 5 days old (lifecycle rule "
            "`r`)",
        ),
        (
            Fate(rules=("r",), since=Since.REPLACED, days=1, newer=1),
            "is lost 1 day after it is replaced or deleted, once 1 newer version is there "
            "(lifecycle rule `r`)",
        ),
        (
            Fate(rules=("a", "b"), days=1000, newer=2),
            "is lost 1,000 days after it was written, once 2 newer versions are there "
            "(lifecycle rules `a` and then `b`)",
        ),
        (
            Fate(rules=("r",), since=Since.DATE, date=NOW),
            "is lost on 2030-01-01, even if nobody touches it (lifecycle rule `r`)",
        ),
        (
            Fate(rules=("r",), since=Since.DATE, date=NOW, days=2, provided=("is x", "y")),
            "is lost 2 days after 2030-01-01, even if nobody touches it, if it is x and y "
            "(lifecycle rule `r`)",
        ),
        (
            Fate(rules=("r",), archives_to="GLACIER", days=9),
            "must be restored from GLACIER before it can be read, 9 days after it was "
            "written, even if nobody touches it (lifecycle rule `r`)",
        ),
    ],
)
def test_a_fate_is_told_in_words(fate: Fate, text: str) -> None:
    assert words.fate_text(fate) == text


def test_1_38_what_helps_depends_on_what_is_there() -> None:
    off, on = Retention(versioning=Versioning.OFF), Retention(versioning=Versioning.ON)
    assert words.overwritable_hint(off, has_versions=True).startswith(
        "switch versioning on, or"
    )
    assert "write the objects once more" in words.overwritable_hint(off, has_versions=False)
    assert "versioning" not in words.overwritable_hint(on, has_versions=False)
    assert words.protected_text([NOW], held=2).endswith("; 2 without a term")


def test_the_gravest_kind_decides() -> None:
    codes = {str(kind): kind.exit_code for kind in RetentionKind}
    assert codes == {
        "expires": 1,
        "overwritable": 1,
        "not-kept": 0,
        "gone": 1,
        "archives": 0,
        "protected": 0,
        "unknown": 3,
    }
    assert Unread("x", "y").only_protects is False
