"""The stand-in for Comet's backend keeps what it is told, and refuses as the real one."""

import json
from http.client import HTTPConnection
from urllib.parse import quote, urlencode, urlsplit

import pytest

from testbed.comet import API_KEY, CometServer
from testbed.comet.state import Json
from testbed.gcs_media import GcsMedia

V2 = "/api/rest/v2"


def ask(
    server: CometServer, path: str, body: Json | None = None, key: str = API_KEY
) -> tuple[int, Json]:
    """Send a request as the SDK does; return status and answer."""
    connection = HTTPConnection(urlsplit(server.clientlib).netloc, timeout=10)
    try:
        connection.request(
            "GET" if body is None else "POST",
            path,
            body=None if body is None else json.dumps(body),
            headers={"Authorization": key, "Content-Type": "application/json"},
        )
        response = connection.getresponse()
        assert response.headers["Content-Type"] == "application/json"
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def begin(server: CometServer, number: str, name: str = "a b") -> Json:
    server.backend.experiments.setdefault("e", ("w", "p"))
    status, made = ask(
        server,
        f"{V2}/write/artifacts/upsert",
        {
            "experimentKey": "e",
            "artifactName": name,
            "artifactType": "dataset",
            "version": number,
            "alias": ["prod"],
        },
    )
    assert status == 200
    return made


def close(server: CometServer, made: Json) -> None:
    version = {"artifactVersionId": made["artifactVersionId"], "state": "CLOSED"}
    assert ask(server, f"{V2}/write/artifacts/state", version)[0] == 200


def where(name: str = "a b", **more: str) -> str:
    # The SDK encodes names once more than HTTP wants.
    return urlencode({"workspace": "w", "artifactName": quote(name, safe=""), **more})


def test_a_version_is_there_by_name_once_it_is_closed() -> None:
    with CometServer() as server:
        made = begin(server, "1.0.0")
        path = f"{V2}/artifacts/version?{where(version='1.0.0')}"
        status, answer = ask(server, path)
        assert (status, answer["sdk_error_code"]) == (400, 90403)
        close(server, made)
        status, answer = ask(server, path)
        assert (status, answer["artifactVersion"]) == (200, "1.0.0")
        assert answer["alias"] == ["prod"]


def test_a_number_is_given_once_and_an_alias_moves() -> None:
    with CometServer() as server:
        begin(server, "1.0.0")
        with pytest.raises(AssertionError):
            begin(server, "1.0.0")
        begin(server, "2.0.0")
        status, answer = ask(server, f"{V2}/artifacts/get?{where()}")
        assert status == 200
        versions = answer["versions"]
        assert isinstance(versions, list)
        assert [version["alias"] for version in versions] == [[], ["prod"]]


@pytest.mark.parametrize(
    ("path", "code"),
    [("artifacts/get", 624522), ("artifacts/version/files", 624522)],
)
def test_what_is_not_there_has_its_code(path: str, code: int) -> None:
    with CometServer() as server:
        status, answer = ask(server, f"{V2}/{path}?{where('none')}")
        assert (status, answer["sdk_error_code"]) == (400, code)


def test_another_key_is_refused_and_each_call_is_kept() -> None:
    with CometServer() as server:
        assert ask(server, f"{V2}/artifacts/get?{where()}", key="other")[0] == 401
        (call,) = server.calls
        assert call.headers["authorization"] == "other"
        server.reset()
        assert server.calls == ()


def test_the_link_to_media_names_the_generation() -> None:
    with GcsMedia() as server:
        old = server.put("b", "a key", b"old")
        server.put("b", "a key", b"newer")
        connection = HTTPConnection(urlsplit(server.endpoint).netloc, timeout=10)
        connection.request("GET", f"/storage/v1/b/b/o/a%20key?generation={old}")
        found = json.loads(connection.getresponse().read())
        link = urlsplit(found["mediaLink"])
        connection.request("GET", f"{link.path}?{link.query}")
        assert connection.getresponse().read() == b"old"
        connection.request("GET", "/storage/v1/b/b/o/none")
        assert connection.getresponse().status == 404
        connection.close()
