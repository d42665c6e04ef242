"""Pin and download a reference artifact with the code of W&B's client, without its server.

Runs in the environment of ``wandb.txt``. The server would keep the manifest and page
through the names of the files; here a file keeps the manifest. Each entry's own
``download`` does the rest, in as many threads as ``Artifact.download`` has.

``wandb_client.py pin URI MANIFEST`` and ``wandb_client.py download MANIFEST FOLDER``
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from wandb import Artifact
from wandb.sdk.artifacts.artifact_manifests.artifact_manifest_v1 import ArtifactManifestV1

_THREADS = 32


def _pin(uri: str, manifest: str) -> None:
    artifact = Artifact("data", type="dataset")
    artifact.add_reference(uri)
    Path(manifest).write_text(json.dumps(artifact.manifest.to_manifest_json()))


def _download(manifest: str, folder: str) -> None:
    pinned = ArtifactManifestV1.from_manifest_json(json.loads(Path(manifest).read_text()))
    artifact = Artifact("data", type="dataset")
    entries = pinned.entries.values()
    for entry in entries:
        artifact.manifest.add_entry(entry)
        entry._parent_artifact = artifact  # noqa: SLF001 - as get_entry of a logged one does
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(lambda entry: entry.download(folder), entries))


if __name__ == "__main__":
    verb, *arguments = sys.argv[1:]
    {"pin": _pin, "download": _download}[verb](*arguments)
