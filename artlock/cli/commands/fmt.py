"""``artlock fmt``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from artlock.cli.options import command, option
from artlock.errors import EXIT_NO, EXIT_OK

if TYPE_CHECKING:
    from artlock.cli.options import Shell


@command("fmt")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@option("--check", is_flag=True, help="Write nothing; exit 1 if something would change.")
def fmt(shell: Shell, files: tuple[Path, ...], check: bool) -> int:  # noqa: FBT001 - a flag
    """Write artifacts.toml and artifacts.lock in canonical form.

    Without FILEs, both files of the project. Meaning, comments and order of the manifest
    stay as they are. Of artifacts.lock, large artifacts are put into parts or taken out of
    them as `split-above` asks, and what an interrupted command left of parts is put right.
    """
    from artlock.ops.fmt import canonicalize  # noqa: PLC0415 - not for --help
    from artlock.ops.names import LOCKFILE, MANIFEST  # noqa: PLC0415 - likewise
    from artlock.ops.project import find_root  # noqa: PLC0415 - likewise

    paths = list(files)
    if not paths:
        root = find_root(shell.directory)
        paths = [p for p in (root / MANIFEST, root / LOCKFILE) if p.exists()]
    output = shell.output
    changed = [path for path in paths if canonicalize(path, write=not check)]
    output.document("fmt", {"changed": [str(p) for p in changed], "written": not check})
    for path in changed:
        output.data(output.styled(f"{'would change' if check else 'changed'}: {path.name}"))
    if not changed:
        output.say("Canonical already")
    return EXIT_NO if check and changed else EXIT_OK
