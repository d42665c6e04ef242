"""What may be a file is decided when keys are resolved, and again when a lock is read."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from artlock.cli.main import run
from artlock.errors import EXIT_INCOMPLETE, EXIT_USAGE, EXIT_VIOLATION, UnsafePathError
from tests.unit.model.test_paths import KEYS, NEVER, WINDOWS
from tests.unit.ops.workbench import Workbench

BAD = {**NEVER, **WINDOWS, "keys": [key for key, is_good in KEYS.items() if not is_good]}
COLLISIONS = {
    "2.7 case": ("B", "b"),
    "2.7 normal form": ("e\u0301", "\u00e9"),
    "2.7 Kelvin": ("k", "\u212a"),
    "2.7 long s": ("s", "\u017f"),
    "2.7 sharp s": ("ss", "ß"),
    "2.7 ligature": ("fi", "\ufb01"),
    "2.7 joiner": ("ab", "a\u200db"),
    "2.8 file and folder": ("b", "b/c"),
}
Command = Callable[[Workbench], int]


def command(*arguments: str) -> Command:
    def deed(bench: Workbench) -> int:
        where = ["-C", str(bench.root), "--cache-dir", str(bench.cache)]
        return run([*where, *arguments])

    return deed


COMMANDS = {name: command(name) for name in ("check", "sync")}


@pytest.fixture
def locked(bench: Workbench) -> Workbench:
    bench.put_at("a", "text")
    bench.declare_files()
    bench.resolve()
    return bench


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if ".artlock" not in path.parts}


@pytest.mark.parametrize("paths", BAD.values(), ids=list(BAD))
def test_2_1_to_2_9_a_lockfile_with_such_a_path_is_refused(
    locked: Workbench, paths: list[str]
) -> None:
    text = locked.lockfile.read_text("utf-8")
    before = files_below(locked.folder)
    for path in paths:
        # A lone surrogate cannot even be written; the escape for it is no TOML.
        has_surrogate = any("\ud800" <= c <= "\udfff" for c in path)
        row = json.dumps(path, ensure_ascii=has_surrogate).replace("\x7f", "\\u007f")
        locked.lockfile.write_text(text.replace('["a"', f"[{row}"), "utf-8")
        for name, deed in COMMANDS.items():
            assert deed(locked) in {EXIT_VIOLATION, EXIT_USAGE}, (path, name)
    assert files_below(locked.folder) == before


def test_2_1_the_paths_of_a_lockfile_are_a_violation(locked: Workbench) -> None:
    text = locked.lockfile.read_text("utf-8")
    for path in ("../up", "/abs", "x/../../y", ".git/config", "con", "a//b", "b\\\\c"):
        locked.lockfile.write_text(text.replace('["a"', f'["{path}"'), "utf-8")
        for name, deed in COMMANDS.items():
            assert deed(locked) == EXIT_VIOLATION, (path, name)


@pytest.mark.parametrize("pair", COLLISIONS.values(), ids=list(COLLISIONS))
def test_2_7_2_8_a_lockfile_with_two_such_paths_is_refused(
    bench: Workbench, pair: tuple[str, str]
) -> None:
    bench.put_at("x1", "1")
    bench.put_at("x2", "2")
    bench.declare_files()
    bench.resolve()
    text = bench.lockfile.read_text("utf-8")
    for old, new in zip(("x1", "x2"), sorted(pair), strict=True):
        text = text.replace(f'["{old}"', f'["{new}"')
    bench.lockfile.write_text(text, "utf-8")
    for name, deed in COMMANDS.items():
        assert deed(bench) == EXIT_VIOLATION, name
    assert not (bench.root / "data").exists()


@pytest.mark.parametrize("paths", BAD.values(), ids=list(BAD))
def test_2_1_to_2_9_a_source_with_such_a_key_is_not_locked(
    bench: Workbench, paths: list[str]
) -> None:
    made = 0
    for number, path in enumerate(paths):
        folder = bench.source / f"dir{number}"
        if len(path) > 1000 or {"", ".", ".."} & set(path.split("/")):
            continue  # no file can be made under it
        with suppress(OSError, UnicodeEncodeError, ValueError):
            bench.put_at(f"dir{number}/{path}", "text")
            made += 1
            bench.declare(data=f"{folder.as_uri()}/")
            # What is not UTF-8 is no key at all (hazard 2.10).
            assert command("resolve")(bench) in {EXIT_VIOLATION, EXIT_INCOMPLETE}, path
            assert not bench.lockfile.exists()
    if not made:
        pytest.skip("no file can have such a name")


@pytest.mark.parametrize("pair", COLLISIONS.values(), ids=list(COLLISIONS))
def test_2_7_2_8_a_source_with_two_such_keys_is_not_locked(
    bench: Workbench, pair: tuple[str, str]
) -> None:
    try:
        for key in pair:
            bench.put_at(key, "text")
    except OSError:
        pytest.skip("no file system has a file that is a folder")
    bench.declare_files()
    with pytest.raises(UnsafePathError, match="cannot be side by side") as caught:
        bench.resolve()
    assert caught.value.paths == tuple(sorted(pair))


@pytest.mark.parametrize(("spare", "is_good"), [(0, True), (1, False)])
def test_2_9_the_place_of_an_artifact_counts_for_the_length_of_its_paths(
    bench: Workbench, spare: int, *, is_good: bool
) -> None:
    place = "/".join(["p" * 200] * 10)
    name = "/".join(["k" * 99] * 19)
    name += "/" + "k" * (4000 - len(place) - len(name) - 2 + spare)
    bench.put_at("a", "text")
    bench.declare_files(f'path = "{place}"')
    bench.resolve()
    text = bench.lockfile.read_text()
    bench.lockfile.write_text(text.replace('["a"', f'["{name}"'))
    bench.put_at(name, "text")
    if is_good:
        bench.sync()
        assert bench.status().is_clean
        return
    with pytest.raises(UnsafePathError, match="longer than 4000 bytes below"):
        bench.sync()
    bench.lockfile.unlink()
    with pytest.raises(UnsafePathError, match="longer than 4000 bytes below"):
        bench.resolve()
