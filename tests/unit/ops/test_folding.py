"""Workspaces on a file system that folds case and Unicode form (hazard 2.7)."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from artlock.errors import ConflictError, UnsafePathError
from artlock.model.paths import fold
from artlock.ops.sync import SyncOptions
from testbed.folding import folding, problem
from tests.unit.ops.workbench import Workbench

NO_FOLDING = problem()
pytestmark = pytest.mark.skipif(NO_FOLDING is not None, reason=str(NO_FOLDING))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    """A project on such a file system; its source and its cache are not."""
    with folding(tmp_path) as mount:
        bench = Workbench(tmp_path / "bench")
        bench.root.rmdir()
        (mount / "project").mkdir()
        bench.root.symlink_to(mount / "project")
        yield bench


def spellings(bench: Workbench) -> dict[str, str]:
    """Return what is in the artifact's folder, by the spelling that was made."""
    place = bench.root / "data/data"
    found = {p.relative_to(place).as_posix(): p.read_text() for p in place.rglob("*.x")}
    return {unicodedata.normalize("NFC", path): text for path, text in found.items()}


@pytest.mark.parametrize(
    ("old", "new"),
    [("a.x", "A.x"), ("dir/a.x", "DIR/a.x"), ("e\u0301.x", "\u00c9.x"), ("ss.x", "ß.x")],
)
@pytest.mark.parametrize("content", ["same", "other", "other, and the cache is lost"])
def test_2_7_a_file_that_is_spelled_anew_is_not_removed_as_its_old_spelling(
    bench: Workbench, old: str, new: str, content: str
) -> None:
    bench.put_at(old, "text")
    bench.put_at("keep.x", "keep")
    bench.declare_files()
    bench.resolve()
    bench.sync()
    (bench.source / old).unlink()
    text = "text" if content == "same" else "other"
    bench.put_at(new, text)
    bench.update()
    if "lost" in content:
        bench.forget_cache()
    bench.sync()
    wanted = {unicodedata.normalize("NFC", new): text, "keep.x": "keep"}
    assert {fold(p): t for p, t in spellings(bench).items()} == {
        fold(p): t for p, t in wanted.items()
    }
    assert spellings(bench) == wanted
    assert bench.sync().plan.is_empty
    assert bench.status().is_clean


def test_2_7_a_persons_file_of_another_spelling_stops_the_sync(bench: Workbench) -> None:
    bench.put_at("a.x", "text")
    bench.declare_files()
    bench.resolve()
    bench.write("data/data/A.x", "mine")
    with pytest.raises(ConflictError):
        bench.sync()
    assert spellings(bench) == {"A.x": "mine"}
    bench.sync(options=SyncOptions(force=True))
    assert spellings(bench) == {"a.x": "text"}
    assert bench.trash() == {"mine"}


def test_2_7_names_that_differ_by_folding_are_refused_before_any_write(
    bench: Workbench,
) -> None:
    bench.put_at("a.x", "1")
    bench.put_at("b.x", "2")
    bench.declare_files()
    bench.resolve()
    text = bench.lockfile.read_text()
    bench.lockfile.write_text(text.replace('["a.x"', '["B.x"'))
    with pytest.raises(UnsafePathError, match="cannot be side by side"):
        bench.sync()
    assert not (bench.root / "data").exists()


def test_2_7_names_that_only_this_file_system_takes_for_one_are_refused(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if our rules did not know how it folds.
    monkeypatch.setattr("artlock.model.safety.collisions", lambda _paths: [])
    for name, text in (("a.x", "1"), ("A.x", "2"), ("b.x", "3")):
        bench.put_at(name, text)
    bench.declare_files()
    bench.resolve()
    for _ in range(3):
        with pytest.raises(UnsafePathError, match=r"data/data/A\.x` and `data/data/a\.x`"):
            bench.sync()
        found = spellings(bench)
        assert found["A.x"] == "2"
        assert set(found) <= {"A.x", "b.x"}
    assert list((bench.root / ".artlock/tmp").iterdir()) == []
