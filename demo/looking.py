"""Chapter 5: a person's change is kept; everything can be verified and read."""

from pathlib import Path

from demo.proofs import same_bytes
from demo.stage import Stage, expect
from demo.world import World


def play(stage: Stage, world: World, project: Path) -> None:
    """Change a file, see sync refuse to destroy it, let it go to the trash, verify all."""
    stage.chapter("5. What people do to files is kept")
    stage.say(
        """A colleague tries another prompt, right in the workspace. The next sync does
        not write over it: it stops before anything is written, with exit code 1."""
    )
    prompt = project / "data" / "prompts" / "system.txt"
    prompt.chmod(0o644)
    prompt.write_text("Answer in verse.\n", "utf-8")
    stage.type(
        "artlock status", at=project, exits=1, shows=["modified: data/prompts/system.txt"]
    )
    stage.type("artlock sync", at=project, exits=1, shows=["error[conflict]"])
    expect(prompt.read_text("utf-8") == "Answer in verse.\n", "sync wrote over a change")
    stage.say("With `--force` the change goes to a trash folder; it is not deleted either.")
    stage.type("artlock sync --force", at=project, shows=["moved to .artlock/trash"])
    same_bytes(project / "data" / "prompts", world.originals["prompts"])
    kept = list((project / ".artlock" / "trash").rglob("system.txt"))
    expect(
        [path.read_text("utf-8") for path in kept] == ["Answer in verse.\n"],
        "the change is not in the trash",
    )
    stage.say("Finally, `verify` reads every file again, and `ls` tells what is locked.")
    stage.type("artlock verify", at=project, shows=["Verified 19 objects"])
    stage.type("artlock ls", at=project, shows=["annotations  link"])
    stage.type("artlock digest", at=project)
