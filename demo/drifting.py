"""Chapter 3: see what moved, take it over, go back."""

import json
from pathlib import Path

from demo.proofs import same_bytes
from demo.stage import Stage, checked, expect
from demo.world import World


def play(stage: Stage, world: World, clone: Path) -> None:
    """Show drift, rehearse an update, make it, review it, and return to the old bytes."""
    stage.chapter("3. See what moved, and decide")
    stage.say(
        """The clone has the old data, and that is right: nothing moves by itself. But
        has the world moved on? `status --remote` compares listings and downloads
        nothing. Its exit code is 1, which always means that the answer is no: not all
        is as locked."""
    )
    _drift(stage, clone)
    stage.say(
        """What would an update change? Nothing is written yet. (The new weights are
        read once, because this artifact wants digests; they stay in the cache, where
        they are needed next.)"""
    )
    before = (clone / "artifacts.lock").read_bytes()
    stage.type(
        "artlock update --dry-run",
        at=clone,
        shows=["M model.safetensors", "D config.json", "A notes.txt", "nothing written"],
    )
    expect((clone / "artifacts.lock").read_bytes() == before, "a dry run wrote")
    stage.say(
        """We want the new model, but not the new vocabulary, so we name what may move.
        The change of the lockfile is a commit like any other, and a reviewer sees
        objects and bytes in place of a new hash."""
    )
    stage.type("artlock update encoder", at=clone, shows=["wrote artifacts.lock"])
    stage.type("git commit -q -a -m 'Take the retrained model'", at=clone)
    stage.type("artlock diff HEAD~1 HEAD", at=clone, shows=["A notes.txt", "M model."])
    stage.say("The next sync brings the new files, and removes the one that is gone.")
    stage.type("artlock sync", at=clone, shows=["1 removed"])
    expect(
        not (clone / "models/encoder/config.json").exists(), "config.json is still there"
    )
    stage.say(
        """And back: the old lockfile is in git, its bytes are in the cache and, by
        their versions, still in the bucket."""
    )
    stage.type("git checkout -q HEAD~1 -- artifacts.lock", at=clone)
    stage.type("artlock sync", at=clone, shows=["0 fetched"])
    same_bytes(clone / "models" / "encoder", world.originals["encoder"])


def _drift(stage: Stage, clone: Path) -> None:
    stage.type(
        "artlock status --remote",
        at=clone,
        exits=1,
        shows=["changed: encoder/model.safetensors", "deleted: encoder/config.json"],
    )
    stage.say("Every command with data speaks JSON too, for scripts and dashboards.")
    output = stage.type(
        "artlock status --remote --json --quiet encoder", at=clone, exits=1, clipped=True
    )
    drift = {item["path"]: item["kind"] for item in json.loads(output)["drift"]}
    expected = {
        "config.json": "deleted",
        "model.safetensors": "changed",
        "notes.txt": "added",
    }
    expect(drift == expected, f"the drift is {drift}")
    checked("exactly the three objects that we touched, each with its kind")
