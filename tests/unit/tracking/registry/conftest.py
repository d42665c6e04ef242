"""Registries in both databases."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artlock.model.uri import Uri
from artlock.tracking.base import TrackerContext
from artlock.tracking.registry import Registry, open_registry

OpenRegistry = Callable[[], Registry]


def context_at(folder: Path, deadline_s: float = 120.0) -> TrackerContext:
    return TrackerContext(
        environ=dict(os.environ), base=folder, scratch=folder, deadline_s=deadline_s
    )


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a file of an empty registry, so that not each test makes its tables."""
    folder = tmp_path_factory.mktemp("empty")
    registry = open_registry(folder / "empty.db", context_at(folder))
    with registry._database.reading():
        pass
    registry.close()
    return (folder / "empty.db").read_bytes()


@pytest.fixture
def made(tmp_path: Path, empty_file: bytes) -> None:
    """Put an empty registry to where ``open_sqlite`` and SQLite's URL find it."""
    (tmp_path / "registry.db").write_bytes(empty_file)


@pytest.fixture(params=["sqlite", "postgresql"])
def registry_url(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return "sqlite:///registry.db"
    return str(request.getfixturevalue("postgresql").create_schema())


@pytest.fixture
def open_again(registry_url: str, tmp_path: Path) -> Iterator[OpenRegistry]:
    """Return what opens a registry, each time with a connection of its own."""
    opened: list[Registry] = []

    def open_one() -> Registry:
        opened.append(open_registry(Uri.parse(registry_url), context_at(tmp_path)))
        return opened[-1]

    yield open_one
    for registry in opened:
        registry.close()


@pytest.fixture
def registry(open_again: OpenRegistry) -> Registry:
    return open_again()


@pytest.fixture
def open_sqlite(tmp_path: Path) -> Iterator[OpenRegistry]:
    """Return what opens ``registry.db`` in the test's folder."""
    opened: list[Registry] = []

    def open_one() -> Registry:
        opened.append(open_registry(Path("registry.db"), context_at(tmp_path)))
        return opened[-1]

    yield open_one
    for registry in opened:
        registry.close()
