"""Run nginx over a folder: a server that is never what a client waits for."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from testbed.ports import LOOPBACK, free_ports
from testbed.process import EmbeddedServer, ServerProcess

_CONFIGURATION = """\
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    etag off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    default_type application/octet-stream;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address};
        root "{root}";
    }}
}}
"""


def find_nginx() -> str | None:
    """Return the program, which may lie where only root looks."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")


class Nginx(EmbeddedServer):
    """An nginx of its own, from ``with`` to the end of its block.

    It looks at neither signatures nor versions: a client of S3 may read from it what lies
    at ``ROOT/BUCKET/KEY``, and cannot list.
    """

    def __init__(self, program: str, root: Path) -> None:
        """Describe a server.

        Args:
            program: From ``find_nginx``.
            root: The folder that it serves.
        """
        super().__init__()
        self._program = program
        self._root = root

    def _describe(self) -> ServerProcess:
        (port,) = free_ports(1)
        address = f"{LOOPBACK}:{port}"
        self.endpoint = f"http://{address}"

        def command(folder: Path) -> list[str]:
            configuration = folder / "nginx.conf"
            text = _CONFIGURATION.format(
                # Started by root it would else read as somebody who may not.
                user=f"user {self._root.owner()} {self._root.group()};",
                folder=folder,
                address=address,
                root=self._root,
            )
            configuration.write_text(text)
            return [self._program, "-c", str(configuration), "-p", str(folder)]

        def is_ready() -> bool:
            with socket.create_connection((LOOPBACK, port), timeout=1):
                return True

        return ServerProcess("nginx", command, is_ready=is_ready)
