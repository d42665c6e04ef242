"""Guards for every test, and the servers that tests talk to."""

import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from testbed.fake_gcs import FakeGCS
from testbed.guards import isolate, refuse_outside_sockets
from testbed.http_server import HttpServer
from testbed.mlflow import MlflowServer
from testbed.postgresql import PostgreSQL
from testbed.postgresql import problem as problem_with_postgresql
from testbed.seaweedfs import Identity, SeaweedFS

# Who may use the fixture `seaweedfs`, besides its `admin`.
READER = Identity(name="reader", actions=("Read", "List"))
GETTER = Identity(name="getter", actions=("Read",))
STRANGER = Identity(name="stranger", actions=())
ANONYMOUS = Identity(name="anonymous", actions=("Read:public", "List:public"))

settings.register_profile(
    "ci", derandomize=True, database=None, max_examples=60, deadline=None
)
settings.register_profile("nightly", max_examples=2000, deadline=None)

_home = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--mlflow-kills", default="1", help="how often a push to MLflow is killed"
    )


def pytest_configure(config: pytest.Config) -> None:
    # Before the first import of a test, so that no fixture of any scope sees more.
    profile = os.environ.get("ARTLOCK_HYPOTHESIS_PROFILE", "ci")
    settings.load_profile(profile)
    home = Path(tempfile.mkdtemp(prefix="artlock-home-"))
    config.stash[_home] = home
    isolate(os.environ, home)
    os.environ["ARTLOCK_HYPOTHESIS_PROFILE"] = profile  # for the workers of pytest-xdist
    refuse_outside_sockets()
    # What a shell starts in the background ignores Ctrl-C, and so would what tests start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[_home], ignore_errors=True)


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="artlock-home-") as name:
        environment = dict(os.environ)
        isolate(environment, Path(name))
        for gone in os.environ.keys() - environment.keys():
            monkeypatch.delenv(gone)
        for variable, text in environment.items():
            if os.environ.get(variable) != text:
                monkeypatch.setenv(variable, text)
        yield


@pytest.fixture(scope="session")
def seaweedfs() -> Iterator[SeaweedFS]:
    """Yield an S3 server; the bucket ``public`` may be read without a signature."""
    with SeaweedFS([READER, GETTER, STRANGER, ANONYMOUS]) as server:
        server.create_bucket("public")
        yield server


@pytest.fixture(scope="session")
def fake_gcs() -> Iterator[FakeGCS]:
    with FakeGCS() as server:
        yield server


@pytest.fixture(scope="session")
def mlflow_server(mlflow_database: Path) -> Iterator[MlflowServer]:
    """Yield a tracking server; a test takes an experiment of its own."""
    if not MlflowServer.is_installed():
        pytest.skip("`make mlflow` would install the server")
    with MlflowServer(mlflow_database) as server:
        yield server


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty database of MLflow's; a test takes a copy."""
    from artlock.tracking.mlflow.database import (  # noqa: PLC0415 - MLflow takes 2 s
        make_database,
    )

    # At a path that libraries would take for something else, and not there yet.
    file = tmp_path_factory.mktemp("mlflow") / "%41 #1?" / "mlflow.db"
    make_database(file, "mlflow+sqlite:///mlflow.db/x")
    return file


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL]:
    if reason := problem_with_postgresql():
        pytest.skip(reason)
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def postgresql(
    postgresql_server: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> PostgreSQL:
    """Return a server whose credentials are in the environment, as libpq reads them."""
    for name, value in postgresql_server.environ.items():
        monkeypatch.setenv(name, value)
    return postgresql_server


@pytest.fixture
def http_server() -> Iterator[HttpServer]:
    with HttpServer() as server:
        yield server


@pytest.fixture
def s3_bucket(seaweedfs: SeaweedFS) -> str:
    """Return the name of a new bucket with versions."""
    name = _bucket_name()
    seaweedfs.create_bucket(name, "Enabled")
    return name


@pytest.fixture
def unversioned_bucket(seaweedfs: SeaweedFS) -> str:
    """Return the name of a new bucket that never had versions."""
    name = _bucket_name()
    seaweedfs.create_bucket(name, None)
    return name


@pytest.fixture
def gcs_bucket(fake_gcs: FakeGCS) -> str:
    """Return the name of a new bucket that keeps old generations."""
    name = _bucket_name()
    fake_gcs.create_bucket(name)
    return name


def _bucket_name() -> str:
    # Not from `random`, which every worker seeds alike.
    return f"bucket-{secrets.token_hex(4)}"
