import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from artlock.model.registration import Labels, Registration
from artlock.model.uri import Uri
from artlock.tracking.base import TrackerContext
from artlock.tracking.wandb import open_tracker
from artlock.tracking.wandb.plan import entries_of, metadata_of
from testbed.wandb_file import artifacts
from tests.registrations import registration, simple_lock

pytest.importorskip("wandb")


def written(folder: Path, *sent: Registration) -> list[Any]:
    context = TrackerContext(
        environ={"WANDB_MODE": "offline"},
        base=folder,
        scratch=Path(tempfile.mkdtemp(dir=folder)),
    )
    tracker = open_tracker(Uri.parse("wandb://team/vision"), context)
    for one in sent:
        assert tracker.register(one).queued
    return artifacts(folder / "wandb")


def test_the_file_holds_what_was_planned(tmp_path: Path) -> None:
    labels = Labels(aliases=("prod",), tags=("night",), meta=(("note", "x"),))
    sent = registration(simple_lock(), labels=labels)
    (artifact,) = written(tmp_path, sent)
    label = f"lock-{sent.short}"
    assert (artifact.name, artifact.type) == ("data", "dataset")
    assert (artifact.entity, artifact.project) == ("team", "vision")
    assert set(artifact.aliases) == {"latest", "prod", label}
    assert set(artifact.tags) == {"night", label}
    assert json.loads(artifact.metadata) == metadata_of(sent)
    contents = {entry.path: entry for entry in artifact.manifest.contents}
    lock = contents.pop(".artlock/artifacts.lock")
    # Beside the run, so that it is there when `wandb sync` asks for it.
    assert Path(lock.local_path).is_relative_to(tmp_path / "wandb" / "artlock")
    assert Path(lock.local_path).read_bytes() == sent.text
    for entry in entries_of(sent):
        found = contents.pop(entry.path)
        extra = {one.key: json.loads(one.value_json) for one in found.extra}
        assert (found.ref, found.digest) == (entry.uri, entry.digest)
        assert found.size == (entry.size or 0)
        assert extra == dict(entry.extra)
    assert not contents


def test_digests_differ_as_the_locks_do(tmp_path: Path) -> None:
    first, other, named = written(
        tmp_path,
        registration(simple_lock()),
        registration(simple_lock("v-2")),
        registration(simple_lock(), "other"),
    )
    by_name = {a.name: a.digest for a in (first, other, named) if a.name == "other"}
    digests = {a.digest for a in (first, other, named)}
    assert len(digests) == 2
    assert set(by_name.values()) <= digests


def test_the_note_says_what_was_registered(tmp_path: Path) -> None:
    sent = registration(simple_lock(), labels=Labels(aliases=("prod",)))
    written(tmp_path, sent)
    (note,) = (tmp_path / "wandb").glob("offline-run-*/artlock.json")
    found = msgspec.json.decode(note.read_bytes())
    assert (found["name"], found["digest"]) == ("data", sent.digest)
    assert found["aliases"] == ["prod"]
