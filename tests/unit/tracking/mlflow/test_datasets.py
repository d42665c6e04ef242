import msgspec
import pytest
from mlflow.data import get_source

from artlock.model.lock import Kind, LockedArtifact, pin_digest
from artlock.model.manifest import Declaration
from artlock.model.uri import Uri
from artlock.tracking.mlflow import datasets
from tests.registrations import lockfile, registration, row, simple_lock, tree


def test_every_source_is_one_that_mlflow_parses() -> None:
    web = LockedArtifact(
        name="web",
        declared=Declaration(uri=Uri.parse("https://host/a.bin")),
        kind=Kind.FILE,
        objects=(row("a.bin"),),
    )
    here = tree("here", row("a"), uri="raw/")
    local = tree("local", row("a"), uri="file:///srv/data/")
    for lock in (simple_lock(), lockfile(here, local, web)):
        for one in datasets.datasets_of(registration(lock)):
            assert get_source(one.dataset) is not None
            assert len(one.dataset.digest) == 36


def test_equal_rows_elsewhere_are_another_dataset() -> None:
    here, there = (
        list(datasets.datasets_of(registration(lockfile(tree("val", row("a"), uri=uri)))))
        for uri in ("s3://one/", "s3://two/")
    )
    assert [one.dataset.name for one in here] == ["lock:data", "val"]
    for one, other in zip(here, there, strict=True):
        assert one.dataset.digest != other.dataset.digest


def test_a_tree_and_a_file_with_equal_pins_are_two_datasets() -> None:
    folder = tree("val", row("a.bin"), uri="s3://bucket/val/")
    file = LockedArtifact(
        name="val",
        declared=Declaration(uri=Uri.parse("s3://bucket/val/a.bin")),
        kind=Kind.FILE,
        objects=folder.objects,
    )
    locks = lockfile(folder), lockfile(file)
    assert pin_digest(locks[0]) == pin_digest(locks[1])
    one, other = (list(datasets.datasets_of(registration(lock)))[1] for lock in locks)
    assert one.dataset.source != other.dataset.source
    assert one.dataset.digest != other.dataset.digest


def test_a_claim_says_which_run() -> None:
    claim = datasets.claim_of("data", "v3", "abc").dataset
    assert (claim.name, claim.digest) == ("claim:data", "v3")
    assert msgspec.json.decode(claim.source) == {"tags": {"artlock.run": "abc"}}
    digest = registration(simple_lock()).digest
    assert datasets.digest_key(digest, 999) != datasets.digest_key(digest, 1)
    assert len(datasets.digest_key(digest, 999)) <= 36


@pytest.mark.parametrize("name", ["x" * 501, "val"])
def test_what_is_too_long_is_a_problem(name: str) -> None:
    uri = "s3://bucket/" + ("x" * 65_530 if name == "val" else "") + "/"
    sent = registration(lockfile(tree(name, row("a"), uri=uri)))
    assert datasets.problem_with(sent) is not None
    assert datasets.problem_with(registration(simple_lock())) is None
