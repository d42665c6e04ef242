"""A prefix of its own in a shared bucket, behind a forwarder that counts."""

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from testbed.faults import Matches
from testbed.forwarder import Forwarder

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Remote:
    """A tree in S3."""

    client: "S3Client"
    bucket: str
    prefix: str
    forwarder: Forwarder

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}/"

    def put(self, path: str, text: str) -> str:
        """Write an object, and return its version."""
        answer = self.client.put_object(
            Bucket=self.bucket, Key=f"{self.prefix}/{path}", Body=text.encode()
        )
        return answer.get("VersionId", "")

    def delete(self, path: str, version: str = "") -> None:
        """Delete an object, or one version of it for good."""
        extra = {"VersionId": version} if version else {}
        self.client.delete_object(
            Bucket=self.bucket,
            Key=f"{self.prefix}/{path}",
            **extra,  # type: ignore[arg-type] # its stub has each parameter apart
        )

    def reads(self) -> list[str]:
        """Return the keys whose bytes were asked for, in order."""
        return [
            r.path.rpartition(f"{self.prefix}/")[2]
            for r in self.forwarder.requests
            if r.method == "GET" and f"{self.prefix}/" in r.path
        ]

    def asked(self, method: str, text: str = "") -> int:
        """Return how many requests of a method have ``text`` in their query."""
        return self.forwarder.count(lambda r: r.method == method and text in r.query)


def reading(path: str) -> Matches:
    """Match reads of the bytes of an object."""
    return lambda method, asked, _query: method == "GET" and asked.endswith(path)


def new_prefix() -> str:
    return secrets.token_hex(4)
