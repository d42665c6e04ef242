"""The law of sync: the workspace becomes the lockfile, and no byte of a person is lost."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from artlock.errors import ConflictError
from artlock.ops.sync import SyncOptions
from tests.unit.ops.workbench import Workbench

PATHS = st.sampled_from(["a", "b", "d", "d/a", "d/b", "d/e/a", "n"])
"""``d`` is a file here and a folder there: transitions of both kinds come up."""
TEXTS = st.sampled_from(["", "one", "two", "three"])


def _is_consistent(paths: set[str]) -> bool:
    return not any(other.startswith(f"{path}/") for path in paths for other in paths)


class Sync(RuleBasedStateMachine):
    """A source that changes, a person who edits, and syncs in between.

    Whatever a person wrote has a text of its own, so that it can be looked for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="artlock-sync-"))
        self.bench = Workbench(self.folder / "bench")
        self.bench.put_at("n", "never empty")
        self.bench.declare_files()
        self.bench.update(allow_shrink=True)
        self.written: set[str] = set()
        """What a person wrote and did not delete by their own hand."""
        self.count = 0

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @property
    def place(self) -> Path:
        return self.bench.root / "data/data"

    def person_writes(self, path: str) -> str:
        self.count += 1
        text = f"mine {self.count}"
        self.bench.write(f"data/data/{path}", text)
        self.written.add(text)
        return text

    def mine_at(self, path: Path) -> set[str]:
        """Return what a person wrote that is at or below a path, before it goes."""
        files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        return {file.read_text() for file in files}

    @rule(files=st.dictionaries(PATHS, TEXTS, max_size=5))
    def the_source_changes(self, files: dict[str, str]) -> None:
        if not _is_consistent(set(files) | {"n"}):
            return
        for path in self.bench.source.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.bench.put_at("n", "never empty")
        for name, text in files.items():
            self.bench.put_at(name, text)
        self.bench.update(allow_shrink=True)

    @rule(path=PATHS)
    def a_person_writes(self, path: str) -> None:
        target = self.place / path
        if target.is_dir() or any(p.is_file() for p in target.parents):
            return
        if target.exists():
            self.written -= self.mine_at(target)
        self.person_writes(path)

    @rule(path=PATHS)
    def a_person_deletes(self, path: str) -> None:
        target = self.place / path
        if target.is_dir():
            self.written -= self.mine_at(target)
            shutil.rmtree(target)
        elif target.exists():
            self.written -= self.mine_at(target)
            target.unlink()

    @rule(path=PATHS)
    def a_person_edits_in_place_and_keeps_the_time(self, path: str) -> None:
        target = self.place / path
        if not target.is_file():
            return
        self.written -= self.mine_at(target)
        before = target.stat()
        self.count += 1
        text = f"mine {self.count}"
        target.write_text(text)
        self.written.add(text)
        os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))

    @rule()
    @precondition(lambda self: self.place.exists())
    def a_person_makes_a_fifo_of_n(self) -> None:
        target = self.place / "n"
        if target.is_file():
            self.written -= self.mine_at(target)
            target.unlink()
            os.mkfifo(target)

    @rule()
    def the_index_is_lost(self) -> None:
        (self.bench.root / ".artlock/index").unlink(missing_ok=True)

    @rule()
    def the_cache_is_lost(self) -> None:
        # Copies that artlock counted on go too: what a person wrote must be elsewhere.
        if not any(text in self.written for text in self.bench.cached()):
            shutil.rmtree(self.bench.cache, ignore_errors=True)

    @rule(force=st.booleans(), exact=st.booleans())
    def sync(self, *, force: bool, exact: bool) -> None:
        before = self.files()
        try:
            self.bench.sync(options=SyncOptions(force=force, exact=exact))
        except ConflictError:
            assert not force
            assert self.files() == before
            return
        wanted = self.locked()
        found = self.files()
        assert {path: found.get(path) for path in wanted} == wanted
        if exact:
            assert found == wanted
        assert self.bench.status().is_clean
        assert self.bench.sync().plan.is_empty
        assert self.files() == found

    @invariant()
    def no_byte_of_a_person_is_lost(self) -> None:
        kept = set(self.files().values()) | self.bench.trash() | self.bench.cached()
        assert self.written <= kept

    @invariant()
    def every_blob_is_what_its_name_says(self) -> None:
        assert all(b.stat().st_mode & 0o222 == 0 for b in self.bench.blobs())

    def files(self) -> dict[str, str]:
        return {
            path.relative_to(self.place).as_posix(): path.read_text()
            if stat.S_ISREG(path.lstat().st_mode)
            else "special"
            for path in self.place.rglob("*")
            if not path.is_dir()
        }

    def locked(self) -> dict[str, str]:
        return {
            path.relative_to(self.bench.source).as_posix(): path.read_text()
            for path in self.bench.source.rglob("*")
            if path.is_file()
        }


TestSync = Sync.TestCase
TestSync.settings = settings(max_examples=25, stateful_step_count=15)
