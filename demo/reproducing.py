"""Chapter 2: the sources change; a clone still gets the locked bytes."""

import shutil
from pathlib import Path

from demo.proofs import same_bytes, sha256
from demo.stage import Stage, expect
from demo.world import CORPUS, MODELS, RUN, VOCABULARY, WEIGHTS, World

FOLDERS = {
    "encoder": "models/encoder",
    "vocabulary": "data/vocabulary",
    "labels": "data/labels",
    "prompts": "data/prompts",
}
"""Where the files of each artifact land; ``data/`` and its name, if nothing was said."""
SHA256SUM = "sha256sum" if shutil.which("sha256sum") else "shasum -a 256"


def play(stage: Stage, world: World, project: Path, clone: Path) -> None:
    """Overwrite and delete objects, clone elsewhere with an empty cache, sync, compare."""
    stage.chapter("2. The sources change; a clone gets the locked bytes")
    stage.say(
        """Behind the lockfile's back somebody retrains the model and writes over the
        weights: same key, same size, other bytes. A config is deleted, a file is added,
        and the vocabulary in GCS is replaced."""
    )
    change_sources(world)
    stage.news(
        {
            f"s3://{MODELS}/{WEIGHTS}": "overwritten",
            f"s3://{MODELS}/{RUN}config.json": "deleted",
            f"s3://{MODELS}/{RUN}notes.txt": "added",
            f"gs://{CORPUS}/{VOCABULARY}": "overwritten",
        }
    )
    stage.say(
        """Now a colleague clones the repository, on another machine: here another
        folder, and an empty cache. `sync` asks for exactly the versions of the
        lockfile, verifies every byte while it streams, and only then puts files into
        the workspace."""
    )
    stage.set("ARTLOCK_CACHE_DIR", str(world.folder / "second-machine-cache"))
    stage.type(f"git clone -q {project.name} {clone.name}", at=world.folder)
    stage.type(
        "artlock sync",
        at=clone,
        shows=["Synced 5 artifacts", "18 fetched", "1 link not downloaded"],
    )
    _prove(stage, world, clone)


def change_sources(world: World) -> None:
    """Overwrite, delete and add objects where the encoder and the vocabulary are."""
    weights = bytearray((world.model / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    world.put_s3(MODELS, WEIGHTS, bytes(weights))
    world.delete_s3(MODELS, f"{RUN}config.json")
    world.put_s3(MODELS, f"{RUN}notes.txt", b"Retrained on Monday.\n")
    world.put_gcs(VOCABULARY, b"[PAD]\n[UNK]\n")


def _prove(stage: Stage, world: World, clone: Path) -> None:
    stage.say(
        """Are these the bytes that were locked? We do not ask artlock, but sha256sum,
        with a list that was made from the original files."""
    )
    listed = [
        (f"{folder}/{path}", original)
        for name, folder in FOLDERS.items()
        for path, original in world.originals[name].items()
    ]
    lines = [f"{sha256(original)}  {path}\n" for path, original in listed]
    (world.folder / "originals.sha256").write_text("".join(lines), "utf-8")
    output = stage.type(
        f"{SHA256SUM} --check ../originals.sha256", at=clone, hides=["FAILED"]
    )
    expect(output.count(": OK") == len(listed), "sha256sum did not look at every file")
    same_bytes(clone / "models" / "encoder", world.originals["encoder"])
    same_bytes(clone / "data" / "prompts", world.originals["prompts"])
    stage.say("Syncing again finds nothing to do; unchanged files are not read again.")
    stage.type("artlock sync", at=clone, shows=["nothing to do"])
    stage.type("artlock status", at=clone, shows=["Clean"])
