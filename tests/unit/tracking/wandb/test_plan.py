from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings

from artlock.errors import RegistrationRefusedError
from artlock.model.lock import Kind, LockedArtifact, LockedObject, Lockfile
from artlock.model.manifest import Declaration
from artlock.model.registration import Labels, Provenance, Run
from artlock.model.tokens import Trust
from artlock.model.uri import Uri
from artlock.tracking.wandb.plan import (
    Entry,
    Seen,
    check_limits,
    entries_of,
    label_of,
    metadata_of,
    run_in,
    warning_about_links,
)
from tests.registrations import (
    DIGEST_OF_A,
    ODD_PATHS,
    PROVENANCE,
    lockfile,
    odd_tree,
    registration,
    row,
    simple_lock,
    tree,
)
from tests.strategies import lockfiles

ETAG = "6654c734ccab8f440ff0825eb443dc7f"
TOKENS = f"{DIGEST_OF_A} etag:{ETAG}"


def entry_of(uri: str, tokens: str, version: str = "", path: str = "a.txt") -> Entry:
    found = row(path, 3, tokens=tokens, version=version)
    if uri.startswith("https:"):  # the web has no trees
        declared = Declaration(uri=Uri.parse(f"{uri}{path}"))
        lock = lockfile(
            LockedArtifact(name="val", declared=declared, kind=Kind.FILE, objects=(found,))
        )
    else:
        lock = lockfile(tree("val", found, uri=uri))
    (entry,) = entries_of(registration(lock))
    return entry


def test_an_s3_row_has_its_etag_and_version() -> None:
    assert entry_of("s3://b/val/", TOKENS, "v-1") == Entry(
        path="val/a.txt",
        uri="s3://b/val/a.txt",
        digest=ETAG,
        size=3,
        extra=(("artlock_tokens", TOKENS), ("etag", ETAG), ("versionID", "v-1")),
    )


def test_a_row_without_version_leaves_the_key_out() -> None:
    assert "versionID" not in dict(entry_of("s3://b/val/", TOKENS).extra)


def test_a_gs_row_with_an_etag_has_its_generation() -> None:
    entry = entry_of("gs://b/val/", "crc32c:9a71bb4c etag:CJ1/2=", "1795420764192579")
    assert entry.digest == "CJ1/2="
    assert dict(entry.extra)["versionID"] == "1795420764192579"
    assert not entry.link


def test_a_row_of_the_web_is_compared_by_its_etag() -> None:
    entry = entry_of("https://host/val/", "etag:abc-1")
    assert (entry.digest, entry.link) == ("abc-1", "")


@pytest.mark.parametrize(
    ("uri", "tokens", "reason"),
    [
        ("gs://b/val/", "crc32c:9a71bb4c", "without an etag"),
        ("s3://b/val/", DIGEST_OF_A, "without an etag"),
        ("https://host/val/", "etag:W/abc", "weak etag"),
        ("file:///data/val/", DIGEST_OF_A, "scheme"),
        ("s3://b/v#l/", TOKENS, "would cut"),
        ("gs://b/v?l/", TOKENS, "would cut"),
    ],
)
def test_what_wandb_cannot_load_as_pinned_is_a_link(
    uri: str, tokens: str, reason: str
) -> None:
    entry = entry_of(uri, tokens, "7")
    assert reason in entry.link
    assert entry.digest == entry.uri
    extra = dict(entry.extra)
    assert extra["artlock_reason"] == entry.link
    assert extra["artlock_tokens"] == tokens
    assert extra["artlock_version"] == "7"
    assert not extra.keys() & {"etag", "versionID"}


def test_odd_keys_are_loadable_or_links() -> None:
    declared = Declaration(uri=Uri.parse("s3://bucket/odd/"), portable=False)
    rows = [row(path, tokens=TOKENS) for path in sorted(ODD_PATHS, key=str.encode)]
    entries = list(
        entries_of(registration(lockfile(tree("odd", *rows, declared=declared))))
    )
    links = {entry.path for entry in entries if entry.link}
    assert links == {"odd/hash#1.txt", "odd/question?x=1"}
    for entry in entries:
        if not entry.link:
            # As W&B's handler for S3 takes it apart.
            assert urlsplit(entry.uri).path == f"/{entry.path}"


def test_a_link_artifact_is_one_entry_without_size() -> None:
    entries = {entry.path: entry for entry in entries_of(registration(simple_lock()))}
    assert entries["board"] == Entry(
        path="board", uri="labelbox://project/42", digest="labelbox://project/42"
    )


def test_a_renamed_row_stands_at_its_path_and_names_its_key() -> None:
    entries = {entry.path: entry for entry in entries_of(registration(simple_lock()))}
    assert entries["val/a.txt"].uri == "s3://bucket/val/A#.txt"


def test_each_leaves_the_artifact_out_of_the_paths() -> None:
    sent = registration(lockfile(odd_tree("val")), "val", each=True)
    assert {entry.path for entry in entries_of(sent)} == set(ODD_PATHS)


@settings(max_examples=6)
@given(lockfiles())
def test_every_row_of_every_lock_is_sent_once(lock: Lockfile) -> None:
    sent = registration(lock)
    entries = list(entries_of(sent))
    rows = [entry for entry in entries if entry.size is not None]
    assert len(rows) == lock.count()
    assert sum(entry.size or 0 for entry in rows) == lock.size
    tokens = [r.checksum for a in lock.artifacts for r in a.objects]
    assert [dict(e.extra).get("artlock_tokens", "") for e in rows] == tokens


def test_reasons_are_told_with_their_number() -> None:
    assert warning_about_links({"odd": 1, "even": 2})[0].startswith("2 objects are even")
    assert warning_about_links({"odd": 1})[0].startswith("1 object is odd")


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        (Labels(tags=("a.b",)), "tag `a.b`"),
        (Labels(aliases=("lock-1",)), "alias `lock-1`"),
        (Labels(meta=(("artlock_x", "1"),)), "metadata `artlock_x`"),
        (Labels(meta=tuple((f"k{n:03}", "x") for n in range(90))), "keys of metadata"),
    ],
)
def test_labels_that_wandb_does_not_take_are_refused(labels: Labels, what: str) -> None:
    with pytest.raises(RegistrationRefusedError, match=what):
        check_limits(registration(simple_lock(), labels=labels), "wandb://team/vision")


@pytest.mark.parametrize("path", [".artlock/artifacts.lock", ".artlock/x"])
def test_the_place_of_the_lockfile_is_kept_free(path: str) -> None:
    # No checkout would take such a row; a lock of somebody else may have it.
    rows = (LockedObject(path, 1, TOKENS, ""),)
    declared = Declaration(uri=Uri.parse("s3://b/x/"))
    artifact = LockedArtifact(name="x", declared=declared, kind=Kind.TREE, objects=rows)
    sent = registration(Lockfile(artifacts=(artifact,)), each=True)
    with pytest.raises(RegistrationRefusedError, match="where artlock keeps the lock"):
        check_limits(sent, "wandb://team/vision")


def test_a_name_may_have_128_characters_and_no_more() -> None:
    check_limits(registration(simple_lock(), "x" * 128), "wandb://team/vision")
    with pytest.raises(RegistrationRefusedError, match="128"):
        check_limits(registration(simple_lock(), "x" * 129), "wandb://team/vision")


def seen(metadata: Mapping[str, object], version: str = "v0") -> Seen:
    return Seen(
        name="data",
        native=f"team/vision/data:{version}",
        version=version,
        aliases=("latest", "prod", label_of(str(metadata.get("artlock_digest")))),
        tags=("night", label_of(str(metadata.get("artlock_digest")))),
        metadata=metadata,
    )


def test_what_metadata_says_is_read_back() -> None:
    sent = registration(
        simple_lock(),
        labels=Labels(aliases=("prod",), tags=("night",), meta=(("note", "x"),)),
        run=Run(id="r-1", service="wandb"),
    )
    metadata = dict(metadata_of(sent))
    version = seen(metadata, "v2").as_version()
    assert (version.number, version.parent) == (3, 2)
    assert version.labels == sent.labels
    assert version.provenance == PROVENANCE
    assert version.trust is Trust.ETAG
    assert run_in(metadata) == sent.run


def test_little_provenance_is_little_metadata() -> None:
    time = "2026-11-26T21:00:00Z"
    sent = registration(simple_lock(), provenance=Provenance(time=time))
    assert not [k for k in metadata_of(sent) if k.startswith("artlock_git_remote")]
    version = seen(dict(metadata_of(sent))).as_version()
    assert version.provenance == Provenance(time=time)
    assert version.parent is None


@pytest.mark.parametrize(
    ("metadata", "version"),
    [
        ({}, "v0"),
        ({"artlock_digest": 7}, "v0"),
        ({"artlock_digest": "blake3:00"}, "newest"),
    ],
)
def test_what_is_not_artlocks_is_no_version(
    metadata: dict[str, object], version: str
) -> None:
    with pytest.raises(ValueError, match=r"."):
        seen(metadata, version).as_version()


def test_numbers_that_a_page_has_saved_are_still_numbers() -> None:
    metadata = {
        "artlock_digest": "blake3:00",
        "artlock_objects": 3.0,
        "artlock_bytes": "x",
        "artlock_trust": "total",
    }
    version = seen(metadata).as_version()
    assert (version.objects, version.size, version.trust) == (3, 0, Trust.NONE)
