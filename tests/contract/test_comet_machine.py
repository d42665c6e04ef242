"""Comet through its real SDK: what of this machine its client may read, load and take."""

import base64
import gzip
import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from artlock.errors import RefNotFoundError, TrackingError
from artlock.model.refs import Ref
from artlock.model.registration import Run
from artlock.tracking.comet import messages
from artlock.tracking.comet.process import ClientProcess, Clock
from testbed.comet import API_KEY, CometServer
from testbed.faults import Fault
from tests.contract.comet_place import URL, WORKSPACE, CometPlace, refusal, to
from tests.registrations import registration, simple_lock

pytestmark = pytest.mark.trackers

SENT = registration(simple_lock())
TRAP = "from pathlib import Path\nPath({!r}).touch()\n"


def test_only_key_and_server_of_the_persons_own_file_count(
    comet: CometPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository could send the key elsewhere, or have a file written.

    One client for all of it: a start of it is dear.
    """
    theirs, trap = "0123456789abcdef" * 2, tmp_path / "written"
    with CometServer() as elsewhere:
        tmp_path.joinpath(".env").write_text(
            f"COMET_URL_OVERRIDE={elsewhere.clientlib}\nCOMET_LOGGING_FILE={trap}\n",
            "utf-8",
        )
        tmp_path.joinpath(".comet.config").write_text(
            f"[comet]\nurl_override={elsewhere.clientlib}\n", "utf-8"
        )
        monkeypatch.chdir(tmp_path)
        Path.home().joinpath(".comet.config").write_text(
            f"[comet]\napi_key={API_KEY}\nurl_override={comet.server.clientlib}\n"
            f"experiment_key={theirs}\n",
            "utf-8",
        )
        netrc = Path.home() / ".netrc"
        netrc.write_text("machine 127.0.0.1 login ada password lovelace\n", "ascii")
        netrc.chmod(0o600)
        comet.server.fail(refusal("/remote/batch", 400, text=f"what is {API_KEY}?"))
        # Nor is the key repeated that only the client has read.
        with (
            closing(comet.tracker(environ={})) as tracker,
            pytest.raises(TrackingError, match=r"what is \*\*\*\?"),
        ):
            tracker.register(SENT)
        assert elsewhere.calls == ()
    assert not trap.exists()
    (started,) = comet.server.calls_to("/logger/add/run")
    assert started.json["experimentKey"] != theirs
    login = base64.b64encode(b"ada:lovelace").decode()
    told = [call.headers.get("authorization", "") for call in comet.server.calls]
    assert API_KEY in told
    assert not [header for header in told if login in header]


def test_its_last_words_have_no_key_that_only_it_has_read(comet: CometPlace) -> None:
    Path.home().joinpath(".comet.config").write_text(
        f"[comet]\napi_key={API_KEY}\n", "utf-8"
    )
    process = ClientProcess(comet.context(environ={}), "comet://w/p")
    with (
        closing(process),
        pytest.raises(TrackingError, match=r"ended by itself: .*'\*\*\*'"),
    ):
        # No request has this tag, and the complaint repeats it.
        process.ask(Unknown(key=API_KEY), messages.Done, Clock(30))  # type: ignore[arg-type] # not one


class Unknown(msgspec.Struct, tag=API_KEY):
    key: str


def test_nothing_of_the_working_folder_is_loaded(comet: CometPlace, tmp_path: Path) -> None:
    project, traps = tmp_path / "project", tmp_path / "traps"
    traps.mkdir()
    for name in ("sitecustomize.py", "comet_ml/__init__.py", "requests/__init__.py"):
        file = project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(TRAP.format(str(traps / name.partition("/")[0])), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "artlock", "versions", "data", "--to", str(URL)],
        cwd=project,
        env={**os.environ, **comet.server.environ, "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "has no `data`" in done.stderr
    assert comet.server.calls_to("/artifacts/get")
    assert not list(traps.iterdir())


def test_odd_answers_harm_nobody(comet: CometPlace) -> None:
    """Half a character, values nested beyond all measure, and more than there can be."""
    deep = '{"artlock_extra":' + "[" * 100_000 + "]" * 100_000 + "}"
    odd = {
        "artifactVersionId": "1",
        "version": "1.0.0",
        "state": "CLOSED",
        "alias": ["\ud800"],
        "tags": [],
    }
    listed = json.dumps({"versions": [{**odd, "metadata": t} for t in (deep, "\ud800")]})
    with comet.open() as tracker:
        comet.server.fail(
            Fault(
                kind="status",
                matches=to("/artifacts/get"),
                status=200,
                body=listed.encode(),
                headers={"Content-Type": "application/json"},
            )
        )
        with pytest.raises(RefNotFoundError):
            tracker.find(Ref(name="data"))
        comet.server.fail()
        # It is the same client that goes on.
        assert tracker.register(SENT).created


def test_an_answer_without_an_end_is_too_large(comet: CometPlace) -> None:
    member = gzip.compress(bytes(1 << 26), 1)
    comet.server.fail(
        Fault(
            kind="status",
            matches=to("/artifacts/get"),
            status=200,
            body=member * 10,
            headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
        )
    )
    with comet.open() as tracker:
        with pytest.raises(TrackingError, match="ran out of memory"):
            tracker.find(Ref(name="data"))
        comet.server.fail()
        with pytest.raises(RefNotFoundError):
            tracker.find(Ref(name="data"))


def test_a_variable_that_names_no_experiment_is_remarked(comet: CometPlace) -> None:
    said: list[str] = []
    variables = {**comet.server.environ, "COMET_EXPERIMENT_KEY": "train-7"}
    run = Run(id="train-7", service="comet")
    with closing(comet.tracker(environ=variables, notice=said.append)) as tracker:
        assert tracker.register(registration(simple_lock(), run=run)).created
    assert len(said) == 1
    assert "`COMET_EXPERIMENT_KEY` is no key of an experiment" in said[0]
    assert comet.server.versions(WORKSPACE, "data")[0].experiment != "train-7"
