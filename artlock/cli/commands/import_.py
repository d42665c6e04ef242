"""``artlock import``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from artlock.cli.options import command, option
from artlock.cli.output import count, human_size
from artlock.errors import EXIT_OK

if TYPE_CHECKING:
    from artlock.cli.options import Shell
    from artlock.cli.output import Output
    from artlock.model.lock import LockedArtifact
    from artlock.ops.importing import Imported

_TOOLS = ("dvc", "wandb", "quilt", "pooch")


@command("import")
@click.argument("file", type=click.Path(path_type=Path))
@option("--tool", type=click.Choice(_TOOLS), help="Whose pins they are.")
@option("--name", help="Of the artifact.")
@option("--base", help="Where the objects are, if the pins do not tell.")
@option("--frozen", is_flag=True, help="Ask no source; resolve later what needs it.")
@option("--dry-run", is_flag=True, help="Write nothing; show what would be locked.")
def import_pins(
    shell: Shell,
    file: Path,
    tool: str | None,
    name: str | None,
    base: str | None,
    frozen: bool,  # noqa: FBT001 - a flag
    dry_run: bool,  # noqa: FBT001 - a flag
) -> int:
    """Declare and lock what another tool pins in FILE.

    FILE is a .dvc file of DVC, a manifest of Weights & Biases (.json) or Quilt (.jsonl), or
    a registry of pooch (.txt). Pins with a size are locked as they are and nothing is read;
    others are read once, and have to be what was pinned.
    """
    from artlock.ops.importing import Tool, Wish, adopt  # noqa: PLC0415 - not for --help

    wish = Wish(
        tool=Tool(tool) if tool is not None else None,
        name=name,
        base=base,
        frozen=frozen or shell.offline,
        write=not dry_run,
    )
    result = adopt(shell.directory, shell.runtime(), shell.directory / file, wish)
    _show(shell.output, result)
    return EXIT_OK


def _show(output: Output, result: Imported) -> None:
    output.document(
        "import",
        {
            "tool": str(result.tool),
            "written": result.written,
            "artifacts": [
                _as_json(artifact, result.places[artifact.name])
                for artifact in result.locked
            ],
            "left": list(result.left),
            "open": list(result.open),
        },
    )
    for artifact in result.locked:
        trusts = ", ".join(f"{n:,} {trust}" for trust, n in _trusts(artifact).items())
        objects = count(len(artifact.objects), "object")
        uri = output.styled(str(artifact.declared.uri))
        size = human_size(artifact.size)
        place = output.styled(result.places[artifact.name])
        output.data(f"{artifact.name}: {objects}, {size}, trust {trusts}  {uri} -> {place}")
    for name in result.left:
        output.data(f"{name}: declared only -> {output.styled(result.places[name])}")
    if result.open:
        names = ", ".join(f"`{name}`" for name in result.open)
        output.say(
            f"{names} declares all that is below its URI, of which these objects may be a "
            "part: `artlock update` would lock the rest"
        )
    artifacts = count(len(result.locked), "artifact")
    done = "Imported" if result.written else "Would import"
    output.say(f"{done} {artifacts}; {'wrote both files' if result.written else 'dry run'}")
    if result.left:
        names = " ".join(result.left)
        again = f"run `artlock rm {names}` and import again" if result.written else "import"
        output.say(
            "hint: pins without a size have to be read, and what they say of the bytes is "
            f"not kept; to have it compared, {again} without `--frozen` or `--offline`"
        )


def _as_json(artifact: LockedArtifact, place: str) -> dict[str, object]:
    return {
        "name": artifact.name,
        "uri": str(artifact.declared.uri),
        "kind": str(artifact.kind),
        "place": place,
        "objects": len(artifact.objects),
        "size": artifact.size,
        "trust": _trusts(artifact),
    }


def _trusts(artifact: LockedArtifact) -> dict[str, int]:
    return dict(sorted(Counter(str(row.trust) for row in artifact.objects).items()))
