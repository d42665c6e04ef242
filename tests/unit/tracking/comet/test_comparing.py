"""comet.comparing: whether the files of a version are what was registered."""

from collections.abc import Callable

import msgspec
import pytest
from msgspec.structs import replace

from artlock.formats.lockfile import format_lockfile
from artlock.tracking.comet.comparing import are_as_planned, lock_in
from artlock.tracking.comet.messages import NativeFile
from artlock.tracking.comet.plan import Unversioned, plan_of
from artlock.tracking.comet.versions import Metadata, metadata_of
from tests.registrations import registration, simple_lock

SENT = registration(simple_lock())
PLAN = plan_of(SENT.lock, each=False, unversioned=Unversioned.LINK)
METADATA = msgspec.convert(metadata_of(SENT, None), Metadata)
FILES = [
    NativeFile(
        place=asset.place,
        link=asset.link,
        metadata=msgspec.json.encode(asset.metadata).decode(),
    )
    for asset in PLAN.assets
]


def test_what_was_sent_compares_in_any_order() -> None:
    assert are_as_planned(FILES[::-1], PLAN)
    assert format_lockfile(lock_in(FILES[::-1], METADATA)) == SENT.text


def test_why_an_asset_is_a_link_may_be_said_otherwise() -> None:
    files = [
        replace(file, metadata=(file.metadata or "").replace("its URL parser", "a parser"))
        for file in FILES
    ]
    assert files != FILES
    assert are_as_planned(files, PLAN)


@pytest.mark.parametrize(
    "change",
    [
        lambda file: replace(file, link="s3://bucket/elsewhere"),
        lambda file: replace(file, link=None),
        lambda file: replace(file, metadata=None),
        lambda file: replace(file, metadata="[" * 100_000),
        lambda file: replace(
            file, metadata=file.metadata.replace('"file_size":', '"file_size":1')
        ),
        lambda _: None,
    ],
    ids=["moved", "no link", "no metadata", "deep", "larger", "lost"],
)
def test_one_file_that_differs_is_another_version(
    change: Callable[[NativeFile], NativeFile | None],
) -> None:
    for index, file in enumerate(FILES):
        if "file_size" not in (file.metadata or ""):
            continue
        changed = change(file)
        files = [*FILES[:index], *([changed] if changed else []), *FILES[index + 1 :]]
        assert not are_as_planned(files, PLAN)
        with pytest.raises(ValueError, match=r"\S"):
            lock_in(files, METADATA)


def test_a_file_at_another_place_is_another_version() -> None:
    for index, file in enumerate(FILES):
        other = replace(file, place=f"{file.place}x")
        assert not are_as_planned([*FILES[:index], other, *FILES[index + 1 :]], PLAN)


def test_a_file_that_is_there_twice_is_another_version() -> None:
    for file in FILES:
        assert not are_as_planned([*FILES, file], PLAN)
        with pytest.raises(ValueError, match="it has"):
            lock_in([*FILES, file], METADATA)
