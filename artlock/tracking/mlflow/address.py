"""Where an experiment is: the URL of a tracker, taken apart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

import msgspec

from artlock.model.uri import Uri

SCHEMES = ("mlflow+http", "mlflow+https", "mlflow+sqlite")
MAX_EXPERIMENT = 500
"""Characters in the name of an experiment; MLflow's own limit."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A store of MLflow's, and an experiment in it.

    Attributes:
        url: As a person wrote it; has no credentials.
        server: The base of the server's URLs, without a slash at the end; empty for a
            file.
        file: Path of the SQLite file, relative or absolute, as it stands in the URL: a
            folder called ``%41`` is written so; empty for a server.
        experiment: Its name, decoded.
    """

    url: str
    server: str
    file: str
    experiment: str

    @classmethod
    def parse(cls, url: Uri) -> Self:
        """Read a tracker's URL; of a file only the experiment is percent-encoded.

        Raises:
            ValueError: It is none of MLflow's; the message says why.
        """
        if url.scheme not in SCHEMES:
            message = f"the scheme is none of {', '.join(SCHEMES)}"
            raise ValueError(message)
        if url.authority is None:
            message = f"write `{url.scheme}://` with two slashes"
            raise ValueError(message)
        is_file = url.scheme == "mlflow+sqlite"
        store, _, name = url.key.rpartition("/")
        if {"?", "#"} & set(name if is_file else url.key):
            message = "a `?` or `#` in the name of an experiment is written `%3F`, `%23`"
            raise ValueError(message)
        experiment = _decoded(name)
        if not experiment.strip():
            message = "the name of the experiment is missing at its end"
            raise ValueError(message)
        if len(experiment) > MAX_EXPERIMENT:
            message = f"the name of an experiment has at most {MAX_EXPERIMENT} characters"
            raise ValueError(message)
        if is_file:
            return cls(
                url=str(url), server="", file=_file(url, store), experiment=experiment
            )
        server = _server(url, store)
        return cls(url=str(url), server=server, file="", experiment=experiment)

    def path(self, base: Path) -> Path:
        """Return the absolute path of the SQLite file; only where there is one."""
        return base / self.file


def _server(url: Uri, prefix: str) -> str:
    server = f"{url.scheme.removeprefix('mlflow+')}://{url.authority}"
    try:
        parts = urlsplit(server)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if not parts.hostname or port == 0 or re.search(r"[\s\\@%]", server):
        message = f"`{url.authority}` is not a host and a port"
        raise ValueError(message)
    segments = prefix.split("/") if "/" in url.key else []
    if any(segment in {"", ".", ".."} for segment in segments):
        message = "the prefix before the experiment is spelled plainly"
        raise ValueError(message)
    return f"{server}/{prefix}".rstrip("/")


def _file(url: Uri, store: str) -> str:
    if url.authority:
        message = "a file takes no host; write `mlflow+sqlite:///` and its path"
        raise ValueError(message)
    path = store
    if not path or path.endswith("/"):
        message = "write the file before the experiment: `mlflow+sqlite:///FILE/EXPERIMENT`"
        raise ValueError(message)
    if "?" in path:
        message = "the path of a database has no `?`"
        raise ValueError(message)
    return path


def _decoded(text: str) -> str:
    """Undo percent-encoding strictly (RFC 3986 §2.1)."""
    if _PERCENT.search(text):
        message = "a `%` stands before two hex digits; write `%25` for itself"
        raise ValueError(message)
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        message = "what is percent-encoded is not UTF-8"
        raise ValueError(message) from None
    if _CONTROL.search(decoded):
        message = "a control character is percent-encoded"
        raise ValueError(message)
    return decoded
