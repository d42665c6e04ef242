from pathlib import Path

import pytest

from artlock.fs.network import network_file_system

MOUNTS = """\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:40 / /mnt/share rw shared:5 - nfs4 server:/export rw
31 30 0:41 / /mnt/share/local rw - xfs /dev/sdb1 rw
32 22 0:42 / /mnt/my\\040data rw - fuse.sshfs host: rw
33 22 0:43 / /mnt/over rw - ext4 /dev/sdc1 rw
34 33 0:44 / /mnt/over rw - cifs //host/x rw
broken
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/ada", None),
        ("/mnt/share", "nfs4"),
        ("/mnt/share/deep/er", "nfs4"),
        ("/mnt/share/local/x", None),
        ("/mnt/shared", None),
        ("/mnt/my data/x", "fuse.sshfs"),
        ("/mnt/over", "cifs"),
    ],
)
def test_the_deepest_mount_says_what_a_folder_is_on(folder: str, kind: str | None) -> None:
    assert network_file_system(Path(folder), mounts=MOUNTS) == kind


@pytest.mark.parametrize(
    "kind",
    ["9p", "virtiofs", "vboxsf", "prl_fs", "vmhgfs", "fuse.grpcfuse", "fuse.vmhgfs-fuse"],
)
def test_what_a_machine_shares_with_its_host_is_one_too(kind: str) -> None:
    mounts = f"40 22 0:50 / /shared rw - {kind} share rw\n"
    assert network_file_system(Path("/shared/x"), mounts=mounts) == kind


def test_nothing_is_known_without_mounts(tmp_path: Path) -> None:
    assert network_file_system(tmp_path, mounts="") is None
    assert network_file_system(tmp_path) is None
