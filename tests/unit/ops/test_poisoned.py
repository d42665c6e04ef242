"""A cache that somebody else filled, as CI restores it: right bytes, or none."""

import hashlib
import os
import re
import shutil
import sqlite3
import struct
from pathlib import Path

import pytest
from blake3 import blake3

from artlock.cache.database import proof
from artlock.model.settings import LinkMode
from artlock.ops.sync import SyncOptions
from tests.unit.ops.remotes import Remote
from tests.unit.ops.workbench import Workbench

EVIL = b"evil"


@pytest.fixture
def another_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin on another machine: a job has a cache from elsewhere and a new home."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def locked_by_sha256(bench: Workbench, text: str) -> None:
    """Lock an object by a digest that names no blob."""
    bench.put(a=text)
    bench.declare_files()
    bench.resolve()
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    lockfile = bench.lockfile.read_text()
    lockfile = re.sub("blake3:[0-9a-f]{64}", f"sha256:{sha256}", lockfile)
    bench.lockfile.write_text(lockfile)
    bench.forget_cache()


def poison(bench: Workbench, key: bytes) -> None:
    """Let every row that was learnt lead to other bytes, sealed with some key."""
    digest = blake3(EVIL)
    blob = bench.cache / "v1/blobs/blake3" / digest.hexdigest()[:2] / digest.hexdigest()[2:]
    blob.parent.mkdir(exist_ok=True)
    blob.write_bytes(EVIL)
    with sqlite3.connect(bench.cache / "v1/index.sqlite") as connection:
        for (pin,) in connection.execute("select key from seen").fetchall():
            sealed = proof(pin, digest.digest(), key=key)
            row = (digest.digest(), sealed, pin)
            connection.execute("update seen set digest = ?, proof = ? where key = ?", row)
    connection.close()


def emptied(bench: Workbench) -> None:
    shutil.rmtree(bench.root / "data")
    shutil.rmtree(bench.root / ".artlock")


@pytest.mark.usefixtures("another_home")
@pytest.mark.parametrize("key", [bytes(32), os.urandom(32)], ids=["zeros", "random"])
def test_3_20_a_row_does_not_lead_to_bytes_that_its_digest_denies(
    bench: Workbench, key: bytes
) -> None:
    locked_by_sha256(bench, "good")
    bench.sync()
    emptied(bench)
    poison(bench, key)
    assert bench.sync().fetched == 1
    assert bench.data() == {"a": "good"}


def test_3_20_a_row_that_nothing_proves_is_fetched_again(
    bench: Workbench, remote: Remote, another_home: None
) -> None:
    del another_home
    remote.put("a", "good")
    bench.declare(data=remote.uri)
    bench.resolve()
    # Its version alone is left: the store says nothing of the bytes.
    text = re.sub(r'"[^"]*etag:[0-9a-f]+"', '""', bench.lockfile.read_text())
    bench.lockfile.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(bench.folder / "elsewhere"))
        assert bench.sync().weak == 1
    emptied(bench)
    poison(bench, bytes(32))
    assert bench.sync().fetched == 1
    assert bench.data() == {"a": "good"}


def test_3_20_what_another_machine_learnt_is_used_once_it_is_proven(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked_by_sha256(bench, "good")
    bench.sync()
    bench.source.rename(bench.folder / "away")
    for name in ("one", "two"):
        emptied(bench)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / name))
        assert bench.sync().fetched == 0
        assert bench.data() == {"a": "good"}


@pytest.mark.usefixtures("another_home")
def test_3_20_a_blob_is_not_believed_to_have_been_read_elsewhere(bench: Workbench) -> None:
    bench.put(a="good")
    bench.declare_files()
    bench.resolve()
    bench.sync()
    emptied(bench)
    (blob,) = bench.blobs()
    blob.chmod(0o600)
    blob.write_bytes(EVIL)
    blob.chmod(0o444)
    found = blob.stat()
    stamp = struct.pack(
        "<QQqq", found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    )
    name = bytes.fromhex(blob.parent.name + blob.name)
    with sqlite3.connect(bench.cache / "v1/index.sqlite") as connection:
        row = (name, stamp, proof(name, stamp, key=bytes(32)))
        connection.execute("insert or replace into hashed values (?, ?, ?)", row)
    connection.close()
    bench.sync(options=SyncOptions(link_mode=LinkMode.HARDLINK))
    assert bench.data() == {"a": "good"}
    assert len(list((bench.cache / "v1/quarantine").iterdir())) == 1
