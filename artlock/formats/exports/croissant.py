"""Metadata in the Croissant vocabulary, version 1.0: a file object for each object.

What a lockfile does not know, such as a licence or who made the data, is left out and never
made up.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from artlock.formats.exports.addresses import refuse_local, web_address
from artlock.formats.exports.sums import refuse_without, value_of
from artlock.formats.exports.versions import refuse_odd_versions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from artlock.model.exports import Export, ExportedArtifact, ExportedFile

_TERMS = re.findall(
    r"\w+",
    """
    citeAs column equivalentProperty extract field fileObject fileProperty fileSet format
    includes isLiveDataset jsonPath key md5 parentField path recordSet references regex
    repeated replace samplingRate separator source subField transform
    """,
)
"""What the vocabulary itself defines; a file object needs but one of them."""
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    **{term: f"cr:{term}" for term in _TERMS},
}
"""Readers complain of a context that lacks a term (Croissant 1.0, appendix 1)."""
_TYPES = {
    "csv": "text/csv",
    "gz": "application/gzip",
    "html": "text/html",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "md": "text/markdown",
    "parquet": "application/x-parquet",
    "png": "image/png",
    "tar": "application/x-tar",
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
    "zip": "application/zip",
}
"""Not from the system's table, which is another on each machine."""
_SPACE = re.compile(r"[\s~]")
"""What an ``@id`` cannot have for its reference implementation, and what escapes it."""
_ANY = "application/octet-stream"


def as_croissant(export: Export) -> Iterator[str]:
    """Yield the document.

    Raises:
        ConfigError: Something lies in a folder, or a row has neither SHA-256 nor MD5, of
            which the specification wants one.
    """
    refuse_local(export)
    refuse_odd_versions(export)
    refuse_without(export, "sha256", "md5")
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": export.name,
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "identifier": export.pin,
        "distribution": [_file_object(*pair) for pair in export.files()],
    }
    yield json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _file_object(artifact: ExportedArtifact, file: ExportedFile) -> dict[str, str]:
    name = f"{artifact.name}/{file.row.path}"
    sums = {key: value_of(file, key) for key in ("sha256", "md5")}
    return {
        "@type": "cr:FileObject",
        "@id": _SPACE.sub(_escaped, name),
        "name": name,
        "contentUrl": web_address(artifact, file),
        "contentSize": f"{file.row.size} B",
        "encodingFormat": _TYPES.get(name.rpartition(".")[2].lower(), _ANY),
        **{key: value for key, value in sums.items() if value is not None},
    }


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"~{byte:02X}" for byte in match[0].encode())
