r"""A bag whose payload is still to be fetched (RFC 8493).

::

    bagit.txt               that this is a bag
    bag-info.txt            Payload-Oxum: 7014.2
    fetch.txt               https://models.s3.… 14 data/encoder/config.json
    manifest-sha256.txt     2e02…  data/encoder/config.json
    tagmanifest-sha256.txt  of the four

Payload stands at ``data/<artifact>/<path>``. Percent signs and line breaks of names are
escaped as RFC 8493 §2.1.3 wants it; some readers forget the percent signs. No date is
written, so that the same lockfile gives the same bag.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from artlock.errors import ConfigError
from artlock.formats.exports.addresses import refuse_local, web_address
from artlock.formats.exports.sums import refuse_without, value_of
from artlock.formats.exports.versions import refuse_odd_versions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from artlock.model.exports import Export, ExportedArtifact, ExportedFile

_ALGORITHMS = ("sha512", "sha256", "md5")
"""Those of tokens that RFC 8493 §2.4 names; a manifest has one of them for each file."""
_ESCAPED = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})


def as_bag(export: Export) -> Mapping[str, str]:
    """Return the files of the bag by name; last ``bagit.txt``, without which it is none.

    Raises:
        ConfigError: Something lies in a folder, or there is no algorithm of which every row
            has a token.
    """
    refuse_local(export)
    refuse_odd_versions(export)
    algorithm = _common(export)
    fetch, sums = [], []
    for artifact, file in export.files():
        path = _payload(artifact, file)
        fetch.append(f"{web_address(artifact, file)} {file.row.size} {path}\n")
        sums.append(f"{value_of(file, algorithm)}  {path}\n")
    tags = {
        "bag-info.txt": (
            f"External-Identifier: {export.name}\n"
            f"Internal-Sender-Identifier: {export.pin}\n"
            f"Payload-Oxum: {export.size}.{export.count}\n"
        ),
        "bagit.txt": "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "fetch.txt": "".join(fetch),
        f"manifest-{algorithm}.txt": "".join(sums),
    }
    listed = [
        f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n"
        for name, text in sorted(tags.items())
    ]
    last = tags.pop("bagit.txt")
    return {**tags, "tagmanifest-sha256.txt": "".join(listed), "bagit.txt": last}


def _common(export: Export) -> str:
    """Return the strongest algorithm of which every row has a token."""
    for algorithm in _ALGORITHMS:
        try:
            refuse_without(export, algorithm)
        except ConfigError:
            continue
        return algorithm
    refuse_without(export, *_ALGORITHMS)
    message = "no one of `sha512`, `sha256` and `md5` is a token of every row"
    raise ConfigError(message, hint="run `artlock sync`, then add `--sha256`")


def _payload(artifact: ExportedArtifact, file: ExportedFile) -> str:
    return f"data/{artifact.name}/{file.row.path}".translate(_ESCAPED)
