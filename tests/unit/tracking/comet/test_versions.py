"""comet.versions: metadata that artlock writes, and versions that it knows again."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artlock.model.refs import MAX_NUMBER
from artlock.model.registration import Labels, Run
from artlock.tracking.comet.messages import NativeVersion
from artlock.tracking.comet.versions import (
    Metadata,
    entries_of,
    labels_of,
    lock_tag,
    metadata_of,
    native_number,
    next_number,
    tracker_version,
)
from tests.registrations import registration, simple_lock

SENT = registration(simple_lock(), labels=Labels(meta=(("note", "x"),)))


def native(
    version: str,
    metadata: object = None,
    *,
    aliases: tuple[str, ...] = (),
    tags: tuple[str, ...] = (),
) -> NativeVersion:
    text = msgspec.json.encode(metadata).decode() if metadata is not None else None
    return NativeVersion(
        id=version,
        version=version,
        state="CLOSED",
        metadata=text,
        aliases=aliases,
        tags=tags,
    )


def nested(levels: int) -> object:
    """Return a value of so many lists in each other."""
    value: object = "x"
    for _ in range(levels):
        value = [value]
    return value


def test_a_version_comes_back_with_all_that_was_said_of_it() -> None:
    listed = native(
        "3.0.0",
        metadata_of(SENT, None),
        aliases=("Latest", "prod"),
        tags=("z", lock_tag(SENT.digest), "a"),
    )
    (entry,) = entries_of([listed])
    version = tracker_version(entry, workspace="team", name="data", parent=2)
    assert (version.ref, version.native, version.parent) == (
        "data:v3",
        "team/data:3.0.0",
        2,
    )
    assert version.provenance == SENT.provenance
    assert version.digest == SENT.digest
    assert (version.objects, version.size) == (SENT.lock.count(), SENT.lock.size)
    assert version.labels == Labels(
        aliases=("prod",), tags=("a", "z"), meta=(("note", "x"),)
    )


def test_a_run_of_another_service_is_kept() -> None:
    raw = metadata_of(SENT, Run(id="a:b", service="mlflow"))
    metadata = msgspec.convert(raw, Metadata)
    assert (metadata.run_id, metadata.run_service) == ("a:b", "mlflow")


def test_metadata_that_people_wrote_in_other_types_is_text() -> None:
    raw = {**metadata_of(SENT, None), "epochs": 3, "list": ["a"]}
    (entry,) = entries_of([native("1.0.0", raw)])
    assert labels_of(entry).meta == (("epochs", "3"), ("list", '["a"]'), ("note", "x"))


@pytest.mark.parametrize(
    "listed",
    [
        native("1.0.0"),
        native("1.0.0", []),
        native("1.0.0", {"artlock_schema": 1}),
        native("1.0.0", {**metadata_of(SENT, None), "artlock_objects": "many"}),
        native("1.0.0", {**metadata_of(SENT, None), "artlock_objects": -1}),
        native("1.0.0", {**metadata_of(SENT, None), "artlock_bytes": 2**63}),
        native("1.0.0", {**metadata_of(SENT, None), "artlock_digest": "blake3:0"}),
        native("1.0.0", {**metadata_of(SENT, None), "artlock_digest": f"{SENT.digest}\n"}),
        native("1.0.0", {**metadata_of(SENT, None), "artlock_time": "yesterday"}),
        native(
            "1.0.0", {**metadata_of(SENT, None), "artlock_time": "2026-13-26T00:00:00Z"}
        ),
        NativeVersion(
            id="1",
            version="1.0.0",
            state="CLOSED",
            metadata="[" * 100_000,
            aliases=(),
            tags=(),
        ),
        native("1.0.0", {**metadata_of(SENT, None), "note": nested(101)}),
        native("1.2.0", metadata_of(SENT, None)),
        native("0.0.0", metadata_of(SENT, None)),
        native("1.0.0-rc1", metadata_of(SENT, None)),
        native("9999999999.0.0", metadata_of(SENT, None)),
    ],
)
def test_versions_of_others_are_left_out(listed: NativeVersion) -> None:
    assert entries_of([listed]) == ()


def test_the_newest_is_the_one_with_the_highest_number() -> None:
    metadata = metadata_of(SENT, None)
    listed = [native(native_number(number), metadata) for number in (2, 10, 9)]
    assert [entry.number for entry in entries_of(listed)] == [10, 9, 2]


def test_the_next_number_is_above_all_of_them_whoever_made_them() -> None:
    assert next_number([]) == 1
    assert next_number([native("1.0.0"), native("4.2.1"), native("odd")]) == 5


def test_a_number_that_leaves_no_room_is_not_counted() -> None:
    most = [native(native_number(number)) for number in (3, MAX_NUMBER, 9_999_999_999)]
    assert next_number(most) == 4
    assert next_number([native(native_number(MAX_NUMBER - 1))]) == MAX_NUMBER


@given(
    st.text()
    | st.builds(
        lambda key, value: json.dumps({**metadata_of(SENT, None), key: value}),
        st.sampled_from(sorted(metadata_of(SENT, None))),
        st.integers() | st.text() | st.none() | st.lists(st.text()),
    )
)
def test_no_metadata_harms_who_reads_it(text: str) -> None:
    listed = msgspec.structs.replace(native("1.0.0"), metadata=text)
    for entry in entries_of([listed]):
        version = tracker_version(entry, workspace="w", name="data", parent=None)
        assert 0 <= version.objects < 2**63
