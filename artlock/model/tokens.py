"""What is known about an object's content: the third column of a row.

::

    blake3:3f79…  crc32c:9a71bb4c  md5:5d41…  etag:4a8a08f0…-9
    +- digests -+ +---- checksums ----------+ +--- etag -----+

A space-separated list of ``algorithm:value``, strongest first. Unknown algorithms that keep
the grammar stand between the checksums and the etag, sorted, and pass unread. The etag is
the store's opaque change token, percent-encoded; it is never taken for a checksum.
"""

from __future__ import annotations

import re
from collections import Counter
from enum import StrEnum
from itertools import compress, repeat
from typing import TYPE_CHECKING, Self
from urllib.parse import quote, unquote

import msgspec

from artlock.model.digest import (
    HEX_LENGTHS,
    Checksum,
    ChecksumAlgorithm,
    Digest,
    DigestAlgorithm,
    is_hex,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

# Text is looked up in these: until Python 3.12 `text in DigestAlgorithm` is an error.
_DIGESTS = frozenset(str(algorithm) for algorithm in DigestAlgorithm)
_CHECKSUMS = frozenset(str(algorithm) for algorithm in ChecksumAlgorithm)
_ORDER = (*DigestAlgorithm, *ChecksumAlgorithm)
_RANK = {str(algorithm): rank for rank, algorithm in enumerate(_ORDER)}
_ETAG_SAFE = "/+=~"
"""Kept as they are in an etag beside letters, digits, ``-``, ``.`` and ``_``."""
_UNKNOWN = re.compile(r"[a-z][a-z0-9-]{0,31}:[A-Za-z0-9+/=_.~%-]{1,512}")
_UNSENDABLE = re.compile(r'[\x00-\x1f\x7f"]')
"""What an etag cannot have: it is sent back inside of a header (RFC 9110 §8.8.3)."""
_MD5_LENGTH = HEX_LENGTHS["md5"]
_LAST = r"(?: (?=.)|\Z)"
"""Behind a token: a space with another token behind it, or the end."""
_KNOWN = re.compile(
    "".join(f"(?:({name}:)[0-9a-f]{{{HEX_LENGTHS[name]}}}{_LAST})?" for name in _RANK)
    + r"(?:(etag:)[A-Za-z0-9_.~/+=-]+)?"
)
"""Accepts most of the texts there are, and no text that ``Tokens.parse`` refuses.

Each group is a name with its colon."""
_TO_SHAPE = bytes.maketrans(b"0123456789abcdef", b"0" * 16)
"""Makes texts equal that differ only in hex digits."""
_FEW_SHAPES = 8
"""As many as there may be that cost less than a look at each text."""


class Trust(StrEnum):
    """How far bytes can be proved to be those that were locked, by the strongest token."""

    STRONG = "strong"
    STORE = "store"
    ETAG = "etag"
    NONE = "none"

    def reaches(self, least: Trust) -> bool:
        """Tell whether this trust is at least ``least``."""
        return _TRUST_RANK[self] <= _TRUST_RANK[least]


_TRUST_RANK = {trust: rank for rank, trust in enumerate(Trust)}


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of one object.

    Attributes:
        digests: Strongest first; at most one for each algorithm.
        checksums: Strongest first; full-object only, at most one for each algorithm.
        unknown: ``algorithm:value`` of algorithms this version does not know, sorted.
        etag: The store's change token without quotes, decoded, or ``None``; a weak one
            keeps its ``W/``.
    """

    digests: tuple[Digest, ...] = ()
    checksums: tuple[Checksum, ...] = ()
    unknown: tuple[str, ...] = ()
    etag: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of a row.

        Raises:
            ValueError: The text is not canonical: another order or spacing, a doubled
                algorithm, a value of the wrong length, an etag spelled otherwise.
        """
        tokens = cls._parse_loosely(text)
        if str(tokens) != text:
            reason = f"the tokens `{text}` are not in canonical form"
            raise ValueError(reason)
        return tokens

    @classmethod
    def _parse_loosely(cls, text: str) -> Self:
        digests: list[Digest] = []
        checksums: list[Checksum] = []
        unknown: list[str] = []
        etag: str | None = None
        seen: set[str] = set()
        for token in text.split(" ") if text else ():
            name, separator, value = token.partition(":")
            if not separator or name in seen:
                reason = f"`{token}` is not one token of the form `algorithm:value`"
                raise ValueError(reason)
            seen.add(name)
            if name in _DIGESTS:
                digests.append(Digest(DigestAlgorithm(name), value))
            elif name in _CHECKSUMS:
                checksums.append(Checksum(ChecksumAlgorithm(name), value))
            elif name == "etag":
                etag = _decoded_etag(value)
            elif _UNKNOWN.fullmatch(token):
                unknown.append(token)
            else:
                reason = f"`{token}` is not a token"
                raise ValueError(reason)
        return cls(
            digests=tuple(digests),
            checksums=tuple(checksums),
            unknown=tuple(unknown),
            etag=etag,
        )

    def __str__(self) -> str:
        texts = [
            *(str(d) for d in sorted(self.digests, key=lambda d: _RANK[d.algorithm])),
            *(str(c) for c in sorted(self.checksums, key=lambda c: _RANK[c.algorithm])),
            *sorted(self.unknown),
        ]
        if self.etag:
            texts.append("etag:" + quote(self.etag, safe=_ETAG_SAFE))
        return " ".join(texts)

    @property
    def trust(self) -> Trust:
        """The trust of the strongest token."""
        if self.digests:
            return Trust.STRONG
        if self.checksums:
            return Trust.STORE
        return Trust.ETAG if self.etag else Trust.NONE

    @property
    def blake3(self) -> Digest | None:
        """The BLAKE3 digest: the name of the blob in the cache, if it is known."""
        return self._digest(DigestAlgorithm.BLAKE3)

    def _digest(self, algorithm: DigestAlgorithm) -> Digest | None:
        return next((d for d in self.digests if d.algorithm is algorithm), None)

    @property
    def etag_like_md5(self) -> str | None:
        """The etag if it looks like an MD5, else ``None``: a hint and nothing more.

        S3 gives the MD5 of the bytes as ETag for single-part objects without KMS or
        customer keys; other servers may put any 32 digits there (hazard 1.1, 1.2).
        """
        etag = self.etag
        if etag is None or len(etag) != _MD5_LENGTH or not is_hex(etag):
            return None
        return etag

    def with_digest(self, digest: Digest) -> Tokens:
        """Return these tokens and ``digest``, which takes the place of an equal kind."""
        others = (d for d in self.digests if d.algorithm is not digest.algorithm)
        digests = sorted((digest, *others), key=lambda d: _RANK[d.algorithm])
        return Tokens(
            digests=tuple(digests),
            checksums=self.checksums,
            unknown=self.unknown,
            etag=self.etag,
        )

    def contradicts(self, other: Tokens) -> bool:
        """Tell whether the two cannot speak of the same bytes.

        True if a digest or checksum of one algorithm differs. Etags do not count: a store
        may give equal bytes a new etag.
        """
        mine = _by_algorithm(self)
        theirs = _by_algorithm(other)
        return any(mine[name] != theirs[name] for name in mine.keys() & theirs.keys())

    def agrees(self, other: Tokens) -> bool:
        """Tell whether a digest or checksum is in both and equal, and none differs."""
        mine = _by_algorithm(self)
        theirs = _by_algorithm(other)
        common = mine.keys() & theirs.keys()
        return bool(common) and all(mine[name] == theirs[name] for name in common)


def problems_with_tokens(texts: Sequence[str]) -> list[tuple[int, str]]:
    """Return the index and the problem of each text that ``Tokens.parse`` refuses.

    Cheap for what most stores give: a million rows cost an eighth of a second, and nine
    tenths where each has to be looked at.
    """
    if _are_alike(texts) or _are_of_few_shapes(texts):
        return []
    return [
        (index, problem)
        for index, match in enumerate(map(_KNOWN.fullmatch, texts))
        if match is None and (problem := _problem_with(texts[index])) is not None
    ]


def _are_alike(texts: Sequence[str]) -> bool:
    """Tell whether ``_KNOWN`` accepts the first text, and others differ in hex digits only.

    Not in those that are part of a name: the ``b`` of ``blake3`` is a hex digit, too.
    """
    match = _KNOWN.fullmatch(texts[0]) if texts else None
    joined = "\n".join((*texts, ""))
    if match is None or not joined.isascii():
        return False
    lines = joined.encode()
    first = f"{texts[0]}\n".encode()
    if lines.translate(_TO_SHAPE) != first.translate(_TO_SHAPE) * len(texts):
        return False
    return all(
        lines[column :: len(first)].count(first[column]) == len(texts)
        for group, name in enumerate(match.groups(), 1)
        if name is not None
        for column in range(*match.span(group))
    )


def _are_of_few_shapes(texts: Sequence[str]) -> bool:
    """Tell whether the texts are few groups, in each of which all are alike."""
    shapes = "\n".join(texts).encode(errors="replace").translate(_TO_SHAPE).split(b"\n")
    groups = set(shapes)
    return len(groups) <= _FEW_SHAPES and all(
        _are_alike([*compress(texts, map(shape.__eq__, shapes))]) for shape in groups
    )


def _problem_with(text: str) -> str | None:
    try:
        Tokens.parse(text)
    except ValueError as error:
        return str(error)
    return None


def _decoded_etag(value: str) -> str:
    try:
        etag = unquote(value, errors="strict")
    except UnicodeDecodeError:
        reason = f"the etag `{value}` is not percent-encoded UTF-8"
        raise ValueError(reason) from None
    if not etag or _UNSENDABLE.search(etag):
        reason = f"the etag `{value}` is empty, or has a quote or control character"
        raise ValueError(reason)
    return etag


def _by_algorithm(tokens: Tokens) -> dict[str, str]:
    known: tuple[Digest | Checksum, ...] = (*tokens.digests, *tokens.checksums)
    return {str(token.algorithm): token.hex for token in known}


def trust_of(text: str) -> Trust:
    """Return the trust of a row's token text without building the tokens.

    The strongest token comes first, so this costs a fraction of
    ``Tokens.parse(text).trust``, which it always equals for text that parses.
    """
    trust = _FIRST_TRUST.get(text.partition(":")[0])
    if trust is not None:
        return trust
    # Algorithms that this version does not know prove nothing, and stand before the etag.
    return Trust.ETAG if " etag:" in text else Trust.NONE


def count_trusts(texts: Sequence[str]) -> dict[Trust, tuple[int, int]]:
    """Return of each trust how many texts have it, and the index of the first."""
    if texts and all(map(str.startswith, texts, repeat(_STRONG))):
        return {Trust.STRONG: (len(texts), 0)}
    trusts = [trust_of(text) for text in texts]
    return {trust: (count, trusts.index(trust)) for trust, count in Counter(trusts).items()}


_STRONG = tuple(f"{name}:" for name in DigestAlgorithm)
_FIRST_TRUST = {
    **dict.fromkeys(_DIGESTS, Trust.STRONG),
    **dict.fromkeys(_CHECKSUMS, Trust.STORE),
    "etag": Trust.ETAG,
}
