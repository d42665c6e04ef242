"""Addresses that any client of the web may ask: of one version, where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from artlock.errors import ConfigError

if TYPE_CHECKING:
    from artlock.model.exports import Export, ExportedArtifact, ExportedFile

_LOCAL = frozenset({"file", ""})


def web_address(artifact: ExportedArtifact, file: ExportedFile) -> str:
    """Return the address of a file's object, percent-encoded.

    ==========  ========================================================
    ``s3``      ``https://BUCKET.s3.amazonaws.com/KEY?versionId=VERSION``
    ``gs``      ``https://storage.googleapis.com/BUCKET/KEY?generation=N``
    the web     as it was declared
    ==========  ========================================================

    With an ``endpoint`` it is that one, and the bucket the first segment; so it is for a
    bucket of S3 with a dot in its name, which Amazon's certificate does not cover. Who may
    not read the object gets 403 there: an address is no permission.
    """
    uri, version = file.uri, file.row.version
    bucket, key = uri.authority or "", quote(uri.key, safe="/~")
    endpoint = (artifact.access.endpoint or "").removesuffix("/")
    if uri.scheme == "s3":
        place = f"{endpoint or 'https://s3.amazonaws.com'}/{bucket}"
        if not endpoint and "." not in bucket:
            place = f"https://{bucket}.s3.amazonaws.com"
        asked = f"?versionId={quote(version, safe='')}" if version else ""
        return f"{place}/{key}{asked}"
    if uri.scheme == "gs":
        place = f"{endpoint or 'https://storage.googleapis.com'}/{bucket}"
        return f"{place}/{key}" + (f"?generation={version}" if version else "")
    return quote(str(uri), safe="/%:?&=#[]@!$'()*+,;~")


def refuse_local(export: Export) -> None:
    """Refuse what lies in folders, where nobody else can fetch it.

    Raises:
        ConfigError: There is some.
    """
    for artifact in export.artifacts:
        if artifact.files and artifact.uri.scheme in _LOCAL:
            message = f"`{artifact.name}` lies in `{artifact.uri}`, which is not on the web"
            hint = "name the artifacts to export, or use `artlock export sh`"
            raise ConfigError(message, hint=hint)
