"""comet.plan: what Comet's client may fetch, and what goes as a plain link."""

from urllib.parse import urlparse

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artlock.model.lock import Kind, LockedArtifact, LockedObject, Lockfile
from artlock.model.manifest import Declaration
from artlock.model.uri import Uri
from artlock.tracking.comet.messages import AssetMetadata
from artlock.tracking.comet.plan import Plan, Reason, Unversioned, plan_of, row_of
from tests.registrations import row, simple_lock, tree
from tests.strategies import lockfiles


def plan(lock: Lockfile, unversioned: Unversioned = Unversioned.LINK) -> Plan:
    return plan_of(lock, each=False, unversioned=unversioned)


def reason_for(uri: str, version: str = "v") -> str | None:
    """Return why the one object of an artifact goes as a link."""
    artifact = LockedArtifact(
        name="one",
        declared=Declaration(uri=Uri.parse(uri)),
        kind=Kind.FILE,
        objects=(LockedObject("file", 1, "etag:x", version),),
    )
    (asset,) = plan(Lockfile(artifacts=(artifact,))).assets
    assert asset.link == uri
    assert (asset.metadata.synced is None) == bool(plan_warnings(artifact))
    return asset.metadata.artlock_reason


def plan_warnings(artifact: LockedArtifact) -> tuple[str, ...]:
    return plan(Lockfile(artifacts=(artifact,))).warnings


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("s3://bucket/plain.bin", None),
        ("s3://bucket/a b;c&d=e%20f'\"/caf\u00e9", None),
        ("s3://bucket/a#b", Reason.CUT),
        ("s3://bucket/a?b", Reason.CUT),
        ("s3://bucket/a#", Reason.CUT),
        ("s3://Bucket/a", Reason.BUCKET),
        ("s3://buck:et/a", Reason.BUCKET),
        ("s3://[bucket/a", Reason.BUCKET),
        ("s3://buc\u212aet/a", Reason.BUCKET),
        ("gs://bucket/a#b", Reason.CUT),
    ],
)
def test_a_key_that_its_parser_takes_apart_is_a_link(uri: str, reason: str | None) -> None:
    version = "17" if uri.startswith("gs") else "v"
    assert reason_for(uri, version) == reason


def test_a_directory_marker_is_a_link() -> None:
    lock = Lockfile(artifacts=(tree("val", row("folder/", version="v")),))
    (asset,) = plan(lock).assets
    assert asset.metadata.artlock_reason == Reason.MARKER


def test_a_generation_is_a_number() -> None:
    assert reason_for("gs://b/k", "1795420764192579") is None
    for version in ("v1", "-1", "1.5", "\u0661"):
        assert reason_for("gs://b/k", version) == Reason.GENERATION


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_without_a_version_only_the_head_is_asked_for(scheme: str) -> None:
    artifact = tree("val", row("a.txt"), uri=f"{scheme}://b/")
    lock = Lockfile(artifacts=(artifact,))
    (link,) = plan(lock).assets
    assert link.metadata.synced is None
    assert link.metadata.artlock_reason == Reason.UNVERSIONED
    (head,) = plan(lock, Unversioned.HEAD).assets
    assert head.metadata.synced is True
    assert head.metadata.version_id is None


def test_what_comet_never_fetches_is_a_link_without_a_reason_beside_it() -> None:
    for uri in ("https://host.example/a.json", "file:///mnt/a.json", "raw/a.json"):
        assert reason_for(uri, "") is None


def test_each_reason_is_one_warning_that_names_some() -> None:
    rows = [row(f"{number}#.txt", version="v") for number in range(5)]
    (warning,) = plan(Lockfile(artifacts=(tree("val", *rows),))).warnings
    assert warning == (
        "Comet's own client cannot fetch 5 of 5 objects as they are pinned (its URL "
        "parser cuts the key at `#` or `?`, or drops a character): `val/0#.txt`, "
        "`val/1#.txt`, `val/2#.txt` and 2 more; `artlock sync --from` can"
    )


@settings(max_examples=settings().max_examples // 4)  # lockfiles are dear to make
@given(lockfiles(), st.sampled_from(Unversioned))
def test_sent_and_links_are_all_rows_and_each_can_be_rebuilt(
    lock: Lockfile, unversioned: Unversioned
) -> None:
    made = plan(lock, unversioned)
    rows = [one for artifact in lock.artifacts for one in artifact.objects]
    objects = [asset for asset in made.assets if asset.metadata.file_size is not None]
    synced = [asset for asset in objects if asset.metadata.synced]
    assert len(synced) + made.links == len(objects) == len(rows)
    for one, asset in zip(rows, objects, strict=True):
        assert LockedObject(*row_of(one.path, asset.metadata)) == one
    for asset in synced:
        # As Comet's client reads it.
        parsed = urlparse(asset.link)
        assert asset.link == f"{parsed.scheme}://{parsed.hostname}{parsed.path}"
        assert parsed.scheme in {"s3", "gs"}
    places = [asset.place for asset in made.assets]
    assert len(places) == len(set(places))


def test_a_file_of_somebody_else_is_no_row() -> None:
    for metadata in (AssetMetadata(), AssetMetadata(file_size=1)):
        with pytest.raises(ValueError, match="no size or no tokens"):
            row_of("a.txt", metadata)


def test_a_simple_lock_has_an_asset_for_each_object_and_link() -> None:
    lock = simple_lock()
    assert len(plan(lock).assets) == lock.count() + 1
