"""Run MLflow's own tracking server, from the environment that ``make mlflow`` installs."""

import shutil
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

from testbed.ports import LOOPBACK, free_ports
from testbed.process import EmbeddedServer, ServerProcess

PYTHON = Path(__file__).parents[1] / "build" / "mlflow" / "bin" / "python"
"""Of an environment of its own: the server would not fit into that of artlock."""
_START_S = 90.0
"""It takes some eight seconds of one core, on a machine with nothing else to do."""
_SETTINGS = (
    "MLFLOW_DISABLE_TELEMETRY=true",
    "DO_NOT_TRACK=true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false",  # it would start more processes
)


class MlflowServer(EmbeddedServer):
    """An ``mlflow server`` of its own, with a database and files in its folder.

    One worker: SQLite has one writer at a time, and requests are served by threads.
    """

    def __init__(self, database: Path | None = None) -> None:
        """Describe a server.

        Args:
            database: An empty one, of which it takes a copy: to make one takes seconds.

        """
        super().__init__()
        self._database = database

    @staticmethod
    def is_installed() -> bool:
        """Tell whether ``make mlflow`` has run."""
        return PYTHON.exists()

    def _describe(self) -> ServerProcess:
        (port,) = free_ports(1)
        self.endpoint = f"http://{LOOPBACK}:{port}"

        def command(folder: Path) -> list[str]:
            if self._database is not None:
                shutil.copyfile(self._database, folder / "mlflow.db")
            return [
                *("/usr/bin/env", *_SETTINGS),
                *(str(PYTHON), "-m", "mlflow", "server"),
                *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db"),
                *("--artifacts-destination", str(folder / "artifacts")),
                *("--host", LOOPBACK),
                *("--port", str(port)),
                *("--workers", "1"),
            ]

        return ServerProcess("mlflow", command, is_ready=self._is_ready, timeout_s=_START_S)

    def _is_ready(self) -> bool:
        host = self.endpoint.removeprefix("http://")
        with closing(HTTPConnection(host, timeout=5)) as connection:
            connection.request("GET", "/health")
            return connection.getresponse().status == HTTPStatus.OK
