from blake3 import blake3
from hypothesis import given

from artlock.formats.lockfile import format_lockfile, parse_lockfile
from artlock.model.lock import Lockfile
from artlock.model.registration import Labels, Run, lock_digest
from artlock.model.tokens import Trust
from tests.registrations import lockfile, registration, row, simple_lock, tree
from tests.strategies import lockfiles


@given(lockfiles())
def test_equal_locks_have_equal_digests(lock: Lockfile) -> None:
    text = format_lockfile(lock)
    assert lock_digest(format_lockfile(parse_lockfile(text))) == lock_digest(text)


def test_the_digest_is_that_of_the_file() -> None:
    text = registration(simple_lock()).text
    assert lock_digest(text) == f"blake3:{blake3(text).hexdigest()}"


def test_another_head_is_another_digest() -> None:
    rows = (row("a.txt"),)
    one = registration(lockfile(tree("a", *rows)))
    other = registration(lockfile(tree("a", *rows, uri="s3://bucket/b/")))
    assert one.digest != other.digest


def test_the_weakest_row_says_how_far_a_lock_is_trusted() -> None:
    strong, weak = row("a"), row("b", tokens="etag:1")
    assert lockfile(tree("a", strong), tree("b", strong)).trust is Trust.STRONG
    assert lockfile(tree("a", strong), tree("b", weak)).trust is Trust.ETAG
    assert lockfile(tree("a", row("a", tokens=""))).trust is Trust.NONE
    assert Lockfile().trust is Trust.NONE


def test_labels_are_true_if_there_are_some() -> None:
    assert not Labels()
    assert Labels(tags=("a",))
    assert Labels(meta=(("a", ""),))


def test_a_run_is_named_with_its_service() -> None:
    assert str(Run(id="7")) == "7"
    assert str(Run(id="7", service="comet")) == "comet:7"
