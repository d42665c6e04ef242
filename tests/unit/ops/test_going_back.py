from datetime import UTC, datetime

import pytest

from artlock.errors import ConfigError, PolicyError, StoreError
from artlock.ops.going_back import past_moment
from artlock.ops.precise import Precise, by_artifact
from artlock.ops.resolve import Pins
from tests.unit.ops.remotes import Remote
from tests.unit.ops.workbench import Workbench

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "artifact", "path", "version"),
    [
        ("a@v", "a", None, "v"),
        ("a/b@c/d@v", "a", "b@c/d", "v"),
        ("a.b-c/d e@17", "a.b-c", "d e", "17"),
    ],
)
def test_a_version_stands_behind_the_last_at(
    text: str, artifact: str, path: str | None, version: str
) -> None:
    found = Precise.parse(text)
    assert (found.artifact, found.path, found.version) == (artifact, path, version)
    assert str(found) == text


@pytest.mark.parametrize("text", ["", "a", "a@", "@v", "a/@v", "/p@v", "a@null"])
def test_what_names_no_version_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--precise"):
        Precise.parse(text)


def test_one_object_has_one_version() -> None:
    one, same = Precise.parse("a/x@1"), Precise.parse("a/x@1")
    assert by_artifact([one, same, Precise.parse("a/y@1")]) == {
        "a": (one, Precise.parse("a/y@1"))
    }
    with pytest.raises(ConfigError, match="two versions"):
        by_artifact([one, Precise.parse("a/x@2")])


def test_a_moment_is_spelled_as_in_lockfiles() -> None:
    assert past_moment("2026-05-01t02:00:00+02:00", now=NOW) == "2026-05-01T00:00:00Z"
    assert past_moment("2026-06-01T00:00:00Z", now=NOW) == "2026-06-01T00:00:00Z"
    for text in ("2026-06-01T00:00:01Z", "2026-05-01", "monday", "2026-02-30T00:00:00Z"):
        with pytest.raises(ConfigError, match=f"--as-of {text}"):
            past_moment(text, now=NOW)


def test_what_the_manifest_pins_does_not_go_back(bench: Workbench, remote: Remote) -> None:
    version = remote.put("a", "now")
    bench.declare(f'version = "{version}"', one=f"{remote.uri}a")
    bench.resolve()
    before = bench.lockfile.read_bytes()
    assert not bench.resolve(pins=Pins.MOVE, as_of="2020-01-01T00:00:00Z").differs
    assert bench.lockfile.read_bytes() == before


def test_1_11_going_back_asks_before_most_objects_go(
    bench: Workbench, remote: Remote
) -> None:
    for number in range(12):
        remote.put(f"{number:02}", "x")
    bench.declare(data=remote.uri)
    bench.resolve()
    shrunk = [e for e in bench.lock().artifacts[0].objects if e.path < "03"]
    assert len(shrunk) == 3
    for number in range(3, 12):
        remote.delete(f"{number:02}")
    with pytest.raises(PolicyError, match="would shrink from 12 to 3 objects"):
        bench.resolve(pins=Pins.MOVE, as_of="2999-01-01T00:00:00Z")


def test_a_version_that_the_store_passes_over_is_not_locked(
    bench: Workbench, unversioned: Remote
) -> None:
    unversioned.put("a", "now")
    bench.declare(one=f"{unversioned.uri}a")
    bench.resolve()
    before = bench.lockfile.read_bytes()
    with pytest.raises(StoreError, match="was asked for at version `v1`"):
        bench.resolve(pins=Pins.MOVE, precise=[Precise.parse("one@v1")])
    bench.declare('version = "v1"', one=f"{unversioned.uri}a")
    with pytest.raises(StoreError, match="was asked for at version `v1`"):
        bench.resolve()
    assert bench.lockfile.read_bytes() == before
