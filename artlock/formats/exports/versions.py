"""Versions that are names and nothing else to the programs that get them.

A lockfile takes any visible ASCII for a version, as stores that are like S3 may have others
than Amazon's. A program reads more into some: the AWS CLI takes ``file:///secret`` for a
file and sends its text, and in an address ``&`` begins the next parameter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from artlock.errors import ConfigError
from artlock.model.objects import is_plain_version

if TYPE_CHECKING:
    from artlock.model.exports import Export


def refuse_odd_versions(export: Export) -> None:
    """Refuse versions that no store is known to give.

    Raises:
        ConfigError: There is one.
    """
    for artifact, file in export.files():
        version = file.row.version
        if version and not is_plain_version(version, file.uri.scheme):
            message = (
                f"`{artifact.name}`: `{file.row.path}` has the version `{version}`, which "
                "is none that a store is known to give"
            )
            hint = f"look who locked it; `artlock update {artifact.name}` locks it anew"
            raise ConfigError(message, hint=hint)
