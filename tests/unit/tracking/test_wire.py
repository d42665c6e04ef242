"""wire: a lock as heads and rows, and back."""

import msgspec
import pytest
from hypothesis import given
from msgspec.structs import replace

from artlock.formats.lockfile import format_lockfile, parse_lockfile
from artlock.model.lock import Kind, LockedArtifact, LockedObject, Lockfile
from artlock.model.manifest import ChecksumPolicy, Declaration
from artlock.model.uri import Uri
from artlock.tracking import wire
from tests.registrations import lockfile, odd_tree, row, simple_lock, tree
from tests.strategies import lockfiles

EVERY_KEY = Lockfile(
    artifacts=(
        LockedArtifact(
            name="all",
            declared=Declaration(
                uri=Uri.parse("s3://bucket/prefix"),
                include=("**/*.txt",),
                exclude=("no/**",),
                as_of="2026-05-01T00:00:00Z",
                checksum=ChecksumPolicy.BLAKE3,
                rename=(("A#.txt", "a.txt"), ("B\\.txt", "b.txt")),
                portable=False,
            ),
            kind=Kind.TREE,
            objects=(row("a.txt"), row("b.txt", version="v")),
            extra=(("licence", "none"), ("since", {"a": [1, True, {"b": -(2**63)}]})),
        ),
        LockedArtifact(
            name="one",
            declared=Declaration(uri=Uri.parse("gs://bucket/key"), version="17"),
            kind=Kind.FILE,
            objects=(row("key", version="17"),),
        ),
    ),
    revision=3,
    extra=(("later", ["x", 2**63 - 1]),),
)


def there_and_back(lock: Lockfile, *, each: bool = False) -> Lockfile:
    """Send a lock through JSON as a tracker would: the outline, and each row."""
    sent = msgspec.json.encode(wire.outline_of(lock))
    outline = msgspec.json.decode(sent, type=wire.Outline)
    rows: dict[str, list[LockedObject]] = {}
    for item in reversed([*wire.items_of(lock, each=each)]):
        name, path = wire.artifact_and_path(item.place, outline, each=each)
        if item.row is None:
            assert path == ""
            continue
        assert path == item.row.path
        back = msgspec.json.decode(msgspec.json.encode(item.row), type=LockedObject)
        rows.setdefault(name, []).append(back)
    return wire.lock_of(outline, rows)


@given(lockfiles())
def test_any_lockfile_survives_and_so_does_each_artifact_by_itself(lock: Lockfile) -> None:
    back = there_and_back(lock)
    assert back == lock
    assert format_lockfile(back) == format_lockfile(lock)
    for artifact in lock.artifacts:
        alone = Lockfile(artifacts=(artifact,))
        assert there_and_back(alone, each=True) == alone


def test_every_key_of_a_head_and_of_the_top_survives() -> None:
    lock = parse_lockfile(format_lockfile(EVERY_KEY))
    assert lock == EVERY_KEY
    assert there_and_back(lock) == lock
    (head, _) = wire.outline_of(lock).heads
    assert head.root == "s3://bucket/prefix/"


def test_the_drawing_is_true() -> None:
    drawn = "".join(
        line.strip() for line in (wire.__doc__ or "").partition("::\n")[2].splitlines()[1:4]
    )
    outline = msgspec.json.decode(drawn, type=wire.Outline)
    assert msgspec.json.encode(outline) == drawn.replace("\n", "").encode()


def test_what_is_the_default_is_left_out() -> None:
    outline = wire.outline_of(lockfile(tree("val")))
    assert msgspec.json.encode(outline) == (
        b'{"heads":[{"name":"val","uri":"s3://bucket/val/","kind":"tree"}]}'
    )


def test_places_are_unique_and_a_link_stands_at_its_name() -> None:
    places = [item.place for item in wire.items_of(simple_lock(), each=False)]
    assert len(places) == len(set(places))
    assert places[0] == "board"
    assert "encoder/encoder.bin" in places
    alone = [item.place for item in wire.items_of(lockfile(odd_tree("val")), each=True)]
    assert "hash#1.txt" in alone


def test_rows_without_a_head_are_refused() -> None:
    outline = wire.outline_of(lockfile(tree("val")))
    with pytest.raises(ValueError, match="rows of `other`, which has no head"):
        wire.lock_of(outline, {"other": (row("a"),)})


def test_a_root_elsewhere_is_refused() -> None:
    outline = wire.outline_of(lockfile(tree("val")))
    (head,) = outline.heads
    moved = replace(outline, heads=(replace(head, root="s3://elsewhere/"),))
    with pytest.raises(ValueError, match="root of `val`"):
        wire.lock_of(moved, {})


def test_a_uri_with_a_credential_is_refused() -> None:
    outline = wire.outline_of(lockfile(tree("val")))
    (head,) = outline.heads
    leaking = replace(outline, heads=(replace(head, uri="https://u:p@host/x"),))
    with pytest.raises(ValueError, match="user info"):
        wire.lock_of(leaking, {})


@pytest.mark.parametrize("count", [0, 2])
def test_an_artifact_by_itself_has_one_head(count: int) -> None:
    outline = wire.outline_of(lockfile(*(tree(f"val-{number}") for number in range(count))))
    with pytest.raises(ValueError, match=f"has {count} heads"):
        wire.artifact_and_path("a.txt", outline, each=True)


@pytest.mark.parametrize(
    "text",
    [
        b'{"heads":[{"name":"val","uri":"s3://b/","kind":"forest"}]}',
        b'{"heads":[{"name":"val","kind":"tree"}]}',
        b'{"heads":[{"name":"val","uri":1,"kind":"tree"}]}',
        b'{"heads":null}',
    ],
)
def test_other_types_are_refused(text: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=wire.Outline)
