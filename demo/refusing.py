"""Chapter 4: a bucket without versions: the right bytes or none, never others."""

from pathlib import Path

from demo.proofs import every_object_locked, rows_of, same_bytes
from demo.stage import Stage, checked, expect
from demo.world import QUESTIONS, SCRATCH, World


def play(stage: Stage, world: World, project: Path, clone: Path) -> None:
    """Lock an object that has no versions, overwrite it, and see what a sync delivers."""
    stage.chapter("4. A bucket without versions: the right bytes or none")
    stage.say(
        """Not every bucket keeps versions. What is overwritten there is gone, and no
        lockfile brings it back. But it can refuse to take something else for it. Back
        in the first folder, with its cache, we lock a test set from such a bucket."""
    )
    stage.set("ARTLOCK_CACHE_DIR", str(world.folder / "first-machine-cache"))
    stage.type(
        f"artlock add s3://{SCRATCH}/{QUESTIONS} --name questions --hash", at=project
    )
    rows = rows_of(project / "artifacts.lock")["questions"]
    every_object_locked(rows, world.originals["questions"], {})
    expect(rows[0][3] == "", "an unversioned bucket has a version")
    stage.type("artlock sync", at=project, shows=["Synced 6 artifacts"])
    stage.type("git commit -q -a -m 'Lock the test set'", at=project)
    stage.say("Then somebody uploads another file under the same name.")
    world.put_s3(SCRATCH, QUESTIONS, b'{"id": 0, "question": "Easy?"}\n')
    stage.news({f"s3://{SCRATCH}/{QUESTIONS}": "overwritten, no version kept"})
    _refused(stage, world, project, clone)
    _from_cache(stage, world, project)


def _refused(stage: Stage, world: World, project: Path, clone: Path) -> None:
    stage.say(
        """A fresh clone with an empty cache cannot have the locked bytes. A tool
        without digests would now deliver the new ones and report success. artlock exits
        with 4, which means: do not retry, look. And it writes none of the artifacts'
        files."""
    )
    stage.set("ARTLOCK_CACHE_DIR", str(world.folder / "third-machine-cache"))
    stage.type(f"git clone -q {project.name} {clone.name}", at=world.folder)
    stage.type("artlock sync", at=clone, exits=4, shows=[f"s3://{SCRATCH}/{QUESTIONS}"])
    for name in ("data", "models"):
        expect(not (clone / name).exists(), f"a refused sync made `{name}`")
    checked("the workspace of the clone holds no file but those of git")
    stage.type(
        "artlock status --remote questions",
        at=clone,
        exits=1,
        shows=["overwritten: questions"],
    )


def _from_cache(stage: Stage, world: World, project: Path) -> None:
    stage.say(
        """The first machine still has the locked bytes in its cache, by their digest.
        So there a sync into an empty folder delivers the right file, although the
        bucket has another one: what the bytes are decides, not where they are."""
    )
    stage.set("ARTLOCK_CACHE_DIR", str(world.folder / "first-machine-cache"))
    stage.type("rm -r data/questions", at=project)
    stage.type("artlock sync questions", at=project, shows=["0 fetched", "1 cached"])
    same_bytes(project / "data" / "questions", world.originals["questions"])
