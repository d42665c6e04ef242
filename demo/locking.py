"""Chapter 1: declare, resolve, commit."""

from pathlib import Path

from demo.proofs import every_object_locked, rows_of, same_bytes
from demo.stage import Stage, checked, expect
from demo.world import CORPUS, MODELS, RUN, VOCABULARY, World


def play(stage: Stage, world: World, project: Path) -> None:
    """Lock data that lies in four kinds of places, beside a link, and commit it."""
    stage.chapter("1. Lock data that stays where it is")
    stage.say(
        """We have a git repository with code. The data lies elsewhere: a model in S3,
        its vocabulary in Google Cloud Storage, labels on a web server, prompts in a
        folder that the whole team mounts, and annotations in a tool with a web page. We
        begin with two files of text: artifacts.toml says what we want, artifacts.lock
        will say what we got."""
    )
    project.mkdir()
    stage.type("git init -q -b main", at=project)
    stage.type("artlock init", at=project, shows=["wrote artifacts.toml"])
    _declare_model(stage, project)
    _declare_others(stage, world, project)
    _look(stage, world, project)
    _commit(stage, world, project)


def _declare_model(stage: Stage, project: Path) -> None:
    uri = f"s3://{MODELS}/{RUN}"
    stage.say(
        """First the model: 13 objects below one prefix, in a bucket that keeps
        versions. Among them is a file named `.gitattributes`, and a checkout with such
        a file changes what git does. artlock refuses it now, before it is in any
        lockfile, and says how to go on."""
    )
    stage.type(
        f"artlock add {uri} --name encoder --path models/encoder",
        at=project,
        exits=4,
        shows=["unsafe-path", ".gitattributes"],
    )
    expect(not (project / "artifacts.lock").exists(), "a refused add wrote a lockfile")
    stage.say(
        """So we leave it out. `--hash` reads each object once to learn its BLAKE3
        digest; S3 itself tells only an etag, which notices a change but proves nothing
        about bytes."""
    )
    stage.type(
        f"artlock add {uri} --name encoder --path models/encoder "
        "--exclude .gitattributes --hash",
        at=project,
        shows=["12 objects", "wrote artifacts.lock"],
    )


def _declare_others(stage: Stage, world: World, project: Path) -> None:
    stage.say(
        """One object in GCS. The store knows its MD5 and CRC32C, so nothing is read:
        the lockfile takes the store's own checksums."""
    )
    stage.type(
        f"artlock add gs://{CORPUS}/{VOCABULARY} --name vocabulary",
        at=project,
        shows=["1 object"],
    )
    stage.say("A file on the web. A URL has no checksum, so its bytes are read once.")
    stage.type(f"artlock add {world.labels_url()}", at=project, shows=["1 object"])
    stage.say(
        """A folder of files in shared storage. This time we only declare it
        (`--frozen`), and declare a link as well: any scheme that artlock does not fetch
        is recorded as text."""
    )
    stage.type(f"artlock add file://{world.shared}/prompts/ --frozen", at=project)
    stage.type("artlock add labelbox://project/42 --name annotations --frozen", at=project)
    stage.say(
        """Now artifacts.toml wants more than artifacts.lock answers. That is called
        stale, and `check` says it without any network; in CI or in a git hook it stops
        the commit."""
    )
    stage.type(
        "artlock check", at=project, exits=1, shows=["stale: prompts", "annotations"]
    )
    stage.type("artlock resolve", at=project, shows=["5 artifacts", "wrote artifacts.lock"])
    stage.say("Resolving again writes nothing: pins stay until somebody moves them.")
    before = (project / "artifacts.lock").stat()
    stage.type("artlock resolve", at=project, shows=["nothing changed"])
    after = (project / "artifacts.lock").stat()
    expect(before.st_mtime_ns == after.st_mtime_ns, "the second resolve wrote")


def _look(stage: Stage, world: World, project: Path) -> None:
    stage.say(
        """This is the lockfile. One line for each object: path, size, what is known
        about its bytes, and the version that is meant. It is TOML, and any TOML parser
        reads it. (Long lines are cut here.)"""
    )
    stage.type("cat artifacts.lock", at=project, clipped=True, shows=["@generated"])
    rows = rows_of(project / "artifacts.lock")
    expect(rows["annotations"] == [], "a link has rows")
    s3 = world.s3_versions(MODELS, RUN)
    every_object_locked(rows["encoder"], world.originals["encoder"], s3)
    every_object_locked(
        rows["vocabulary"],
        world.originals["vocabulary"],
        {VOCABULARY: world.gcs_generation(VOCABULARY)},
    )
    for name in ("labels", "prompts"):
        every_object_locked(rows[name], world.originals[name], {})
    locked = sum(len(objects) for objects in rows.values())
    checked(
        f"all {locked} objects have size and checksum, and where the store keeps versions, "
        "the version that the store itself reports"
    )


def _commit(stage: Stage, world: World, project: Path) -> None:
    stage.say(
        """The data goes into the workspace with `sync`, and the two text files go into
        git. The data itself does not: `artlock init` told .gitignore so, and we add our
        own folder."""
    )
    with (project / ".gitignore").open("a") as file:
        file.write("/models/\n")
    stage.type("artlock sync", at=project, shows=["Synced 5 artifacts", "1 link"])
    same_bytes(project / "models" / "encoder", world.originals["encoder"])
    stage.type("git add .", at=project)
    stage.type("git commit -q -m 'Lock the first data'", at=project)
    stage.type("git ls-files", at=project, hides=["safetensors"], shows=["artifacts.lock"])
