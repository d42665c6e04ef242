from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from artlock.errors import TrackerUnavailableError, TrackingError
from artlock.model.uri import Uri
from artlock.tracking.base import TrackerContext
from artlock.tracking.mlflow.address import Address
from artlock.tracking.mlflow.session import Session
from testbed.http_server import HttpServer

LOGIN = {"MLFLOW_TRACKING_TOKEN": "a-token-of-the-tests"}


def look(client: MlflowClient) -> object:
    return client.get_experiment_by_name("x")


def ask(url: str, folder: Path, environ: dict[str, str] | None = None) -> list[str]:
    """Ask once; return what the person was told."""
    notices: list[str] = []
    context = TrackerContext(
        environ=environ or {}, base=folder, scratch=folder, notice=notices.append
    )
    session = Session(Address.parse(Uri.parse(url)), context)
    session.begin()
    try:
        session.ask(look)
    except TrackingError as error:
        notices.append(f"{type(error).__name__}: {error} {error.hint}")
    finally:
        session.close()
        session.close()
    return notices


def test_a_certificate_that_is_not_trusted_is_told(tmp_path: Path) -> None:
    with HttpServer(tls=True) as server:
        url = f"mlflow+{server.endpoint}/x"
        (told,) = ask(url, tmp_path)
        assert "is not trusted" in told
        assert "MLFLOW_TRACKING_SERVER_CERT_PATH" in told
        (told,) = ask(
            url, tmp_path, {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(server.ca_file)}
        )
        assert "does not answer as MLflow does: 404" in told


@pytest.mark.parametrize(
    ("host", "environ", "times"),
    [
        ("http://mlflow.example", LOGIN, 1),
        ("http://mlflow.example", {}, 0),
        ("https://mlflow.example", LOGIN, 0),
        ("http://127.0.0.1:9", LOGIN, 0),
    ],
)
def test_a_login_that_leaves_unencrypted_is_told(
    host: str, environ: dict[str, str], times: int, tmp_path: Path
) -> None:
    told = ask(f"mlflow+{host}/x", tmp_path, environ)
    assert sum("is not encrypted" in one for one in told) == times


def test_what_passes_is_asked_again_and_what_creates_is_not(tmp_path: Path) -> None:
    url = "mlflow+http://127.0.0.1:9/x"

    def failing(times: int) -> Callable[[MlflowClient], str]:
        left = iter(range(times))

        def work(_: MlflowClient) -> str:
            if next(left, None) is not None:
                raise TrackerUnavailableError(url, tracker=url)
            return "done"

        return work

    context = TrackerContext(environ={}, base=tmp_path, scratch=tmp_path)
    session = Session(Address.parse(Uri.parse(url)), context)
    session.begin()
    assert session.ask(failing(2)) == "done"
    with pytest.raises(TrackerUnavailableError):
        session.ask(failing(3))
    with pytest.raises(TrackerUnavailableError):
        session.ask(failing(1), repeat=False)
