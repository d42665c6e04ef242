"""The servers of one run, all on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.nginx import Nginx, find_nginx
from testbed.fake_gcs import FakeGCS
from testbed.seaweedfs import SeaweedFS

REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Servers:
    """What answers.

    Attributes:
        s3: With versions.
        gcs: With generations, in memory.
        static: Serves ``served`` and is no bottleneck; None where nginx is not installed.
        served: A folder; what lies at ``BUCKET/KEY`` in it is in S3 too.
    """

    s3: SeaweedFS
    gcs: FakeGCS
    static: Nginx | None
    served: Path

    def variables(self) -> dict[str, str]:
        """Return how artlock and its peers find the servers."""
        admin = self.s3.admin
        return {
            "AWS_ENDPOINT_URL_S3": self.s3.endpoint,
            "AWS_ACCESS_KEY_ID": admin.access_key,
            "AWS_SECRET_ACCESS_KEY": admin.secret_key,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "STORAGE_EMULATOR_HOST": self.gcs.endpoint,
            "S3_ENDPOINT_URL": self.s3.endpoint,  # s5cmd
            "AWS_S3_ENDPOINT_URL": self.s3.endpoint,  # wandb
            "RCLONE_CONFIG": "/dev/null",
            "RCLONE_CONFIG_S3_TYPE": "s3",
            "RCLONE_CONFIG_S3_PROVIDER": "SeaweedFS",
            "RCLONE_CONFIG_S3_ENV_AUTH": "true",
            "RCLONE_CONFIG_S3_ENDPOINT": self.s3.endpoint,
            "RCLONE_CONFIG_GCS_TYPE": "gcs",
            "RCLONE_CONFIG_GCS_ANONYMOUS": "true",
            "RCLONE_CONFIG_GCS_ENDPOINT": f"{self.gcs.endpoint}/storage/v1/",
        }


@contextmanager
def running(served: Path) -> Iterator[Servers]:
    """Start the servers, and end them with the block.

    Args:
        served: An existing folder.
    """
    program = find_nginx()
    with ExitStack() as stack:
        static = None if program is None else stack.enter_context(Nginx(program, served))
        yield Servers(
            s3=stack.enter_context(SeaweedFS()),
            gcs=stack.enter_context(FakeGCS()),
            static=static,
            served=served,
        )
