"""One thin file a command; a command is imported when it is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click

SUMMARIES = {
    "init": "Start a project here.",
    "add": "Declare a source and lock it.",
    "rm": "Take an artifact out of the manifest and the lockfile.",
    "resolve": "Lock what the manifest declares; what is locked stays.",
    "update": "Move pins to what the sources hold now.",
    "check": "Judge the lockfile offline: stale, well-formed, within policy.",
    "sync": "Make the workspace what the lockfile says.",
    "status": "Tell what differs from the lockfile: files, or sources.",
    "diff": "Show what changed between two lockfiles.",
    "log": "Show the commits that changed what is locked.",
    "why": "Say where a file or a digest comes from.",
    "ls": "List what is locked.",
    "verify": "Read bytes again and compare them with the lockfile.",
    "digest": "Print the digests of content, pins and lockfile.",
    "push": "Register what is locked with trackers, or in your own registry.",
    "pull": "Write the lock that a tracker holds.",
    "versions": "Show what is registered.",
    "lineage": "Show where a registered version came from, and who used it.",
    "export": "Print what is locked in a form that needs no artlock.",
    "import": "Declare and lock what another tool pins.",
    "cache": "Look at the cache, check it, make room.",
    "gc": "Remove what no project needs from the cache.",
    "git": "Let git merge lockfiles by artifact and path, and check commits.",
    "trust": "Trust this project's endpoints and identities.",
    "doctor": "Tell what this machine can reach, and what is missing.",
    "fmt": "Write both files in canonical form.",
    "completion": "Print a completion script for a shell.",
}
"""Name and summary of every command, in the order of a project's life."""


def load(name: str) -> click.Command | None:
    """Import the command of that name; ``None`` if there is none.

    Plain imports, one a command, so that linters and type checkers see them, and late, so
    that ``artlock check`` does not load what only ``artlock sync`` needs.
    """
    # ruff: noqa: PLC0415 - a command loads only what it needs itself, so imports wait for it
    match name:
        case "init":
            from artlock.cli.commands.init import init as found
        case "add":
            from artlock.cli.commands.add import add as found
        case "rm":
            from artlock.cli.commands.rm import rm as found
        case "resolve":
            from artlock.cli.commands.resolve import resolve as found
        case "update":
            from artlock.cli.commands.update import update as found
        case "check":
            from artlock.cli.commands.check import check as found
        case "sync":
            from artlock.cli.commands.sync import sync as found
        case "status":
            from artlock.cli.commands.status import status as found
        case "diff":
            from artlock.cli.commands.diff import diff as found
        case "log":
            from artlock.cli.commands.log import log as found
        case "why":
            from artlock.cli.commands.why import why as found
        case "ls":
            from artlock.cli.commands.ls import ls as found
        case "verify":
            from artlock.cli.commands.verify import verify as found
        case "digest":
            from artlock.cli.commands.digest import digest as found
        case "push":
            from artlock.cli.commands.push import push as found
        case "pull":
            from artlock.cli.commands.pull import pull as found
        case "versions":
            from artlock.cli.commands.versions import versions as found
        case "lineage":
            from artlock.cli.commands.lineage import lineage as found
        case "export":
            from artlock.cli.commands.export import export as found
        case "import":
            from artlock.cli.commands.import_ import import_pins as found
        case "cache":
            from artlock.cli.commands.cache import cache as found
        case "gc":
            from artlock.cli.commands.gc import gc as found
        case "git":
            from artlock.cli.commands.git import git as found
        case "trust":
            from artlock.cli.commands.trust import trust as found
        case "doctor":
            from artlock.cli.commands.doctor import doctor as found
        case "fmt":
            from artlock.cli.commands.fmt import fmt as found
        case "completion":
            from artlock.cli.commands.completion import completion as found
        case _:
            return None
    return found
