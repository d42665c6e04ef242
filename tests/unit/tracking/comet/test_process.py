"""comet.process: what the client's process is told, and how it ends."""

import os
import sys
from contextlib import closing
from pathlib import Path

import pytest

import artlock
from artlock.errors import ConfigError, TrackingError
from artlock.tracking.base import TrackerContext
from artlock.tracking.comet import messages
from artlock.tracking.comet.process import (
    ClientProcess,
    Clock,
    environment_of,
    folder_of_client,
    folders_of_modules,
)


def test_only_what_the_client_needs_is_passed_on(tmp_path: Path) -> None:
    told = environment_of(
        {
            "COMET_API_KEY": "key",
            "COMET_URL_OVERRIDE": "https://comet.example/clientlib/",
            "COMET_EXPERIMENT_KEY": "of somebody's run",
            "COMET_LOGGING_FILE": "/somewhere",
            "COMET_AUTO_LOG_CODE": "true",
            "COMET_HTTP_SESSION_RETRY_TOTAL": "7",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "GOOGLE_APPLICATION_CREDENTIALS": "/key.json",
            "https_proxy": "http://proxy:8080",
            "HOME": "/home/ada",
            "PYTHONSTARTUP": "/x.py",
        },
        str(tmp_path),
    )
    assert told["COMET_API_KEY"] == "key"
    assert told["COMET_URL_OVERRIDE"] == "https://comet.example/clientlib/"
    assert told["COMET_HTTP_SESSION_RETRY_TOTAL"] == "7"
    assert told["COMET_AUTO_LOG_CODE"] == "false"
    assert told["COMET_LOGGING_FILE"] == ""
    assert told["https_proxy"] == "http://proxy:8080"
    assert told["COMET_OFFLINE_DIRECTORY"] == told["TMPDIR"] == str(tmp_path)
    unwanted = {
        "COMET_EXPERIMENT_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "PYTHONSTARTUP",
    }
    assert not told.keys() & unwanted


def test_a_file_of_settings_is_where_it_was_for_the_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ("COMET_CONFIG", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    told = environment_of(
        {
            **dict.fromkeys(names, "mine/file"),
            "SSL_CERT_DIR": f"one{os.pathsep}/two",
            "COMET_INCLUDE_CUSTOM_CA_BUNDLE": "",
        },
        "/elsewhere",
    )
    assert {told[name] for name in names} == {str(tmp_path / "mine" / "file")}
    assert told["SSL_CERT_DIR"] == f"{tmp_path / 'one'}{os.pathsep}/two"
    assert told["COMET_INCLUDE_CUSTOM_CA_BUNDLE"] == ""


def test_modules_of_the_project_are_not_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, here = tmp_path / "project", tmp_path / "here"
    outside = tmp_path / "outside"
    environment = project / ".venv" / "lib" / "site-packages"
    for folder in (project, project / "src", here, environment, outside):
        (folder / "comet_ml").mkdir(parents=True)
        (folder / "comet_ml" / "__init__.py").touch()
    monkeypatch.chdir(here)
    ours = str(Path(artlock.__file__).parents[1])
    refused = ["", "comet", str(here), str(project), str(project / "src")]
    monkeypatch.setattr(sys, "path", refused)
    assert folder_of_client(project) is None
    for allowed in (str(environment), str(outside)):
        monkeypatch.setattr(sys, "path", [*refused, allowed])
        assert folder_of_client(project) == allowed
        assert folders_of_modules(project) == (ours, allowed, ours)
    # This package is found where it is; nothing else is looked for there.
    monkeypatch.chdir(ours)
    monkeypatch.setattr(sys, "path", [str(outside)])
    assert folders_of_modules(project) == (ours, str(outside))


def test_what_cannot_be_said_to_the_client_is_an_error(tmp_path: Path) -> None:
    value: object = "x"
    for _ in range(100_000):
        value = [value]
    deep = messages.SetLabels(id="1", metadata={"note": value}, aliases=(), tags=())
    with (
        closing(ClientProcess(context(tmp_path), "comet://w/p")) as process,
        pytest.raises(TrackingError, match="nested too deeply"),
    ):
        process.ask(deep, messages.Done, Clock(20))


def context(scratch: Path) -> TrackerContext:
    return TrackerContext(environ={}, base=scratch, scratch=scratch)


def test_a_python_that_is_not_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with (
        closing(ClientProcess(context(tmp_path), "comet://w/p")) as process,
        pytest.raises(ConfigError, match="cannot be started"),
    ):
        process.ask(messages.EndRun(), messages.Done, Clock(20))
    assert not list(tmp_path.iterdir())


def test_a_client_that_ends_by_itself_says_its_last_words_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "aSecretOfAtLeastEight"  # noqa: S105 - it is none
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho first >&2\necho 'key {secret}' >&2\n", "ascii")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    known = TrackerContext(environ={"COMET_API_KEY": secret}, base=scratch, scratch=scratch)
    with (
        closing(ClientProcess(known, "comet://w/p")) as process,
        pytest.raises(TrackingError, match=r"ended by itself: key \*\*\*"),
    ):
        process.ask(messages.EndRun(), messages.Done, Clock(20))
    assert not list(scratch.iterdir())


def test_it_ends_with_whoever_asked(tmp_path: Path) -> None:
    """The pipe is all that holds it: a killed artlock leaves no client behind."""
    process = ClientProcess(context(tmp_path), "comet://w/p")
    process.ask(messages.EndRun(), messages.Done, Clock(30))
    running = process._running
    assert running is not None
    running._to.close()
    assert running._process.wait(20) == 0
    process.close()
    process.close()
    assert not list(tmp_path.iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(running._process.pid, 0)
