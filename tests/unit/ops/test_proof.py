"""What proves that bytes are those that were locked, and what is left of lost sources."""

import hashlib
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

import pytest

from artlock.errors import (
    ManifestError,
    ManyErrors,
    ObjectNotFoundError,
    PolicyError,
    StoreUnavailableError,
)
from artlock.model.lock import LockedArtifact, LockedObject
from artlock.model.objects import ObjectInfo
from artlock.model.tokens import Tokens
from artlock.model.uri import Uri
from artlock.ops import fetch as fetching
from artlock.ops.drift import DriftReport, find_drift
from artlock.ops.fetch import LARGE, Wanted
from artlock.ops.gc import GcOptions, collect
from artlock.ops.resolve import Pins
from artlock.ops.rows import same_state
from artlock.ops.sync import SyncOptions
from artlock.ops.verify import verify
from artlock.stores.base import Pin, Store
from testbed.http_server import HttpServer
from tests.unit.ops.remotes import Remote
from tests.unit.ops.workbench import Workbench


def only_row(bench: Workbench, name: str = "data") -> LockedObject:
    artifact = bench.lock().get(name)
    assert artifact is not None
    (row,) = artifact.objects
    return row


def replace_in(bench: Workbench, *pairs: tuple[str, str], manifest: bool = False) -> None:
    paths = [bench.lockfile, *([bench.root / "artifacts.toml"] if manifest else [])]
    for path in paths:
        text = path.read_text("utf-8")
        for pattern, other in pairs:
            text = re.sub(pattern, other, text)
        path.write_text(text, "utf-8")


# weak etags


@pytest.fixture
def web(http_server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> HttpServer:
    monkeypatch.setenv("ARTLOCK_TRUST", "127.0.0.1")
    return http_server


@pytest.mark.parametrize("pins", [Pins.MOVE, Pins.FORGET])
def test_1_44_bytes_that_changed_under_a_weak_etag_are_read_again(
    bench: Workbench, web: HttpServer, pins: Pins
) -> None:
    web.put("/f", b"hello", etag='W/"1"')
    bench.declare(data=web.url("/f"))
    bench.resolve()
    before = only_row(bench)
    assert find_drift(bench.project()).exit_code == 0  # nothing shows that it differs
    web.put("/f", b"HELLO", etag='W/"1"')
    bench.resolve(pins=pins)
    assert only_row(bench).tokens.blake3 != before.tokens.blake3


def test_1_44_a_weak_etag_says_same_only_beside_a_version() -> None:
    weak = Tokens(etag="W/1")
    uri = Uri.parse("https://example.org/f")
    row = LockedObject("f", 1, str(weak), "")
    assert not same_state(row, ObjectInfo(uri=uri, size=1, tokens=weak))
    strong = LockedObject("f", 1, "etag:1", "")
    assert same_state(strong, ObjectInfo(uri=uri, size=1, tokens=Tokens(etag="1")))


@pytest.mark.parametrize(
    ("tokens", "ranged"),
    [
        (Tokens(etag="W/1"), False),
        (Tokens(etag="1"), True),
        (Tokens.parse(f"md5:{'a' * 32} etag:W/1"), True),  # what was joined is judged
    ],
)
def test_1_44_ranges_of_two_states_never_meet_under_a_weak_etag(
    tokens: Tokens, *, ranged: bool
) -> None:
    pin = Pin(uri=Uri.parse("https://example.org/f"), size=LARGE, etag=tokens.etag)
    item = Wanted(key="f", pin=pin, tokens=tokens, store=cast("Store", None))
    assert fetching._in_ranges(item) is ranged


class _Unsized(BaseHTTPRequestHandler):
    """Answers in chunks, also to HEAD, so that nobody knows a length before the bytes."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("ETag", '"1"')
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(b"5\r\nhello\r\n0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        pass


def test_a_size_that_no_server_told_comes_from_the_cache(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTLOCK_TRUST", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Unsized) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        bench.declare(data=f"http://127.0.0.1:{server.server_port}/f")
        bench.resolve()
        first = only_row(bench)
        again = bench.resolve(pins=Pins.FORGET)
        assert (again.read_size, first.size) == (0, 5)
        assert only_row(bench) == first
        assert find_drift(bench.project()).drifts == ()
        server.shutdown()


# pins


def test_another_rename_moves_no_pin(bench: Workbench) -> None:
    bench.put(x="one", z="z", y="y")
    bench.declare_files('rename = { "z" = "zz" }')
    bench.resolve()
    pins = bench.row("x"), bench.row("zz"), bench.row("y")
    bench.put(x="two", z="other", y="new")
    bench.declare_files('rename = { "x" = "zz", "z" = "x" }')
    bench.resolve()
    assert (bench.row("zz"), bench.row("x"), bench.row("y")) == pins


def test_another_rename_moves_no_pin_of_a_single_file(bench: Workbench) -> None:
    bench.put(x="one")
    bench.declare(data=f"{bench.files_uri}x")
    bench.resolve()
    pin = bench.row("x")
    bench.put(x="two")
    bench.declare('rename = { "x" = "y" }', data=f"{bench.files_uri}x")
    bench.resolve()
    assert bench.row("y") == pin


def test_an_update_tells_what_is_left_of_a_source_that_is_gone(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("a", "1")
    bench.declare(data=remote.uri)
    bench.resolve()
    before = bench.lockfile.read_bytes()
    remote.delete("a")
    with pytest.raises(
        ObjectNotFoundError, match="the source of `data` is gone now"
    ) as told:
        bench.update()
    assert "fetched by version; run `artlock rm data`" in str(told.value.hint)
    assert "artlock update OTHER..." in str(told.value.hint)
    assert bench.lockfile.read_bytes() == before
    bench.declare(data=f"{remote.uri}typed/")
    with pytest.raises(ObjectNotFoundError, match="there is no object") as typed:
        bench.update()
    assert "typing error" in str(typed.value.hint)


# drift


def test_what_was_selected_and_is_no_longer_there_is_deleted(bench: Workbench) -> None:
    bench.put_at("a.bin", "1")
    bench.put_at("z.txt", "z")
    bench.declare_files('include = ["*.bin"]')
    bench.resolve()
    (bench.source / "a.bin").unlink()
    report = find_drift(bench.project())
    assert ([str(d.kind) for d in report.drifts], report.exit_code) == (["gone"], 1)
    bench.declare_files('include = ["*.bni"]')
    typed = find_drift(bench.project())
    assert (typed.drifts, typed.exit_code) == ((), ManifestError.exit_code)


def test_the_gravest_error_decides_how_drift_ends() -> None:
    errors = (StoreUnavailableError("x", uri="u"), PolicyError("y"))
    assert DriftReport(drifts=(), errors=errors, objects=0).exit_code == 4
    assert DriftReport(drifts=(), errors=errors[:1], objects=0).exit_code == 3


# verify


def test_1_2_an_etag_that_is_no_md5_violates_nothing(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("x", "four")
    bench.declare(data=remote.uri)
    bench.resolve()
    replace_in(bench, (r"etag:[0-9a-f]{32}", f"etag:{'a' * 32}"))
    bench.write("data/data/x", "four")
    report = verify(bench.project())
    assert (report.exit_code, report.weak, report.errors) == (0, 1, ())


def test_a_file_is_held_against_the_blob_that_its_row_gave(
    bench: Workbench, remote: Remote
) -> None:
    remote.put("x", "four")
    bench.declare(data=remote.uri)
    bench.resolve()
    bench.sync()
    bench.write("data/data/x", "five")
    assert verify(bench.project()).exit_code == 4


# other places


def test_places_of_equal_bytes_are_looked_up_once(bench: Workbench) -> None:
    count = 30
    for number in range(count):
        bench.put_at(f"f{number}", str(number))
    bench.declare_files()
    bench.resolve()
    bench.forget_cache()
    for path in bench.source.iterdir():
        path.unlink()
    calls: list[None] = []

    def count_calls(frame: object, event: str, _argument: object) -> None:
        code = getattr(frame, "f_code", None)
        if event == "call" and code is LockedArtifact.uris.__code__:
            calls.append(None)

    threading.setprofile(count_calls)
    sys.setprofile(count_calls)
    try:
        with pytest.raises(ManyErrors):
            bench.sync()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    assert len(calls) < 3 * count


def test_5_1_a_twin_outside_of_the_policy_is_not_asked(bench: Workbench) -> None:
    for folder in ("ok", "q", "evil"):
        bench.put_at(f"{folder}/x", "same")
    uri = bench.files_uri
    head = f'[policy]\nallow = ["{uri}ok/", "{uri}q/"]'
    bench.declare(head=head, a=f"{uri}ok/", b=f"{uri}q/")
    bench.resolve()
    (bench.source / "ok/x").unlink()
    locked = bench.lockfile.read_bytes()
    replace_in(bench, (f"{uri}q/", f"{uri}evil/"))
    bench.forget_cache()
    with pytest.raises(ObjectNotFoundError):
        bench.sync("a", options=SyncOptions(frozen=True))
    bench.lockfile.write_bytes(locked)
    assert bench.sync("a").fetched == 1


def test_a_source_that_cannot_be_opened_does_not_stop_the_others(bench: Workbench) -> None:
    bench.put_at("x", "1")
    bench.put_at("q/y", "2")
    uri = bench.files_uri
    bench.declare(a=f"{uri}q/", b=f"{uri}x")
    bench.resolve()
    replace_in(bench, (f"{uri}q/", "s3://nowhere/q/"), manifest=True)
    bench.forget_cache()
    bench.offline = True
    with pytest.raises(StoreUnavailableError):
        bench.sync()
    assert bench.cached() == {"1"}
    assert bench.workspace() == {}


# the cache


def pruned(bench: Workbench) -> int:
    runtime = bench.project().runtime
    return len(collect(runtime, GcOptions(grace_s=-1)).choice.removed)


def test_3_17_what_rows_without_a_digest_gave_is_not_pruned(bench: Workbench) -> None:
    bench.put(x="four")
    bench.declare_files()
    bench.resolve()
    sha256 = hashlib.sha256(b"four").hexdigest()
    replace_in(bench, ("blake3:[0-9a-f]{64}", f"sha256:{sha256}"))
    bench.forget_cache()
    bench.sync()
    (bench.root / ".artlock" / "index").unlink()
    assert pruned(bench) == 0
    assert bench.cached() == {"four"}
    # Whatever the manifest says by now.
    runtime = bench.project().runtime
    (bench.root / "artifacts.toml").write_text("nonsense")
    for record in bench.layout.projects.glob("*.needs"):
        record.unlink()
    assert collect(runtime, GcOptions(grace_s=-1)).choice.removed == ()
    assert bench.cached() == {"four"}
