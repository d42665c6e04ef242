import os
import socket
import subprocess
import tempfile
import urllib.request
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.guards import OutsideNetworkError, is_foreign, isolate
from testbed.http_server import HttpServer

OUTSIDE = ("192.0.2.1", 80)  # RFC 5737: for documentation, belongs to nobody
OUTSIDE_6 = ("2001:db8::1", 80, 0, 0)


def test_home_and_xdg_are_in_a_temporary_place() -> None:
    home = Path.home()
    assert home.is_relative_to(tempfile.gettempdir())
    for name in ("CONFIG", "CACHE", "DATA", "STATE"):
        assert Path(os.environ[f"XDG_{name}_HOME"]).is_relative_to(home)


def test_home_is_new_for_each_test_first() -> None:
    assert [path.name for path in Path.home().iterdir()] == ["gitconfig"]
    (Path.home() / "left").touch()


def test_home_is_new_for_each_test_second() -> None:
    assert [path.name for path in Path.home().iterdir()] == ["gitconfig"]
    (Path.home() / "left").touch()


@pytest.mark.parametrize(
    "name",
    [
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL_S3",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "CLOUDSDK_CONFIG",
        "STORAGE_EMULATOR_HOST",
        "ARTLOCK_TRUST",
        "BOTO_CONFIG",
        "https_proxy",
        "ALL_PROXY",
        "GIT_DIR",
    ],
)
def test_what_leads_elsewhere_is_cleared(name: str, tmp_path: Path) -> None:
    environment = {name: "set", "PATH": "kept"}
    isolate(environment, tmp_path)
    assert name not in environment
    assert environment["PATH"] == "kept"


def test_this_process_has_nothing_that_leads_elsewhere() -> None:
    environment: dict[str, str] = {}
    isolate(environment, Path.home())
    foreign = {name for name in os.environ if is_foreign(name)}
    assert foreign - environment.keys() <= {"ARTLOCK_HYPOTHESIS_PROFILE"}


def test_boto3_finds_no_credentials() -> None:
    assert boto3.session.Session().get_credentials() is None


def test_git_has_an_author_and_no_configuration() -> None:
    listed = subprocess.run(
        ["git", "config", "--list", "--global"], check=True, capture_output=True
    )
    assert listed.stdout == b""
    author = subprocess.run(
        ["git", "var", "GIT_AUTHOR_IDENT"], check=True, capture_output=True
    )
    assert author.stdout.startswith(b"A Author <author@example.com>")


def test_sockets_do_not_leave_loopback() -> None:
    with socket.socket() as one, pytest.raises(OutsideNetworkError):
        one.connect(OUTSIDE)
    with socket.socket() as one, pytest.raises(OutsideNetworkError):
        one.connect_ex(OUTSIDE)
    with socket.socket(socket.AF_INET6) as one, pytest.raises(OutsideNetworkError):
        one.connect(OUTSIDE_6)


def test_names_are_not_looked_up() -> None:
    with pytest.raises(OutsideNetworkError):
        urllib.request.urlopen("http://example.com/", timeout=1)


def test_no_proxy_is_used(http_server: HttpServer) -> None:
    assert urllib.request.getproxies() == {}
    host = http_server.endpoint.removeprefix("http://")
    with closing(HTTPConnection(host, timeout=5)) as connection:
        connection.request("GET", "/missing")
        assert connection.getresponse().status == 404


def test_unix_sockets_and_loopback_names_are_allowed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as here, socket.socket(socket.AF_UNIX) as there:
        here.bind(str(tmp_path / "s"))
        here.listen()
        there.connect(str(tmp_path / "s"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(("localhost", server.getsockname()[1])):
            pass
        with pytest.raises(ConnectionRefusedError), socket.socket() as one:
            one.connect(("127.0.0.1", 1))


@given(st.integers())
def test_hypothesis_lives_with_the_guards(number: int) -> None:
    assert number == int(str(number))
    assert Path.home().is_relative_to(tempfile.gettempdir())
