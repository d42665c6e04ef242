"""URIs of sources, as values that keep what a person wrote.

::

    s3://bucket/some/prefix/          scheme s3,    authority bucket, key some/prefix/
    gs://bucket/key#1.bin             scheme gs,    authority bucket, key key#1.bin
    https://host:8443/a/b.json?v=1    scheme https, authority host:8443, key a/b.json?v=1
    file:///mnt/share/my%20data/      scheme file,  authority "", key /mnt/share/my%20data/
    raw/images/                       scheme "",    authority None: relative to the project
    doi:10.5281/zenodo.123            scheme doi,   authority None: opaque, always a link

Keys of ``s3`` and ``gs`` are literal: nothing in them is decoded, ``#`` and ``?`` included.
Keys of ``http``, ``https`` and ``file`` are percent-encoded (RFC 3986, RFC 8089).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
"""At least two letters, so that a Windows drive is never taken for a scheme (RFC 3986 §3.1)."""
_BUCKETS = frozenset({"s3", "gs"})
_WEB = frozenset({"http", "https"})
_FETCHED = _BUCKETS | _WEB | {"file", ""}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PATH_SAFE = "/!$&'()*+,;=:@~-._"
_SECRET_PARAMETERS = frozenset(
    {
        "x-amz-signature",
        "x-amz-credential",
        "x-amz-security-token",
        "x-goog-signature",
        "x-goog-credential",
        "googleaccessid",
        "awsaccesskeyid",
        "signature",
        "sig",
        "token",
        "key",
        "access_token",
        "api_key",
        "apikey",
        "password",
        "secret",
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Uri:
    """Where objects are; ``Uri.parse(str(uri)) == uri``.

    Attributes:
        scheme: Lower case; empty for a path relative to the project. ``gcs`` becomes ``gs``.
        authority: Bucket or host; ``""`` for ``file``; ``None`` for relative and opaque ones.
        key: The rest, without the slash after the authority (``file`` keeps it).
    """

    scheme: str
    authority: str | None
    key: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a person or a lockfile wrote.

        Raises:
            ValueError: Empty, with control characters, with user info or a signature, with
                a version inside of the URI, or a path that leaves its root. The message is a
                phrase that ends in the way out.
        """
        if not text or _CONTROL.search(text):
            raise ValueError("a URI is not empty and has no control characters")  # noqa: EM101, TRY003 - one fact
        match = _SCHEME.match(text)
        if match is None:
            return cls._local(text)
        scheme = match[1].lower()
        scheme = "gs" if scheme == "gcs" else scheme
        rest = text[match.end() :]
        if not rest.startswith("//"):
            if scheme in _FETCHED:
                reason = f"write `{scheme}://` with two slashes"
                raise ValueError(reason)
            return cls(scheme, None, rest)
        authority, slash, key = rest[2:].partition("/")
        _refuse_secrets(authority, key)
        if scheme == "file":
            return cls._file(authority, slash + key)
        if scheme in _FETCHED and not authority:
            reason = f"`{scheme}://` needs a {'host' if scheme in _WEB else 'bucket'}"
            raise ValueError(reason)
        if scheme in _WEB:
            _check_web(authority, key)
            authority = authority.lower()
        if scheme in _BUCKETS:
            _refuse_version_in_key(scheme, key)
        if not slash and scheme not in _FETCHED:
            return cls(scheme, authority, "")
        return cls(scheme, authority, key)

    @classmethod
    def _local(cls, text: str) -> Self:
        if text.startswith("/"):
            return cls._file("", quote(text, safe=_PATH_SAFE))
        if text.startswith("~") or "\\" in text:
            reason = "write a local path with `/`, relative to the project or as `file:///...`"
            raise ValueError(reason)
        while text.startswith("./"):
            text = text[2:]
        segments = text.removesuffix("/").split("/")
        if ".." in segments:
            raise ValueError("a relative path stays inside of the project; use `file:///...`")  # noqa: EM101, TRY003 - one fact
        if segments == ["."] or "" in segments or "." in segments:
            reason = "a relative path names a file or folder below the project, spelled plainly"
            raise ValueError(reason)
        return cls("", None, text)

    @classmethod
    def _file(cls, authority: str, key: str) -> Self:
        if authority:
            reason = "`file://` takes no host; write `file:///` and an absolute path"
            raise ValueError(reason)
        segments = unquote(key, errors="strict").removesuffix("/").split("/")[1:]
        if not key.startswith("/") or any(s in {"", ".", ".."} for s in segments):
            reason = "`file:///` needs an absolute path without `.`, `..` or empty segments"
            raise ValueError(reason)
        return cls("file", "", key)

    def __str__(self) -> str:
        if self.authority is None:
            return f"{self.scheme}:{self.key}" if self.scheme else self.key
        if self.scheme == "file":
            return f"file://{self.key}"
        if not self.key and self.scheme not in _FETCHED:
            return f"{self.scheme}://{self.authority}"
        return f"{self.scheme}://{self.authority}/{self.key}"

    @property
    def is_link(self) -> bool:
        """Whether no store reads this scheme, so that it can only be recorded."""
        return self.scheme not in _FETCHED

    @property
    def is_relative(self) -> bool:
        """Whether it is a path below the project."""
        return not self.scheme

    @property
    def is_tree(self) -> bool:
        """Whether it can only mean a tree: a trailing slash, or a whole bucket."""
        return not self.key or self.key.endswith("/")

    @property
    def local_path(self) -> str:
        """The path that a ``file`` or relative URI names, decoded; with its trailing slash."""
        return unquote(self.key, errors="strict") if self.scheme == "file" else self.key

    @property
    def file_name(self) -> str:
        """The last segment, decoded where the scheme encodes; empty for a tree."""
        path = self.key.partition("?")[0] if self.scheme in _WEB else self.key
        name = path.rpartition("/")[2]
        encoded = self.scheme in _WEB or self.scheme == "file"
        return unquote(name, errors="strict") if encoded else name

    def as_tree(self) -> Uri:
        """Return this URI with a trailing slash."""
        return self if self.is_tree else Uri(self.scheme, self.authority, self.key + "/")

    def child(self, path: str) -> Uri:
        """Return the URI of ``path`` below this tree; ``path`` is decoded text."""
        encoded = quote(path, safe=_PATH_SAFE) if self.scheme == "file" else path
        return Uri(self.scheme, self.authority, self.key + encoded)

    def relative(self, below: Uri) -> str | None:
        """Return the path of ``below`` under this tree, or ``None`` if it is elsewhere."""
        same = (self.scheme, self.authority) == (below.scheme, below.authority)
        if not same or not below.key.startswith(self.key):
            return None
        rest = below.key[len(self.key) :]
        return unquote(rest, errors="strict") if self.scheme == "file" else rest

    def is_allowed_by(self, prefix: str) -> bool:
        """Tell whether a policy's ``allow`` entry covers this URI, at a segment's boundary."""
        text = str(self)
        return text == prefix or text.startswith(prefix.removesuffix("/") + "/")


def _refuse_secrets(authority: str, key: str) -> None:
    if "@" in authority:
        reason = "user info in a URI is a credential; leave it out and use the provider's own"
        raise ValueError(reason)
    query = key.partition("?")[2].partition("#")[0]
    for parameter in query.replace(";", "&").split("&"):
        name = unquote(parameter.partition("=")[0]).lower()
        if name in _SECRET_PARAMETERS:
            reason = (
                f"`{name}=` makes this a signed URL, and a credential; declare the object "
                "itself (`s3://`, `gs://`, or the plain URL)"
            )
            raise ValueError(reason)


def _refuse_version_in_key(scheme: str, key: str) -> None:
    found = re.search(r"\?versionId=(.+)$", key) if scheme == "s3" else None
    found = found or (re.search(r"#([0-9]{10,})$", key) if scheme == "gs" else None)
    if found:
        reason = f'take the version out of the URI and write `version = "{found[1]}"`'
        raise ValueError(reason)


def _check_web(authority: str, key: str) -> None:
    if "#" in key:
        reason = "a fragment (`#...`) never reaches the server; leave it out"
        raise ValueError(reason)
    if not re.fullmatch(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?", authority):
        reason = f"`{authority}` is not a host"
        raise ValueError(reason)
