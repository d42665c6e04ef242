import base64
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from artlock.errors import ConfigError
from artlock.model.lock import Lockfile
from artlock.tracking.wandb.artifact import build, survives
from artlock.tracking.wandb.plan import Entry, entries_of
from tests.registrations import DIGEST_OF_A, lockfile, registration, row, simple_lock, tree

wandb: Any = pytest.importorskip("wandb")


@pytest.fixture(autouse=True)
def _folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("WANDB_DIR", "WANDB_DATA_DIR", "WANDB_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("WANDB_SILENT", "true")
    yield
    wandb.teardown()


def manifest_of(lock: Lockfile, scratch: Path) -> tuple[dict[str, Any], str]:
    artifact = build(wandb, registration(lock), scratch).artifact
    return artifact.manifest.to_manifest_json()["contents"], artifact.digest


def test_the_manifest_is_the_plan_and_the_lockfile(tmp_path: Path) -> None:
    sent = registration(simple_lock())
    contents, _ = manifest_of(simple_lock(), tmp_path)
    lock_entry = contents.pop(".artlock/artifacts.lock")
    md5 = hashlib.md5(sent.text, usedforsecurity=False).digest()
    assert lock_entry["digest"] == base64.b64encode(md5).decode()
    assert lock_entry["size"] == len(sent.text)
    wanted: dict[str, Any] = {}
    for entry in entries_of(sent):
        wanted[entry.path] = {"digest": entry.digest, "ref": entry.uri}
        if entry.size is not None:
            wanted[entry.path] |= {"size": entry.size}
        if entry.extra:
            wanted[entry.path] |= {"extra": dict(entry.extra)}
    assert contents == wanted


def test_an_object_without_bytes_is_kept(tmp_path: Path) -> None:
    tokens = f"{DIGEST_OF_A} etag:d41d8cd98f00b204e9800998ecf8427e"
    contents, _ = manifest_of(lockfile(tree("val", row("a", 0, tokens=tokens))), tmp_path)
    assert contents["val/a"]["size"] == 0


def test_equal_locks_have_equal_digests_and_others_do_not(tmp_path: Path) -> None:
    _, first = manifest_of(simple_lock("v-1"), tmp_path)
    _, same = manifest_of(simple_lock("v-1"), tmp_path)
    _, other = manifest_of(simple_lock("v-2"), tmp_path)
    assert first == same
    assert first != other


def test_links_are_counted_and_told(tmp_path: Path) -> None:
    built = build(wandb, registration(simple_lock()), tmp_path)
    assert built.links == sum(bool(e.link) for e in entries_of(registration(simple_lock())))
    assert built.warnings


def test_an_entry_that_does_not_survive_is_seen() -> None:
    def drops_extra(artifact: Any, entry: Entry) -> None:  # noqa: ANN401 - W&B's
        artifact.add_reference(entry.uri, name=entry.path, checksum=False)

    def raises(artifact: Any, entry: Entry) -> None:  # noqa: ANN401 - W&B's
        artifact.manifest.no_such_method(entry)

    assert not survives(wandb, drops_extra)
    assert not survives(wandb, raises)


def test_a_client_that_changes_entries_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb.sdk.artifacts.artifact_manifest_entry as entries  # noqa: PLC0415 - changed here

    def without_extra(entry: Any, **_: object) -> dict[str, str]:  # noqa: ANN401 - W&B's
        return {"digest": entry.digest}

    monkeypatch.setattr(entries.ArtifactManifestEntry, "model_dump", without_extra)
    with pytest.raises(ConfigError, match="takes no references with a version"):
        build(wandb, registration(simple_lock()), tmp_path)


def test_many_rows_take_seconds(tmp_path: Path) -> None:
    tokens = f"{DIGEST_OF_A} etag:6654c734ccab8f440ff0825eb443dc7f"
    rows = [row(f"{n:06}.bin", n, tokens=tokens, version=f"v-{n}") for n in range(5_000)]
    sent = registration(lockfile(tree("val", *rows)))
    start = time.process_time()
    built = build(wandb, sent, tmp_path)
    assert len(built.artifact.manifest.entries) == 5_001
    assert time.process_time() - start < 3
