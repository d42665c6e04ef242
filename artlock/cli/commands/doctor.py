"""``artlock doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import asdict

from artlock.cli.options import command
from artlock.cli.output import safe
from artlock.errors import ManifestError

if TYPE_CHECKING:
    from artlock.cli.options import Shell

_COLORS = {"ok": "green", "note": "yellow", "fail": "red"}


@command("doctor")
def doctor(shell: Shell) -> int:
    """Tell what this machine can reach for this project, and what is missing.

    Looks at Python, the cache, git, trust, links into the cache and every source. Exits 3
    if something fails.
    """
    from artlock.ops.doctor import diagnose, exit_code_of  # noqa: PLC0415 - not for --help
    from artlock.ops.project import Project, find_root  # noqa: PLC0415 - likewise

    runtime = shell.runtime()
    output = shell.output
    project = None
    try:
        find_root(shell.directory)
    except ManifestError as error:
        output.say(f"{error.message}; looking at the machine alone")
    else:
        project = Project.open(shell.directory, runtime)
    diagnoses = diagnose(runtime, project)
    for diagnosis in diagnoses:
        mark = output.styled(f"{diagnosis.health:<4}", fg=_COLORS[diagnosis.health])
        output.data(f"{mark}  {safe(f'{diagnosis.subject}: {diagnosis.text}')}")
        if diagnosis.hint:
            output.data(f"      {safe(f'hint: {diagnosis.hint}')}")
    output.document("doctor", {"diagnoses": [asdict(d) for d in diagnoses]})
    return exit_code_of(diagnoses)
