"""What is wrong with a pin, said with its place."""

from __future__ import annotations

import base64
import re
from typing import NoReturn

from artlock.errors import ConfigError
from artlock.model.digest import HEX_LENGTHS, Checksum, ChecksumAlgorithm, is_hex
from artlock.model.lock import MAX_SIZE
from artlock.model.objects import is_plain_version
from artlock.model.tokens import Tokens
from artlock.model.uri import Uri

_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, which JSON can spell and UTF-8 cannot (RFC 8259 §8.2)."""


def refuse(place: str, problem: str, *, hint: str | None = None) -> NoReturn:
    """Refuse what stands at a place.

    Raises:
        ConfigError: Always.
    """
    message = f"{place}: {problem}"
    raise ConfigError(message, hint=hint)


def mapping(value: object, place: str) -> dict[str, object]:
    """Return a mapping whose keys are Unicode text; refuse anything else."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        refuse(place, "is not a table of names")
    if any(map(_SURROGATE.search, value)):
        refuse(place, "has a name that is not Unicode")
    return value


def text(value: object, place: str) -> str:
    """Return Unicode text that is not empty; refuse anything else."""
    if not isinstance(value, str) or not value:
        refuse(place, "is not text")
    if _SURROGATE.search(value):
        refuse(place, "is not Unicode")
    return value


def size_of(value: object, place: str) -> int | None:
    """Return a size, or ``None`` if there is none; refuse what cannot be one."""
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= MAX_SIZE:
        refuse(place, "is not a size in bytes")
    return value


def uri_of(value: str, place: str) -> Uri:
    """Return a URI that a manifest may have; refuse others without repeating them."""
    try:
        found = Uri.parse(value)
    except ValueError as error:
        refuse(place, f"cannot be declared: {error}")
    if found.is_link:
        hint = "declare it as a link with `artlock add`"
        refuse(place, f"artlock cannot read `{found.scheme}:`", hint=hint)
    return found


def hex_of(value: object, algorithm: str, place: str) -> str:
    """Return a digest in lower-case hex; refuse another length or alphabet."""
    found = text(value, place).lower()
    if len(found) != HEX_LENGTHS[algorithm] or not is_hex(found):
        refuse(place, f"is not a digest of `{algorithm}`")
    return found


def from_base64(value: object, algorithm: str, place: str) -> str:
    """Return a digest that was written in base64 as hex."""
    try:
        found = base64.b64decode(text(value, place), validate=True).hex()
    except ValueError:
        refuse(place, f"is not a digest of `{algorithm}` in base64")
    return hex_of(found, algorithm, place)


def md5(value: str) -> tuple[Checksum, ...]:
    """Return the tokens of an MD5 of the bytes."""
    return (Checksum(ChecksumAlgorithm.MD5, value),)


def version_of(value: object, uri: Uri, place: str) -> str:
    """Return a version of what is at ``uri``; S3's ``null`` names none."""
    if value is None or value == "null":
        return ""
    found = text(str(value) if type(value) is int else value, place)
    if not is_plain_version(found, uri.scheme):
        refuse(place, "is no version that a store gives")
    return found


def etag_of(value: object, place: str) -> str | None:
    """Return an etag without its quotes, or ``None``; refuse what no store sends.

    A weak one keeps its ``W/``, as in a row.
    """
    if value is None:
        return None
    marked = text(value, place)
    bare = marked.removeprefix("W/")
    found = bare.strip('"')
    if found and bare != marked:
        found = f"W/{found}"
    try:
        Tokens.parse(str(Tokens(etag=found)))
    except ValueError:
        refuse(place, "is no etag")
    return found or None
