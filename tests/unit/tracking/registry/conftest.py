"""Registries in both databases."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artlock.model.uri import Uri
from artlock.tracking.base import TrackerContext
from artlock.tracking.registry import Registry, open_registry

OpenRegistry = Callable[[], Registry]


def context_at(folder: Path, **more: float) -> TrackerContext:
    return TrackerContext(environ=dict(os.environ), base=folder, scratch=folder, **more)


@pytest.fixture(params=["sqlite", "postgresql"])
def registry_url(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return "sqlite:///registry.db"
    return str(request.getfixturevalue("postgresql").create_database())


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
