"""One function of bytes for each reader of bytes that others wrote.

A target returns whether its input was taken. What it refuses it refuses with an
``ArtlockError`` (below the seams that translate it, with the ``ValueError`` that the reader
promises); any other exception is a defect, and so is a broken law, which is an
``AssertionError``.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torture.fuzz import listings, own, texts, values, words


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One reader.

    Attributes:
        name: For the command, the corpus and the table.
        run: Reads an input; tells whether it was taken.
        words: Pieces that its inputs are made of, for mutations.
        inputs: How many make one trial of torture.
    """

    name: str
    run: Callable[[bytes], bool]
    words: tuple[bytes, ...]
    inputs: int


TARGETS: tuple[Target, ...] = (
    Target(name="lockfile", run=texts.lockfile, words=words.LOCK, inputs=1500),
    Target(
        name="markers",
        run=texts.markers,
        words=(
            *words.LOCK,
            b"<<<<<<< a\n",
            b"=======\n",
            b">>>>>>> b\n",
            b"||||||| c\n",
        ),
        inputs=1000,
    ),
    Target(
        name="frame",
        run=texts.frame,
        words=(*words.LOCK, b"parts = [\n", b'["first","blake3:', b"first"),
        inputs=1500,
    ),
    Target(name="manifest", run=texts.manifest, words=words.MANIFEST, inputs=200),
    Target(name="uri", run=values.uri, words=words.URI, inputs=5000),
    Target(name="path", run=values.path, words=words.PATH, inputs=3000),
    Target(name="tokens", run=values.tokens, words=words.TOKEN, inputs=5000),
    Target(name="s3-listing", run=listings.s3_listing, words=words.XML, inputs=3000),
    Target(name="gcs-listing", run=listings.gcs_listing, words=words.JSON, inputs=3000),
    Target(name="journal", run=own.journal, words=words.NUMBERS, inputs=300),
    Target(name="statindex", run=own.statindex, words=words.NUMBERS, inputs=300),
    Target(name="trust", run=texts.trust, words=words.TRUST, inputs=5000),
    Target(
        name="settings",
        run=texts.settings,
        words=words.SETTINGS,
        inputs=1000,
    ),
)
