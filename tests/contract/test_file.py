"""FileStore: the contract, absolute and relative."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from artlock.model.uri import Uri
from artlock.stores.base import StoreContext
from artlock.stores.file import FileStore
from testbed.faults import Fault
from tests.contract.store_contract import StoreContract


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePlace:
    """A folder, named as a URI."""

    root: Uri
    folder: Path
    project: Path

    @property
    def nowhere(self) -> Uri:
        return self.root.child("nowhere/")

    def uri(self, path: str) -> Uri:
        return self.root.child(path)

    def put(self, path: str, body: bytes) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)

    def delete(self, path: str) -> None:
        (self.folder / path).unlink()

    @contextmanager
    def open(self, *faults: Fault) -> Iterator[FileStore]:
        assert not faults
        store = FileStore(self.root, StoreContext(project=self.project))
        yield store
        store.close()


class _FileContract(StoreContract):
    has_versions = False
    has_etags = False
    has_markers = False
    has_buckets = False
    has_network = False


class TestFile(_FileContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> FilePlace:
        folder = tmp_path / "my data#1"
        folder.mkdir()
        return FilePlace(
            root=Uri.parse(f"{folder}/"),
            folder=folder,
            project=tmp_path / "elsewhere",
        )


class TestRelativeFile(_FileContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> FilePlace:
        folder = tmp_path / "project" / "raw" / "images"
        folder.mkdir(parents=True)
        return FilePlace(
            root=Uri.parse("raw/images/"),
            folder=folder,
            project=tmp_path / "project",
        )
