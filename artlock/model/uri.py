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
from typing import Self
from urllib.parse import quote, unquote

import msgspec

from artlock.model.paths import is_git_directory
from artlock.model.secrets import is_secret_parameter

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
"""RFC 3986 §3.1, but at least two letters: a Windows drive is no scheme."""
_BUCKETS = frozenset({"s3", "gs"})
_WEB = frozenset({"http", "https"})
_FETCHED = _BUCKETS | _WEB | {"file", ""}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MAX_PORT = 65535
_PATH_SAFE = "/!$&'()*+,;=:@~-._"


class Uri(msgspec.Struct, frozen=True, order=True):
    """Where objects are; ``Uri.parse(str(uri)) == uri``.

    Attributes:
        scheme: Lower case; empty for a path relative to the project. ``gcs`` becomes
            ``gs``.
        authority: Bucket or host; ``""`` for ``file``; ``None`` for relative and opaque
            ones.
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
                a version inside of the URI, or a path that leaves its root. The message is
                a phrase that ends in the way out; it never repeats a secret.
        """
        if not text or _CONTROL.search(text):
            raise ValueError("a URI is not empty and has no control characters")  # noqa: EM101, TRY003 - one fact
        match = _SCHEME.match(text)
        if match is None:
            return cls._local(text)
        scheme = match[1].lower()
        scheme = "gs" if scheme == "gcs" else scheme
        rest = text[match.end() :]
        _refuse_secrets(rest)
        if not rest.startswith("//"):
            if scheme in _FETCHED:
                reason = f"write `{scheme}://` with two slashes"
                raise ValueError(reason)
            return cls(scheme, None, rest)
        authority, slash, key = rest[2:].partition("/")
        if scheme == "file":
            return cls._file(authority, slash + key)
        if scheme in _BUCKETS:
            _check_bucket(scheme, authority, key)
        if scheme in _WEB:
            authority = authority.lower()
            _check_web(scheme, authority, key)
        return cls(scheme, authority, key)

    @classmethod
    def _local(cls, text: str) -> Self:
        if text.startswith("/"):
            quoted = quote(text, safe=_PATH_SAFE)
            _refuse_secrets(quoted)  # as `file://` does, so that it can be read back
            return cls._file("", quoted)
        while text.startswith("./"):
            text = text[2:]
        if text.startswith("~") or "\\" in text or _DRIVE.match(text):
            reason = (
                "write a local path with `/`, relative to the project or as `file:///...`"
            )
            raise ValueError(reason)
        segments = text.removesuffix("/").split("/")
        if ".." in segments:
            reason = "a relative path stays inside of the project; use `file:///...`"
            raise ValueError(reason)
        if any(map(is_git_directory, segments)):
            reason = "git's own folder is no source"
            raise ValueError(reason)
        if "" in segments or "." in segments or ":" in segments[0]:
            reason = "a relative path is spelled plainly, below the project"
            raise ValueError(reason)
        return cls("", None, text)

    @classmethod
    def _file(cls, authority: str, key: str) -> Self:
        if authority:
            reason = "`file://` takes no host; write `file:///` and an absolute path"
            raise ValueError(reason)
        segments = _decoded(key).removesuffix("/").split("/")[1:]
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
        """The path of a ``file`` or relative URI, decoded; with its trailing slash."""
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
        """Tell whether an ``allow`` entry of a policy covers this URI, at a boundary."""
        text = str(self)
        return text == prefix or text.startswith(prefix.removesuffix("/") + "/")


def _decoded(text: str) -> str:
    """Undo percent-encoding strictly (RFC 3986 §2.1)."""
    if _PERCENT.search(text):
        raise ValueError("a `%` stands before two hex digits; write `%25` for itself")  # noqa: EM101, TRY003 - one fact
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("what is percent-encoded is not UTF-8") from None  # noqa: EM101, TRY003 - one fact
    if _CONTROL.search(decoded):
        raise ValueError("a control character is percent-encoded")  # noqa: EM101, TRY003 - one fact
    return decoded


def _refuse_secrets(rest: str) -> None:
    """Refuse credentials in what follows the scheme, wherever a parser may look for them.

    The message never repeats a value.
    """
    if re.search(r"(?:^|:)//[^/]*@", rest):
        reason = "user info is a credential; leave it out and use the provider's own"
        raise ValueError(reason)
    for parameter in re.split(r"[?#&;]", rest)[1:]:
        name = unquote(parameter.partition("=")[0]).strip(" /")
        if is_secret_parameter(name):
            reason = (
                f"`{name}=` makes this a signed URL, and a credential; declare the object "
                "itself (`s3://`, `gs://`, or the plain URL)"
            )
            raise ValueError(reason)


def _refuse_dot_segments(path: str) -> None:
    # HTTP clients resolve them before they send (RFC 3986 §5.2.4), so another object would
    # answer.
    if any(segment in {".", ".."} for segment in path.split("/")):
        raise ValueError("a `.` or `..` segment would name another object; spell it out")  # noqa: EM101, TRY003 - one fact


def _check_bucket(scheme: str, bucket: str, key: str) -> None:
    if not bucket:
        reason = f"`{scheme}://` needs a bucket"
        raise ValueError(reason)
    if not re.fullmatch(r"[^\s?#%\\]+", bucket):
        raise ValueError("the name of a bucket has no space, `?`, `#`, `%` or backslash")  # noqa: EM101, TRY003 - one fact
    _refuse_dot_segments(key)
    found = re.search(r"\?versionId=(.+)$", key) if scheme == "s3" else None
    found = found or (re.search(r"#([0-9]{10,})$", key) if scheme == "gs" else None)
    if found:
        reason = f'take the version out of the URI and write `version = "{found[1]}"`'
        raise ValueError(reason)


def _check_web(scheme: str, host: str, key: str) -> None:
    if not host:
        reason = f"`{scheme}://` needs a host"
        raise ValueError(reason)
    if "#" in key:
        reason = "a fragment (`#...`) never reaches the server; leave it out"
        raise ValueError(reason)
    match = re.fullmatch(r"(?:[a-z0-9.-]+|\[([0-9a-f:.]+)\])(?::([0-9]{1,5}))?", host)
    if match is None or (match[1] and not _is_ipv6(match[1])):
        reason = f"`{host}` is not a host"
        raise ValueError(reason)
    if int(match[2] or 0) > _MAX_PORT:
        reason = f"`{match[2]}` is not a port"
        raise ValueError(reason)
    _refuse_dot_segments(_decoded(key.partition("?")[0]))


def _is_ipv6(text: str) -> bool:
    import ipaddress  # noqa: PLC0415 - it takes milliseconds to load, and few URIs have one

    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
