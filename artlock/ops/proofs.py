r"""The memory of lockfiles that were judged, and found valid.

A long text need not be judged again: its BLAKE3 digest says that it is the same (that of
the frame, where it lists parts with theirs), and what it says beside its rows is remembered
(decision record 0023). The memory is a file for each
text, in the user's state folder, where no checkout reaches::

    artlock-proof 1\n               what it is, and the number of its format
    <32 bytes>                      BLAKE3 of the rest, keyed with a secret of this user
    <msgpack>                       the digest of the text, who proved it, the text without
                                    its rows, the tally of each artifact
"""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from blake3 import blake3

from artlock import __version__
from artlock.engine.forks import share_out
from artlock.errors import ArtlockError, ConfigError
from artlock.formats.lockfile_survey import (
    Survey,
    one_by_one,
    survey_again,
    survey_text,
)
from artlock.formats.settings import user_file
from artlock.fs.atomic import replace_file
from artlock.model.tally import Tally
from artlock.ops.memory import index_secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from artlock.formats.lockfile_parts import LockText
    from artlock.ops.runtime import Runtime

RULES = 2
"""Raised with every change of what is read, refused or counted between two releases."""
KEPT = 32
"""Proofs that are kept: of those texts that were proven last."""
_WORTH_A_FORK = 8 << 20
"""Bytes of text that take longer to judge than a process takes to begin."""
_LARGEST = 1 << 20
"""Longest text without rows that is remembered, in bytes."""
_MAGIC = b"artlock-proof 1\n"
_HASH_LENGTH = 32


class _Proof(msgspec.Struct, frozen=True, array_like=True):
    digest: bytes
    by: str
    rest: bytes
    tallies: tuple[Tally, ...]


def survey_and_remember(
    text: LockText, runtime: Runtime, *, name: str = "artifacts.lock"
) -> Survey:
    """Judge the text of a lockfile, and remember it; not if it was judged before.

    Args:
        text: The lockfile.
        runtime: Whose user remembers it.
        name: What the text is, for messages.

    Raises:
        ArtlockError: As ``survey_text``.
    """
    digest = text.key
    known = recalled(runtime.environ, digest)
    if known is not None:
        return known
    may_fork = runtime.may_fork and len(text.data) >= _WORTH_A_FORK
    found = survey_text(text, name=name, share=share_out if may_fork else one_by_one)
    rest = found.rest if found.oddity is None else None
    if rest is not None and len(rest) <= _LARGEST:
        # A memory only. `ArtlockError`: there is no place for it.
        with suppress(OSError, ArtlockError):
            _remember(runtime.environ, _Proof(digest, _prover(), rest, found.tallies))
    return found


def recalled(environ: Mapping[str, str], digest: bytes) -> Survey | None:
    """Return what is known of a text; ``None`` of one that is new, or was forgotten.

    What is damaged, sealed by somebody else, or was proven by other rules counts as
    forgotten.
    """
    with suppress(OSError, ConfigError, msgspec.DecodeError):
        data = (proofs_folder(environ) / digest.hex()).read_bytes()
        payload = memoryview(data)[len(_MAGIC) + _HASH_LENGTH :]
        # Not in constant time, as in `cache.statindex`.
        if data[: -len(payload)] != _head(environ, payload):
            return None
        proof = msgspec.msgpack.decode(payload, type=_Proof)
        if (proof.digest, proof.by) == (digest, _prover()):
            return survey_again(proof.rest, proof.tallies)
    return None


def _remember(environ: Mapping[str, str], proof: _Proof) -> None:
    """Keep a proof, and forget the oldest.

    Raises:
        OSError: It cannot be written.
        ArtlockError: There is no place for it.
    """
    folder = proofs_folder(environ)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    payload = msgspec.msgpack.encode(proof)
    path = folder / proof.digest.hex()
    replace_file(path, _head(environ, payload) + payload, mode=0o600)
    by_age = sorted(folder.iterdir(), key=lambda path: path.lstat().st_mtime_ns)
    for path in by_age[:-KEPT]:
        path.unlink(missing_ok=True)


def proofs_folder(environ: Mapping[str, str]) -> Path:
    """Return where this user's proofs are.

    Raises:
        ConfigError: Nothing says where the user's files are.
    """
    return user_file(environ, "XDG_STATE_HOME", ".local/state", "proofs")


def _head(environ: Mapping[str, str], payload: bytes | memoryview) -> bytes:
    return _MAGIC + blake3(payload, key=index_secret(environ)).digest()


def _prover() -> str:
    """Return what a proof depends on beside the text: the rules, and who applied them."""
    parts = (__version__, RULES, msgspec.__version__, unicodedata.unidata_version)
    return " ".join(map(str, parts))
