"""MlflowTracker on a database in a file and on MLflow's own server: the contract."""

import shutil
from pathlib import Path

import pytest

from testbed.mlflow import MlflowServer
from tests.contract.mlflow_place import MlflowPlace
from tests.contract.tracker_contract import TrackerContract


class TestSQLite(TrackerContract):
    @pytest.fixture
    def place(self, mlflow_database: Path, tmp_path: Path) -> MlflowPlace:
        file = tmp_path / "mlflow.db"
        shutil.copyfile(mlflow_database, file)
        return MlflowPlace(store=f"sqlite:///{file}", base=tmp_path)


class TestServer(TrackerContract):
    together = 3  # each request costs the server's time too

    @pytest.fixture
    def place(self, mlflow_server: MlflowServer, tmp_path: Path) -> MlflowPlace:
        return MlflowPlace(store=mlflow_server.endpoint, base=tmp_path)
