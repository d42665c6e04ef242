import base64
import hashlib
import json
import os
from pathlib import Path

import pytest

from artlock.errors import IntegrityError, ManyErrors, StoreError, UnsafePathError
from artlock.ops.importing import Imported, Wish, adopt
from artlock.ops.runtime import Runtime
from testbed.http_server import HttpServer
from tests.unit.ops.remotes import Remote
from tests.unit.ops.workbench import Workbench

WRONG = base64.b64encode(bytes(16)).decode()


def md5(text: str) -> str:
    return base64.b64encode(
        hashlib.md5(text.encode(), usedforsecurity=False).digest()
    ).decode()


def adopted(
    bench: Workbench, name: str, text: str, *, frozen: bool = False, base: str | None = None
) -> Imported:
    bench.declare()
    file = bench.root / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    runtime = Runtime.load(os.environ, cache_dir=bench.cache, jobs=2)
    return adopt(bench.root, runtime, file, Wish(frozen=frozen, base=base))


def manifest(source: Path, **entries: dict[str, object]) -> str:
    contents = {
        name: {"ref": (source / name).as_uri(), **entry} for name, entry in entries.items()
    }
    return json.dumps({"version": 1, "contents": contents})


def test_a_digest_is_compared_although_the_size_is_missing(bench: Workbench) -> None:
    bench.put(a="1", b="22")
    text = manifest(bench.source, a={"digest": WRONG}, b={"digest": md5("22")})
    with pytest.raises(IntegrityError, match=r"does not match `m\.json`") as raised:
        adopted(bench, "m.json", text)
    assert raised.value.expected == f"md5:{'0' * 32}"
    with pytest.raises(ManyErrors, match="2 objects are not what was pinned"):
        adopted(
            bench,
            "m.json",
            manifest(bench.source, a={"digest": WRONG}, b={"digest": WRONG}),
        )
    assert not bench.lockfile.exists()


def test_a_pin_with_a_size_stays_beside_one_without(bench: Workbench) -> None:
    bench.put(a="1", b="22")
    text = manifest(bench.source, a={"digest": WRONG, "size": 9}, b={"digest": md5("22")})
    (locked,) = adopted(bench, "m.json", text).locked
    a, b = locked.objects
    assert (a.size, a.checksum) == (9, f"md5:{'0' * 32}")
    assert (b.size, b.trust, len(b.tokens.checksums)) == (2, "strong", 1)


def test_without_a_source_nothing_is_locked_by_halves(bench: Workbench) -> None:
    text = manifest(bench.source, a={"digest": WRONG, "size": 9}, b={"digest": WRONG})
    found = adopted(bench, "m.json", text, frozen=True)
    assert (found.locked, found.left) == ((), ("m",))


def test_a_version_that_cannot_be_asked_for_is_not_taken_for_used(
    bench: Workbench, http_server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTLOCK_TRUST", "127.0.0.1")
    http_server.put("/k", b"1", etag='W/"x"')
    dep = f"deps:\n- path: {http_server.url('/k')}\n  "
    with pytest.raises(StoreError, match="keeps no versions"):
        adopted(bench, "k.dvc", f"{dep}version_id: v\nouts:\n- path: k\n")
    with pytest.raises(IntegrityError) as raised:
        adopted(bench, "k.dvc", f"{dep}etag: y\nouts:\n- path: k\n")
    assert (raised.value.expected, raised.value.actual) == ("etag:y", "etag:W/x")
    found = adopted(bench, "k.dvc", f'{dep}etag: W/"x"\nouts:\n- path: k\n')
    assert found.places == {"k": "k"}


def test_a_version_that_the_store_passes_over_is_not_taken_for_used(
    bench: Workbench, unversioned: Remote
) -> None:
    unversioned.put("k", "now")
    dep = f"deps:\n- path: {unversioned.uri}k\n  version_id: v1\n"
    with pytest.raises(StoreError, match="was asked for at version `v1`"):
        adopted(bench, "k.dvc", f"{dep}outs:\n- path: k\n")
    assert not bench.lockfile.exists()


def test_a_repository_of_dvc_begins_where_its_folder_is(bench: Workbench) -> None:
    text = "outs:\n- path: k\n  size: 1\n  cloud:\n    r:\n      version_id: v\n"
    (locked,) = adopted(bench, "ml/k.dvc", text, base="s3://b").locked
    assert str(locked.declared.uri) == "s3://b/ml/k"
    bench.lockfile.unlink()
    (bench.root / "ml/.dvc").mkdir()
    found = adopted(bench, "ml/k.dvc", text, base="s3://b")
    assert str(found.locked[0].declared.uri) == "s3://b/k"
    assert found.places == {"k": "ml/k"}


@pytest.mark.parametrize(
    "place", [".envrc", ".github/workflows/ci.yml", "a/.gitattributes", "con", "x:y"]
)
def test_a_pin_places_nothing_that_steers(bench: Workbench, place: str) -> None:
    text = f"deps:\n- path: s3://b/k\n  size: 1\nouts:\n- path: {place}\n"
    with pytest.raises(UnsafePathError, match="where data may not be"):
        adopted(bench, "k.dvc", text)
    assert not bench.lockfile.exists()
