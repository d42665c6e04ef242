"""What holds for every value of the model, by reflection."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from enum import StrEnum

import msgspec
import pytest

import artlock.model


def classes() -> Iterator[type]:
    for module in pkgutil.iter_modules(artlock.model.__path__):
        name = f"artlock.model.{module.name}"
        for _, cls in inspect.getmembers(importlib.import_module(name), inspect.isclass):
            if cls.__module__ == name:
                yield cls


STRUCTS = [cls for cls in classes() if issubclass(cls, msgspec.Struct)]


@pytest.mark.parametrize("cls", STRUCTS, ids=lambda cls: cls.__name__)
def test_every_struct_is_frozen(cls: type[msgspec.Struct]) -> None:
    assert cls.__struct_config__.frozen


def test_reflection_finds_the_structs() -> None:
    names = {cls.__name__ for cls in STRUCTS}
    assert {"Uri", "Tokens", "Digest", "Lockfile", "LockedObject", "Manifest"} <= names


def test_every_enumeration_is_text() -> None:
    assert {cls.__name__ for cls in classes() if issubclass(cls, StrEnum)} >= {
        "Kind",
        "Trust",
    }
