"""Somebody sends a repository whose ``artifacts.toml`` wants more than data.

Their web servers, and one inside of the reader's network, listen on loopback. Everything
that is secret on this machine is a canary; it must be in nothing that reaches them, and in
nothing that is printed or written (hazards 5.4 to 5.7, 2.5, 6C.5, 6C.6).
"""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from testbed.delivery import Reply, deliver
from testbed.ports import LOOPBACK
from testbed.tls import loopback_context
from testbed.wire import Exchange, Listener, Recorded, RecordingServer
from torture.hostile import PUBLIC, Hosts, manifest
from torture.inside import Ended, alone, artlock
from torture.memory import memory_folder
from torture.scenario import Scenario, Tally, Trial

MAX_SECONDS = 30.0
"""Of the processor, for one command: a manifest must not stop the machine."""
_MARK = "CANARY"
_VARIABLES = {
    "AWS_ACCESS_KEY_ID": f"AKIA{_MARK}0KEY",
    "AWS_SECRET_ACCESS_KEY": f"{_MARK}-aws-secret",
    "AWS_SESSION_TOKEN": f"{_MARK}-aws-session",
    "TOKEN": f"{_MARK}-token",
    "DB_PASSWORD": f"{_MARK}-db",
}
_INSIDE_NAMES = {
    "metadata.google.internal": ["169.254.169.254"],
    "inside.example": [LOOPBACK],
    "rebind.example": ["203.0.113.7", LOOPBACK],
}
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_LIST = (
    b'<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>'
    b"<Contents><Key>data/a</Key><Size>1</Size><ETag>e</ETag></Contents></ListBucketResult>"
)


class Web(RecordingServer):
    """A web server that redirects, refuses, wants a login, and is busy, by the path."""

    def __init__(self, folder: Path | None = None, *, inside: str = "") -> None:
        """Describe it; it answers within its ``with`` block.

        Args:
            folder: For the certificate, where it speaks https.
            inside: A URL of the reader's own network that it redirects to.
        """
        context, self.ca_file = None, None
        if folder is not None:
            context, self.ca_file = loopback_context(folder, names=[PUBLIC])
        self._inside = inside
        super().__init__(Listener(self._answer, context=context))

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._listener.port

    def _answer(self, exchange: Exchange) -> None:
        for _ in exchange.request_body():
            pass
        path = exchange.path_on_wire
        here = f"http://{PUBLIC}:{self.port}"
        status, body = 200, b"data"
        headers: tuple[tuple[str, str], ...] = ()
        if path == "/redirect":
            status, headers = 302, (("Location", f"{here}/a.json"),)
        elif path == "/inside":
            status, headers = 307, (("Location", self._inside),)
        elif path == "/loop":
            status, headers = 301, (("Location", f"{here}/loop"),)
        elif path == "/auth":
            status, headers = 401, (("WWW-Authenticate", 'Basic realm="r"'),)
        elif path == "/token":
            body = b'{"access_token": "%s-google", "expires_in": 3600}' % _MARK.encode()
        elif path != "/a.json":
            body = _LIST
        headers = (*headers, ("ETag", '"e"'), ("Set-Cookie", "a=b"))
        reply = Reply(status=status, headers=headers, body=(body,), length=len(body))
        deliver(exchange, reply)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine with secrets, and who would like to have them.

    Attributes:
        root: The project.
        home: The user's.
        evil: Servers of whoever wrote the manifest.
        inside: A server that only this network should reach.
        own: The user's own, which may have their default credentials.
        commands: What programs were started with, since the last look.
    """

    root: Path
    home: Path
    evil: tuple[Web, ...]
    inside: Web
    own: Web
    commands: list[str]

    def servers(self) -> tuple[Web, ...]:
        """Return all of them."""
        return (*self.evil, self.inside, self.own)

    def prepare(self, text: str) -> None:
        """Begin anew with this manifest."""
        for path in self.root.iterdir():
            if path.name not in {"ca.pem", "link-out", "fifo"}:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.root.joinpath("artifacts.toml").write_text(text)
        self.commands.clear()
        for server in self.servers():
            server.clear()

    def written(self) -> bytes:
        """Return all that was written, but for bytes that the manifest asks for by name."""
        places = (self.root, self.home / ".local", self.home / ".cache")
        return b"".join(
            path.read_bytes()
            for place in places
            for path in sorted(place.rglob("*"))
            if path.is_file()
            and path.name not in {"artifacts.toml", "ca.pem"}
            and not {"blobs", "data"} & set(path.parts)
        )


def judge(machine: Machine, ended: Ended) -> None:
    """See that nothing secret left, and that nobody was asked who must not be.

    Raises:
        AssertionError: It did.
    """
    assert ended.code in {0, 1, 2, 3, 4}, ended
    for server in machine.evil:
        for request in server.requests:
            assert _MARK not in _told(request), request
            assert _is_public(request.header("Host") or ""), request
    assert machine.inside.requests == ()
    for request in machine.own.requests:
        # Their own default credentials may go there, and nothing that the manifest chose.
        for mine in ("prod", "token", "-db", "-netrc"):
            assert f"{_MARK}-{mine}".replace("--", "-") not in _told(request), request
    said = ended.out + ended.err
    assert _MARK not in said, said
    assert not _CONTROL.search(said), said
    assert _MARK.encode() not in machine.written()
    assert _MARK not in "\0".join(machine.commands), machine.commands


def _told(request: Recorded) -> str:
    headers = "\n".join(f"{name}: {_decoded(text)}" for name, text in request.headers)
    return f"{request.method} {request.path}?{request.query}\n{headers}"


def _decoded(text: str) -> str:
    """Return the value of a header, and what is hidden in one such as ``Basic dTpw``."""
    kind, _, value = text.partition(" ")
    if kind.lower() != "basic":
        return text
    return f"{text} {b64decode(value).decode(errors='replace')}"


def _is_public(host: str) -> bool:
    return host.partition(":")[0] == PUBLIC


@contextmanager
def machine() -> Iterator[Machine]:
    """Make a machine with a canary in every place where credentials are looked for."""
    commands: list[str] = []
    with (
        memory_folder() as folder,
        Web() as inside,
        Web() as own,
        Web(inside=f"http://{LOOPBACK}:{inside.port}/a.json") as plain,
        Web(folder, inside=f"http://inside.example:{inside.port}/a.json") as tls,
        alone(folder / "home") as settings,
        _names(),
        _programs(commands),
    ):
        home, root = folder / "home", folder / "project"
        root.mkdir()
        assert tls.ca_file is not None
        shutil.copy(tls.ca_file, root / "ca.pem")
        root.joinpath("link-out").symlink_to(home)
        os.mkfifo(root / "fifo")
        settings.write_text(f'allow-private-hosts = ["{PUBLIC}"]\n')
        _leave_secrets(home, own)
        yield Machine(
            root=root,
            home=home,
            evil=(plain, tls),
            inside=inside,
            own=own,
            commands=commands,
        )


def _leave_secrets(home: Path, own: Web) -> None:
    os.environ.update(_VARIABLES)
    os.environ["AWS_ENDPOINT_URL_S3"] = f"http://{LOOPBACK}:{own.port}"
    os.environ["AWS_REGION"] = "us-east-1"
    os.environ["STORAGE_EMULATOR_HOST"] = f"http://{LOOPBACK}:{own.port}"
    aws = home / ".aws"
    aws.mkdir()
    aws.joinpath("credentials").write_text(
        f"[prod-admin]\naws_access_key_id = AKIA{_MARK}-prod\n"
        f"aws_secret_access_key = {_MARK}-prod-secret\n"
    )
    home.joinpath(".netrc").write_text(
        f"default login {_MARK}-netrc-user password {_MARK}-netrc\n"
    )
    home.joinpath(".netrc").chmod(0o600)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    account = {
        "type": "service_account",
        "client_email": f"{_MARK}@example.com",
        "token_uri": f"http://{LOOPBACK}:{own.port}/token",
        "private_key": key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    }
    google = home / "google.json"
    google.write_text(json.dumps(account))
    os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = str(google)


@contextmanager
def _names() -> Iterator[None]:
    """Look names up here: some are the writer's, some lead inside, others are unknown."""
    real = socket.getaddrinfo
    turns = {name: cycle(found) for name, found in _INSIDE_NAMES.items()}

    def look_up(host: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the real one
        name = os.fsdecode(host) if host is not None else ""
        if name == PUBLIC:
            return real(LOOPBACK, *args, **kwargs)
        found = next(turns[name]) if name in turns else _as_libc(name)
        port = int(args[0] or 0)
        try:
            family = ip_address(found).version
        except ValueError:
            raise socket.gaierror(socket.EAI_NONAME, "unknown") from None
        if family == 4:  # noqa: PLR2004 - of IP
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, port))]
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (found, port, 0, 0))]

    socket.getaddrinfo = look_up
    try:
        yield
    finally:
        socket.getaddrinfo = real


def _as_libc(name: str) -> str:
    """Return the address that the C library reads in an old notation such as ``0x7f.1``."""
    if name == "localhost":
        return LOOPBACK
    try:
        return socket.inet_ntoa(socket.inet_aton(name))
    except OSError:
        return name


@contextmanager
def _programs(commands: list[str]) -> Iterator[None]:
    """Note the arguments of every program that is started."""
    start = subprocess.Popen.__init__

    def noted(
        process: subprocess.Popen[Any],
        args: Any,  # noqa: ANN401 - handed on
        *others: Any,  # noqa: ANN401 - handed on
        **named: Any,  # noqa: ANN401 - handed on
    ) -> None:
        commands.append(repr(args))
        start(process, args, *others, **named)

    with patch.object(subprocess.Popen, "__init__", noted):
        yield


COMMANDS = (
    *(("resolve",), ("resolve",), ("resolve", "-v"), ("resolve", "--json"), ("sync",)),
    *(("status", "--remote"), ("trust", "--show"), ("trust", "--show", "--json"), ("ls",)),
    *(("check",), ("check", "--json"), ("doctor",), ("doctor", "--json"), ("update",)),
    *(("fmt",), ("resolve", "--hash"), ("sync", "--frozen"), ("verify", "--remote")),
)


@contextmanager
def _open(_: Path) -> Iterator[Trial]:
    with machine() as here:
        plain, tls = here.evil
        hosts = Hosts(plain=plain.port, tls=tls.port, inside=here.inside.port)

        def trial(luck: Random) -> Tally:
            here.prepare(manifest(hosts, luck))
            moved = 0
            commands = (("resolve",), luck.choice(COMMANDS))
            for command in commands:
                started = time.process_time()
                ended = artlock(*command, "-C", here.root)
                took = time.process_time() - started
                assert took < MAX_SECONDS, f"`{command}` took {took:.0f} s"
                judge(here, ended)
            for server in here.servers():
                moved += sum(request.response_bytes for request in server.requests)
            return Tally(faults=1, runs=len(commands), moved=moved)

        yield trial


MANIFESTS = Scenario(
    name="hostile manifest",
    what="an `artifacts.toml` that wants credentials, the network inside, or the terminal",
    rows=("2.5", "5.4", "5.5", "5.6", "5.7", "5.11", "5.30"),
    open=_open,
    short=40,
)
