"""Pin and download a remote artifact with the code of Comet's client, without its server.

Runs in the environment of ``comet.txt``. The server would keep the list of assets; here a
file does, and answers the one question that ``LoggedArtifact.download`` has for the server.

``comet_client.py pin URI ASSETS`` and ``comet_client.py download ASSETS FOLDER``
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from comet_ml import Artifact
from comet_ml.artifacts.logged_artifact import LoggedArtifact
from comet_ml.config import get_config
from comet_ml.summary import Summary


class _AssetsInFile:
    """In place of Comet's REST client."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def get_artifact_files(self, **_: object) -> object:
        """Return the assets of the only artifact."""
        return {"files": json.loads(self._path.read_text())}


def _pin(uri: str, assets: str) -> None:
    artifact = Artifact("data", "dataset")
    artifact.add_remote(uri)  # one page of a listing: 1,000 objects at most
    found = [
        {
            "assetId": asset.id,
            "artifactVersionId": "1",
            "fileName": asset.logical_path,
            "fileSize": asset.size,
            "link": asset.link,
            "remote": True,
            "type": asset.asset_type,
            "metadata": json.dumps(asset.metadata),
        }
        for asset in artifact.assets
    ]
    if not all("synced" in str(asset["metadata"]) for asset in found):
        sys.exit("the client could not sync what lies at the URI")
    Path(assets).write_text(json.dumps(found))


def _download(assets: str, folder: str) -> None:
    artifact = LoggedArtifact(
        artifact_name="data",
        artifact_type="dataset",
        artifact_id="1",
        artifact_version_id="1",
        workspace="none",
        rest_api_client=_AssetsInFile(assets),
        experiment_key="none",
        version="1.0.0",
        aliases=[],
        artifact_tags=[],
        version_tags=[],
        size=0,
        metadata={},
        source_experiment_key="none",
        summary=Summary("none"),
        config=get_config(),
    )
    artifact.download(folder)


if __name__ == "__main__":
    verb, *arguments = sys.argv[1:]
    {"pin": _pin, "download": _download}[verb](*arguments)
