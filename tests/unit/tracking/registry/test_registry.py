"""What the registry adds to the contract of trackers."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from artlock.errors import ConfigError, RefNotFoundError, RegistrationRefusedError
from artlock.model.lock import MAX_SIZE
from artlock.model.refs import Ref
from artlock.model.registration import Labels, Run
from artlock.tracking.registry import Registry
from tests.registrations import lockfile, registration, row, simple_lock, tree

FIRST, SECOND = Run(id="train-1", service="mlflow"), Run(id="train-1")


def test_a_run_that_made_the_same_lock_again_is_known_too(registry: Registry) -> None:
    registry.register(registration(simple_lock(), run=FIRST))
    again = registry.register(registration(simple_lock(), run=SECOND))
    assert not again.created
    assert again.version is not None
    assert registry.lineage(again.version).produced == (FIRST, SECOND)
    assert registry.lineage(again.version).consumed == ()


def test_inputs_come_back_in_the_order_in_which_they_were_recorded(
    registry: Registry,
) -> None:
    version = registry.register(registration(simple_lock())).version
    assert version is not None
    for run in (SECOND, FIRST, SECOND):
        registry.record_input(version, run)
    assert registry.lineage(version).consumed == (SECOND, FIRST)


def test_a_key_of_the_metadata_gets_the_new_text(registry: Registry) -> None:
    old, new = (Labels(meta=(("note", text), ("other", "x"))) for text in ("old", "new"))
    registry.register(registration(simple_lock(), labels=old))
    version = registry.register(registration(simple_lock(), labels=new)).version
    assert version is not None
    assert version.labels.meta == (("note", "new"), ("other", "x"))
    assert registry.find(Ref(name="data")) == version


def test_a_push_that_changes_nothing_writes_nothing(
    tmp_path: Path, open_sqlite: Callable[[], Registry]
) -> None:
    labels = Labels(aliases=("prod",), tags=("a",), meta=(("k", "v"),))
    sent = registration(simple_lock(), labels=labels, run=FIRST)
    open_sqlite().register(sent)
    with closing(sqlite3.connect(tmp_path / "registry.db", isolation_level=None)) as held:
        held.execute("begin immediate")  # whoever wants to write would wait
        registry = open_sqlite()
        assert not registry.register(sent).created
        version = registry.find(Ref(name="data"))
        registry.close()
    registry = open_sqlite()
    registry.record_input(version, SECOND)
    with closing(sqlite3.connect(tmp_path / "registry.db", isolation_level=None)) as held:
        held.execute("begin immediate")
        registry.record_input(version, SECOND)


def test_labels_move_without_a_new_version(registry: Registry) -> None:
    registry.register(registration(simple_lock("v-1")))
    registry.register(registration(simple_lock("v-2")))
    again = registration(simple_lock("v-1"), labels=Labels(aliases=("prod",)))
    outcome = registry.register(again)
    assert not outcome.created
    assert registry.find(Ref(name="data", alias="prod")).number == 1
    assert registry.find(Ref(name="data")).number == 2


def test_an_alias_belongs_to_its_name(registry: Registry) -> None:
    labels = Labels(aliases=("prod",))
    registry.register(registration(simple_lock("v-1"), labels=labels))
    registry.register(registration(simple_lock("v-2"), "other", labels=labels))
    for name, digest in (("data", "v-1"), ("other", "v-2")):
        found = registry.find(Ref(name=name, alias="prod"))
        assert found.digest == registration(simple_lock(digest)).digest
        assert found.number == 1


def test_a_version_of_another_registry_is_not_found(registry: Registry) -> None:
    version = registry.register(registration(simple_lock())).version
    assert version is not None
    other = replace(version, digest=registration(simple_lock("v-2")).digest)
    works: tuple[Callable[[], object], ...] = (
        lambda: registry.fetch(other),
        lambda: registry.lineage(other),
        lambda: registry.record_input(other, FIRST),
    )
    for work in works:
        with pytest.raises(RefNotFoundError) as caught:
            work()
        assert caught.value.ref == "data:v1"


def test_what_the_tables_cannot_hold_is_refused(registry: Registry) -> None:
    huge = lockfile(tree("val", row("a", MAX_SIZE), row("b", 1)))
    good = registration(simple_lock())
    for sent, reason in (
        (registration(huge), "2\\^63"),
        (replace(good, name="not a name"), "not a name"),
        (replace(good, digest="blake3:" + "0" * 64), "another digest"),
    ):
        with pytest.raises(RegistrationRefusedError, match=reason):
            registry.register(sent)
    assert list(registry.names()) == []


def test_numbers_beyond_all_are_not_found_and_a_negative_limit_is_refused(
    registry: Registry,
) -> None:
    registry.register(registration(simple_lock()))
    for number in (0, -1, 1 << 31, 1 << 63, 1 << 70):
        with pytest.raises(RefNotFoundError):
            registry.find(Ref(name="data", number=number))
    for limit, count in ((0, 0), (1, 1), (1 << 31, 1), (1 << 70, 1)):
        assert len(registry.versions("data", limit=limit)) == count
    with pytest.raises(ConfigError, match="-1"):
        registry.versions("data", limit=-1)


@pytest.mark.parametrize("text", ["nul\0", "half \ud800"])
def test_odd_text_is_not_found(registry: Registry, text: str) -> None:
    version = registry.register(registration(simple_lock())).version
    assert version is not None
    works: tuple[Callable[[], object], ...] = (
        lambda: registry.find(Ref(name="data", alias=text)),
        lambda: registry.find(Ref(name=text)),
        lambda: registry.versions(text),
        lambda: registry.fetch(replace(version, name=text)),
        lambda: registry.lineage(replace(version, digest=text)),
    )
    for work in works:
        with pytest.raises(RefNotFoundError):
            work()


def test_labels_and_runs_that_are_too_long_to_be_looked_for_are_refused(
    registry: Registry,
) -> None:
    long = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=9000))  # noqa: S311 - made-up data
    good = registration(simple_lock())
    version = registry.register(good).version
    assert version is not None
    for sent in (
        replace(good, labels=Labels(aliases=(long,))),
        replace(good, labels=Labels(tags=(long,))),
        replace(good, labels=Labels(meta=((long, "x"),))),
        replace(good, run=Run(id=long)),
    ):
        with pytest.raises(RegistrationRefusedError, match="longer"):
            registry.register(sent)
    with pytest.raises(RegistrationRefusedError, match="longer"):
        registry.record_input(version, Run(id=long))
    registry.register(replace(good, labels=Labels(meta=(("note", long),))))


def test_names_differ_by_case_and_are_sorted_by_bytes(registry: Registry) -> None:
    for name in ("b", "a", "B", "_"):
        registry.register(registration(simple_lock(), name))
    assert list(registry.names()) == ["B", "_", "a", "b"]


def test_it_may_be_closed_twice_and_used_again(registry: Registry) -> None:
    registry.register(registration(simple_lock()))
    registry.close()
    registry.close()
    assert len(registry.versions("data")) == 1
