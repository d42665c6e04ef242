"""Chapter 6: the lockfile is registered as a version, and reproduced without a project."""

from pathlib import Path

from demo.proofs import same_bytes
from demo.stage import Stage, expect
from demo.world import World


def play(stage: Stage, world: World, project: Path) -> None:
    """Push twice, look at versions and lineage, sync the first one in an empty folder."""
    stage.chapter("6. Register it; reproduce it where there is no project")
    stage.say(
        """`push` registers the lockfile as a version of an artifact. Trackers such as
        Comet, MLflow and Weights & Biases can be named; without any it is a registry of
        your own, a file. It needs no server, no account, and no access to the data."""
    )
    stage.type(
        "artlock push --alias prod --run train-4711",
        at=project,
        shows=["local#classifier:v1", "Registered classifier:v1"],
    )
    stage.say("The same lockfile is one version, however often it is pushed.")
    stage.type("artlock push", at=project, shows=["in `local` already: nothing to do"])
    stage.type("artlock versions", at=project, shows=["classifier:v1", "(prod)"])
    stage.say(
        """On another machine, in a folder with no project and no git, a name is enough.
        The lock comes back, is held against the digest that it was registered under, and
        the exact bytes are brought."""
    )
    empty = world.folder / "evaluation"
    empty.mkdir()
    stage.type(
        "artlock sync --from classifier:v1 ./elsewhere --run evaluate-0815",
        at=empty,
        shows=["local#classifier:v1", "recorded: run evaluate-0815 used classifier:v1"],
    )
    same_bytes(empty / "elsewhere" / "encoder", world.originals["encoder"])
    files = {path.name for path in (empty / "elsewhere").iterdir()}
    expect("artifacts.toml" not in files, "a sync of a version made a project")
    stage.say("Who made the data, from which commit, and who used it:")
    stage.type(
        "artlock lineage classifier:v1",
        at=project,
        shows=["made by   run train-4711", "used by   run evaluate-0815"],
    )
