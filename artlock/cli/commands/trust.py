"""``artlock trust``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from artlock.cli.options import command, option
from artlock.errors import EXIT_NO, EXIT_OK, ConfigError

if TYPE_CHECKING:
    from artlock.cli.options import Shell


@command("trust")
@option("--yes", "-y", is_flag=True, help="Trust without asking.")
@option("--show", is_flag=True, help="Only show; exit 1 if something is not trusted.")
@option("--forget", is_flag=True, help="Take back every yes to this project.")
def trust(shell: Shell, yes: bool, show: bool, forget: bool) -> int:  # noqa: FBT001 - flags
    """Trust this project's endpoints and identities, on this machine, for this user.

    endpoint, profile, role-arn, user-project, headers, ca-bundle and requester-pays of
    artifacts.toml decide where your credentials go and who pays, so they do nothing until
    you agree. The yes holds for exactly the settings that are shown: when they change, it
    is asked again. In CI, list hosts in ARTLOCK_TRUST. The same holds for the whole
    of an artifacts.toml that belongs to another user.
    """
    from artlock.ops.trusting import set_trust, trust_report  # noqa: PLC0415 - not for --help

    project = shell.project(of_anybody=True)
    output = shell.output
    if forget:
        set_trust(project, trusted=False)
        output.say("Forgot every yes to this project")
        return EXIT_OK
    report = trust_report(project)
    pending = (
        []
        if report.trusted
        else [s for s in report.settings if s not in report.by_environment]
    )
    for setting in report.settings:
        state = "not trusted" if setting in pending else "trusted"
        owner = f"artifacts.{setting.artifact}." if setting.artifact else ""
        line = f"{owner}{setting.setting} = {setting.value}"
        output.data(f"{state}: {output.styled(line)}")
    is_foreign = report.owner is not None and not report.owner.trusted
    if report.owner is not None:
        state = "not trusted" if is_foreign else "trusted"
        output.data(f"{state}: the owner of artifacts.toml, {report.owner}")
    elif not report.settings:
        output.say("artifacts.toml asks for nothing that needs trust")
    agreed = False
    if (pending or is_foreign) and not show:
        agreed = yes or _asks(output.as_json)
        if agreed:
            set_trust(project, trusted=True)
            output.say("Trusted; this holds for exactly these settings")
    output.document(
        "trust",
        {
            "settings": [
                {
                    "artifact": s.artifact,
                    "setting": s.setting,
                    "value": s.value,
                    "places": list(s.places),
                    "trusted": agreed or s not in pending,
                }
                for s in report.settings
            ],
            "owner": report.owner
            and {
                "uid": report.owner.uid,
                "trusted": agreed or not is_foreign,
            },
        },
    )
    return EXIT_NO if (pending or is_foreign) and not agreed else EXIT_OK


def _asks(as_json: bool) -> bool:  # noqa: FBT001 - private
    """Ask the person, if there is one."""
    if as_json or not sys.stdin.isatty():
        message = "nobody is here to agree"
        raise ConfigError(
            message,
            hint="look at the settings above, then run `artlock trust --yes`",
        )
    return click.confirm("Trust these settings?", default=False, err=True)
