"""Which folders lie on file systems that several machines share."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

# What a virtual machine or a container shares with its host is one too: 9p, virtiofs.
_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|afs|ceph|lustre|beegfs|gpfs|glusterfs|ocfs2|gfs2|ncpfs|davfs"
    r"|9p|virtiofs|vboxsf|prl_fs|vmhgfs"
    r"|fuse\.(?:sshfs|glusterfs|ceph|ceph-fuse|rclone|s3fs|gcsfuse|goofys|davfs2?|mfs|juicefs"
    r"|grpcfuse|vmhgfs-fuse)"
)
_OCTAL = re.compile(r"\\([0-7]{3})")
_MOUNTS = Path("/proc/self/mountinfo")


def network_file_system(folder: Path, *, mounts: str | None = None) -> str | None:
    """Return the kind of network file system that a folder is on, ``nfs4`` for one.

    Only Linux tells; elsewhere, and where nothing is known, it is ``None``.

    Args:
        folder: An existing one.
        mounts: What is mounted, in the form of ``/proc/self/mountinfo``; ``None`` asks the
            kernel. Source: proc(5).
    """
    if mounts is None:
        mounts = ""
        with suppress(OSError):  # not Linux, or it is hidden: nothing is known
            mounts = _MOUNTS.read_text("utf-8", "surrogateescape")
    place = os.path.realpath(folder)
    longest, found = "", None
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        columns, kinds = fields.split(" "), rest.split(" ")
        if len(columns) < 5 or not kinds[0]:  # noqa: PLR2004 - the fifth is where it is
            continue
        root = _OCTAL.sub(lambda match: chr(int(match[1], 8)), columns[4])
        is_above = place == root or place.startswith(root.rstrip("/") + "/")
        # The last of equals lies on top.
        if is_above and len(root) >= len(longest):
            longest, found = root, kinds[0]
    return found if found is not None and _NETWORK.fullmatch(found) else None
