"""Run PostgreSQL as the distribution installs it, with a cluster of its own."""

import os
import pwd
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from testbed.ports import LOOPBACK, free_ports
from testbed.process import EmbeddedServer, ServerProcess

OWNER = "postgres"
PASSWORD = "a-password-for-tests"  # noqa: S105 - of a server that lives for one test run
_PLACES = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt")


def problem() -> str | None:
    """Return why PostgreSQL cannot be run here, or ``None``."""
    if sys.platform == "win32":
        return "PostgreSQL is run where it comes with the distribution"
    if _programs() is None:
        return "PostgreSQL is not installed: its `initdb` was not found"
    if os.geteuid() == 0 and _ordinary_user() is None:
        return "PostgreSQL refuses root, and there is no user `postgres` or `nobody`"
    return None


class PostgreSQL(EmbeddedServer):
    """A server of its own, from ``with`` to the end of its block.

    It listens on loopback and on a socket in its folder, and asks for a password: set
    ``PGUSER`` and ``PGPASSWORD`` as ``environ`` has them.
    """

    def __init__(self) -> None:
        """Describe a server; nothing is started yet."""
        super().__init__()
        self.port = 0

    @property
    def environ(self) -> dict[str, str]:
        """What a client's environment needs."""
        return {"PGUSER": OWNER, "PGPASSWORD": PASSWORD}

    @property
    def pid(self) -> int:
        """The process id of the server."""
        pid = None if self._process is None else self._process.pid
        if pid is None:
            message = "the server does not run"
            raise RuntimeError(message)
        return pid

    def url(self, database: str) -> str:
        """Return the URL of a database, without credentials."""
        return f"postgresql://{LOOPBACK}:{self.port}/{database}"

    def create_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"registry_{secrets.token_hex(4)}"
        self.execute(f'create database "{name}"')
        return self.url(name)

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run a statement as the owner of everything, outside of a transaction."""
        with psycopg.connect(self._login(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _describe(self) -> ServerProcess:
        (self.port,) = free_ports(1)
        self.endpoint = self.url("postgres").rpartition("/")[0]
        return ServerProcess("postgresql", self._command, is_ready=self._is_ready)

    def _command(self, folder: Path) -> list[str]:
        programs = _programs()
        if programs is None:
            raise RuntimeError(problem())
        cluster = folder / "cluster"
        cluster.mkdir()
        password = folder / "password"
        password.write_text(PASSWORD)
        user = _ordinary_user() if os.geteuid() == 0 else None
        if user is not None:
            for path in (folder, cluster, password):
                shutil.chown(path, user)
        options = ["-A", "scram-sha-256", "-U", OWNER, "--pwfile", str(password)]
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C"}
        subprocess.run(
            [str(programs / "initdb"), "-D", str(cluster), "-E", "UTF8", *options],
            check=True,
            capture_output=True,
            env=environment,
            user=user,
            cwd=folder,
        )
        server = [str(programs / "postgres"), "-D", str(cluster), "-p", str(self.port)]
        server += ["-c", f"listen_addresses={LOOPBACK}", "-k", str(folder)]
        if user is None:
            return server
        return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *server]

    def _is_ready(self) -> bool:
        try:
            psycopg.connect(self._login("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _login(self, database: str) -> str:
        return make_conninfo(
            host=LOOPBACK,
            port=self.port,
            dbname=database,
            user=OWNER,
            password=PASSWORD,
        )


def _programs() -> Path | None:
    """Return the folder of the newest version's programs."""
    for place in _PLACES:
        found = sorted(Path(place).parent.glob(f"{Path(place).name}*/**/bin/initdb"))
        if found:
            return found[-1].parent
    on_path = shutil.which("initdb")
    return None if on_path is None else Path(on_path).resolve().parent


def _ordinary_user() -> str | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return None
