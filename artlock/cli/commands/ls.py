"""``artlock ls``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from artlock.cli.options import command, option
from artlock.cli.output import human_size
from artlock.errors import EXIT_OK, ManifestError
from artlock.model.lock import Kind

if TYPE_CHECKING:
    from artlock.cli.options import Shell
    from artlock.cli.output import Output
    from artlock.model.lock import LockedArtifact


@command("ls")
@click.argument("names", nargs=-1)
@option("-l", "--long", "long", is_flag=True, help="Also size, tokens and version.")
@option("--uri", "uris", is_flag=True, help="Full URIs in place of paths.")
def ls(shell: Shell, names: tuple[str, ...], long: bool, uris: bool) -> int:  # noqa: FBT001 - flags
    """List what is locked: artifacts, or with NAME their objects.

    With --long every object with its size, its tokens and its version ID.
    """
    project = shell.project(of_anybody=True)
    lock = project.read_lockfile()
    for name in names:
        if lock.get(name) is None:
            message = f"`artifacts.lock` has no artifact `{name}`"
            raise ManifestError(message, hint="see `artlock ls`")
    shown = [a for a in lock.artifacts if not names or a.name in names]
    output = shell.output
    output.document("ls", {"artifacts": [_as_json(a) for a in shown]})
    if output.as_json:
        return EXIT_OK
    for artifact in shown:
        if names or long or uris:
            _objects(output, artifact, long=long, uris=uris)
        else:
            _line(output, artifact)
    return EXIT_OK


def _line(output: Output, artifact: LockedArtifact) -> None:
    uri = output.styled(str(artifact.declared.uri))
    if artifact.kind is Kind.LINK:
        output.data(f"{artifact.name}  link  {uri}")
        return
    size = human_size(artifact.size)
    number = len(artifact.objects)
    output.data(f"{artifact.name}  {artifact.kind}  {number:,}  {size}  {uri}")


def _objects(output: Output, artifact: LockedArtifact, *, long: bool, uris: bool) -> None:
    if artifact.kind is Kind.LINK:
        output.data(output.styled(str(artifact.declared.uri)))
    for row, uri in artifact.uris():
        place = output.styled(str(uri) if uris else f"{artifact.name}/{row.path}")
        if long:
            tokens = output.styled(f"{row.checksum or '-'}\t{row.version or '-'}")
            output.data(f"{row.size}\t{place}\t{tokens}")
        else:
            output.data(place)


def _as_json(artifact: LockedArtifact) -> dict[str, object]:
    return {
        "name": artifact.name,
        "uri": str(artifact.declared.uri),
        "kind": str(artifact.kind),
        "size": artifact.size,
        "objects": [
            {
                "path": row.path,
                "uri": str(uri),
                "size": row.size,
                "checksum": row.checksum,
                "version": row.version,
                "trust": str(row.trust),
            }
            for row, uri in artifact.uris()
        ],
    }
