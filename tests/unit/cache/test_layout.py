import os
import re
import stat
from pathlib import Path

import pytest

from artlock.cache import layout as module
from artlock.cache import projects
from artlock.cache.blobs import BlobCache
from artlock.cache.layout import CacheLayout, default_root
from artlock.cache.projects import note_missed, register, remember_needs
from artlock.cache.ranges import PartialFile, object_key
from artlock.errors import CacheError
from artlock.model.digest import Digest
from artlock.model.tokens import Tokens
from tests.invariants import assert_only_this_user_can_write

REFERENCE = Path(__file__).parents[3] / "docs/reference/cache.md"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"ARTLOCK_CACHE_DIR": "/c", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/c"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/artlock"),
        ({"XDG_CACHE_HOME": "x", "HOME": "/h"}, "/h/.cache/artlock"),
        ({"HOME": "/h"}, "/h/.cache/artlock"),
    ],
)
def test_where_the_cache_is(environment: dict[str, str], expected: str) -> None:
    assert default_root(environment) == Path(expected)


def test_without_any_variable_the_cache_is_in_the_home_of_the_user() -> None:
    assert default_root({}) == Path.home() / ".cache/artlock"


def test_a_relative_place_is_below_the_current_folder() -> None:
    assert default_root({"ARTLOCK_CACHE_DIR": "c"}) == Path.cwd() / "c"


def drawn_files(text: str) -> list[str]:
    """Return a pattern for each file of the drawing that begins with ``<cache>/``."""
    block = text[text.index("    <cache>/") :].split("\n\n", maxsplit=1)[0]
    above: list[tuple[int, str]] = []
    found = []
    for line in block.splitlines():
        name = re.split(r" {2,}", line.strip(), maxsplit=1)[0]
        indent = len(line) - len(line.lstrip())
        above = [(depth, folder) for depth, folder in above if depth < indent]
        path = "".join(folder for _, folder in above) + name
        if name.endswith("/"):
            above.append((indent, name))
        else:
            found.append(path.removeprefix("<cache>/"))
    patterns = [re.sub(r"<(\d+) hex>", r"[0-9a-f]{\1}", path) for path in found]
    patterns = [re.sub(r"<[a-z]+>", r"[0-9a-z.-]+", path) for path in patterns]
    return [path.replace("/ab/", "/[0-9a-f]{2}/") for path in patterns]


@pytest.mark.parametrize("source", ["docstring", "reference"])
def test_the_drawing_is_what_lies_on_the_disk(layout: CacheLayout, source: str) -> None:
    text = str(module.__doc__) if source == "docstring" else REFERENCE.read_text()
    patterns = drawn_files(text)
    with BlobCache(layout).batch() as batch:
        blob = batch.put([b"text"], Tokens(), size=4, subject="x").digest
        batch.commit()
        BlobCache(layout).quarantine(blob)
        batch.put([b"text"], Tokens(), size=4, subject="x")
    register(layout, layout.root)
    remember_needs(layout, layout.root, [b"1" * 32])
    note_missed(layout, layout.root, is_there=False)
    (layout.discarded / f"{blob.hex}-01234567").touch()
    partial = PartialFile(
        layout, object_key("i", "u", "1", 3), 3, tokens=Tokens(), subject="x"
    )
    partial.close()
    layout.index.touch()
    (layout.temporary / "t").touch()
    found = [
        str(path.relative_to(layout.root))
        for path in layout.root.rglob("*")
        if path.is_file()
    ]
    for name in found:
        assert any(re.fullmatch(pattern, name) for pattern in patterns), name
    for pattern in patterns:
        assert any(re.fullmatch(pattern, name) for name in found), pattern


def test_2_14_only_this_user_can_write_whatever_the_umask(tmp_path: Path) -> None:
    layout = CacheLayout(tmp_path / "a" / "cache")
    before = os.umask(0)
    try:
        layout.prepare()
        with BlobCache(layout).batch() as batch:
            batch.put([b"text"], Tokens(), size=4, subject="x")
        register(layout, tmp_path)
        remember_needs(layout, tmp_path, [b"1" * 32])
        note_missed(layout, tmp_path, is_there=False)
        with layout.mutex(purpose="sync"):
            pass
        PartialFile(layout, "k", 3, tokens=Tokens(), subject="x").close()
    finally:
        os.umask(before)
    assert_only_this_user_can_write(layout)
    assert stat.S_IMODE(layout.root.stat().st_mode) == 0o700


def test_3_17_a_project_is_on_the_disk_once_it_is_registered(
    layout: CacheLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pressed: list[int] = []
    monkeypatch.setattr(
        projects, "sync_file", lambda fd: pressed.append(os.fstat(fd).st_ino)
    )
    register(layout, tmp_path / "one")
    register(layout, tmp_path / "one")
    (entry,) = layout.projects.iterdir()
    assert pressed == [entry.stat().st_ino]  # and not each time


def test_preparing_twice_changes_nothing(layout: CacheLayout) -> None:
    tag = layout.root / "CACHEDIR.TAG"
    assert tag.read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55")
    tag.write_bytes(b"mine")
    layout.prepare()
    assert tag.read_bytes() == b"mine"


@pytest.mark.parametrize("mode", [0o770, 0o707])
@pytest.mark.parametrize("which", [".", "v1"])
def test_3_19_a_cache_that_others_can_write_is_refused(
    layout: CacheLayout, mode: int, which: str
) -> None:
    (layout.root / which).chmod(mode)
    with pytest.raises(CacheError, match="others can write") as caught:
        layout.prepare()
    assert str(caught.value.hint).startswith("run `chmod go-w ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_3_19_a_cache_of_another_user_is_refused(layout: CacheLayout) -> None:
    os.chown(layout.root, 12345, -1)
    with pytest.raises(CacheError, match="belongs to another user"):
        layout.prepare()


def test_a_file_in_the_place_of_the_cache_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(CacheError, match="cannot make the cache"):
        CacheLayout(tmp_path / "cache").prepare()


def test_3_26_folders_of_other_layouts_are_reported(layout: CacheLayout) -> None:
    assert layout.other_versions() == ()
    (layout.root / "v2").mkdir()
    (layout.root / "file").touch()
    assert layout.other_versions() == (layout.root / "v2",)
    assert CacheLayout(layout.root / "none").other_versions() == ()


def test_3_21_blobs_have_no_other_names_than_blake3(layout: CacheLayout) -> None:
    with pytest.raises(CacheError, match="not by `sha256`"):
        layout.blob(Digest.parse("sha256:" + "0" * 64))
