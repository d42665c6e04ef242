"""The servers that a transcript talks to, each behind a forwarder of its own."""

import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlsplit

import pytest

from testbed.fake_gcs import FakeGCS
from testbed.faults import Fault
from testbed.forwarder import Forwarder
from testbed.hostile import Bucket, HostileS3, Upload
from testbed.http_server import HttpServer
from testbed.seaweedfs import Identity, SeaweedFS

if TYPE_CHECKING:
    from google.cloud.storage import Client
    from mypy_boto3_s3 import S3Client


class Place(Protocol):
    """A server, as a transcript sees it."""

    @property
    def forwarder(self) -> Forwarder | HostileS3:
        """What stands before it, takes faults and notes requests."""

    def put(self, uri: str, body: bytes) -> str:
        """Write an object, and return its version."""

    def delete(self, uri: str) -> None:
        """Delete an object; a versioned bucket keeps its versions."""

    def forget(self, uri: str, version: str) -> None:
        """Delete one version for good."""


def _split(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    return parts.netloc, uri.partition(f"{parts.netloc}/")[2]


@dataclass(frozen=True, slots=True)
class S3:
    """SeaweedFS."""

    client: "S3Client"
    forwarder: Forwarder

    def put(self, uri: str, body: bytes) -> str:
        bucket, key = _split(uri)
        answer = self.client.put_object(Bucket=bucket, Key=key, Body=body)
        return answer.get("VersionId", "")

    def delete(self, uri: str) -> None:
        bucket, key = _split(uri)
        self.client.delete_object(Bucket=bucket, Key=key)

    def forget(self, uri: str, version: str) -> None:
        bucket, key = _split(uri)
        self.client.delete_object(Bucket=bucket, Key=key, VersionId=version)

    def archive(self, uri: str, body: bytes) -> None:
        """Write an object into an archive class."""
        bucket, key = _split(uri)
        self.client.put_object(Bucket=bucket, Key=key, Body=body, StorageClass="GLACIER")

    def hold(self, uri: str) -> None:
        """Put a legal hold on the current version."""
        bucket, key = _split(uri)
        self.client.put_object_legal_hold(
            Bucket=bucket, Key=key, LegalHold={"Status": "ON"}
        )


@dataclass(frozen=True, slots=True)
class Hostile:
    """The hostile store, as S3."""

    forwarder: HostileS3
    bucket: Bucket

    def put(self, uri: str, body: bytes) -> str:
        return self.bucket.put(_split(uri)[1], body).version

    def delete(self, uri: str) -> None:
        self.bucket.delete(_split(uri)[1])

    def forget(self, uri: str, version: str) -> None:
        self.bucket.forget(_split(uri)[1], version)

    def archive(self, uri: str) -> None:
        self._amend(uri, upload=Upload(storage_class="GLACIER"))

    def restore(self, uri: str) -> None:
        self._amend(uri, restored=True)

    def _amend(self, uri: str, **changes: object) -> None:
        key = _split(uri)[1]
        self.bucket.amend(key, self.bucket.history(key)[0].version, **changes)


@dataclass(frozen=True, slots=True)
class Gcs:
    """fake-gcs-server."""

    client: "Client"
    forwarder: Forwarder

    def put(self, uri: str, body: bytes) -> str:
        bucket, key = _split(uri)
        blob = self.client.bucket(bucket).blob(key)
        blob.upload_from_string(body, content_type="application/octet-stream")
        return str(blob.generation)

    def delete(self, uri: str) -> None:
        bucket, key = _split(uri)
        self.client.bucket(bucket).delete_blob(key)

    def forget(self, uri: str, version: str) -> None:
        bucket, key = _split(uri)
        self.client.bucket(bucket).delete_blob(key, generation=int(version))


@dataclass(frozen=True, slots=True)
class Http:
    """A web server with strong ETags."""

    server: HttpServer
    forwarder: Forwarder

    def put(self, uri: str, body: bytes) -> str:
        path = quote(urlsplit(uri).path, safe="/%")
        self.server.put(path, body, etag=f'"{secrets.token_hex(4)}"')
        return ""

    def delete(self, uri: str) -> None:
        self.server.remove(urlsplit(uri).path)

    def forget(self, uri: str, version: str) -> None:
        del version
        self.delete(uri)


@dataclass(slots=True)
class Buckets:
    """Buckets and clients of a test session; made when they are first asked for."""

    request: pytest.FixtureRequest
    _names: dict[str, str] = field(default_factory=dict)
    _s3: "S3Client | None" = None
    _gcs: "Client | None" = None

    @property
    def seaweedfs(self) -> SeaweedFS:
        server: SeaweedFS = self.request.getfixturevalue("seaweedfs")
        return server

    @property
    def fake_gcs(self) -> FakeGCS:
        server: FakeGCS = self.request.getfixturevalue("fake_gcs")
        return server

    def s3(self) -> "S3Client":
        self._s3 = self._s3 or self.seaweedfs.client()
        return self._s3

    def gcs(self) -> "Client":
        self._gcs = self._gcs or self.fake_gcs.client()
        return self._gcs

    def name(self, what: str) -> str:
        """Return a bucket: ``versioned``, ``unversioned``, ``locking``, or ``gcs``."""
        if what not in self._names:
            name = f"{what}-{secrets.token_hex(3)}"
            if what == "gcs":
                self.fake_gcs.create_bucket(name)
            else:
                versioning = "Enabled" if what == "versioned" else None
                self.seaweedfs.create_bucket(name, versioning, locks=what == "locking")  # type: ignore[arg-type] # one of its literals
            self._names[what] = name
        return self._names[what]


class Places:
    """What one transcript reaches; servers are started when they are first named."""

    def __init__(self, buckets: Buckets, setenv: Callable[[str, str], None]) -> None:
        self._buckets = buckets
        self._setenv = setenv
        self._stack = ExitStack()
        self._open: dict[str, Place] = {}
        self._prefix = secrets.token_hex(4)

    def close(self) -> None:
        self._stack.close()

    def variables(self) -> dict[str, Callable[[], str]]:
        """Return what stands for each ``$NAME`` of a transcript."""
        return {
            "S3": lambda: self._bucket("versioned"),
            "S3_UNVERSIONED": lambda: self._bucket("unversioned"),
            "S3_LOCKING": lambda: self._bucket("locking"),
            "PREFIX": lambda: self._prefix,
            "S3_MISSING": lambda: self._named("s3", "s3://there-is-no-such-bucket"),
            "HOSTILE": lambda: self._named("hostile", f"s3://hostile/{self._prefix}"),
            "S3_ENDPOINT": lambda: self.place("s3").forwarder.endpoint,
            "GCS": lambda: self._bucket("gcs"),
            "GCS_MISSING": lambda: self._named("gcs", "gs://there-is-no-such-bucket"),
            "HTTP": lambda: self.place("http").forwarder.endpoint,
            "HTTPS": self._https,
            "HTTPS_CA": lambda: str(self._secure().ca_file),
        }

    def identities(self) -> dict[str, Identity]:
        return {who.name: who for who in self._buckets.seaweedfs.identities}

    def secrets(self) -> Iterator[str]:
        """Yield what no output may ever show."""
        if "s3" in self._open:
            yield from (who.secret_key for who in self.identities().values())

    def opened(self) -> tuple[str, ...]:
        """Return the names of the servers that were named so far."""
        return tuple(self._open)

    def place(self, name: str) -> Place:
        """Return the server of that name, started."""
        if name not in self._open:
            self._open[name] = getattr(self, f"_open_{name}")()
        return self._open[name]

    def of(self, uri: str) -> Place:
        """Return the server that holds ``uri``."""
        s3 = "hostile" if "hostile" in self._open else "s3"
        names = {"s3": s3, "gs": "gcs", "http": "http", "https": "https"}
        return self.place(names[urlsplit(uri).scheme])

    def set_up(self, uri: str, settings: Mapping[str, Any]) -> None:
        """Give the bucket of ``uri`` settings until the case ends."""
        place, (bucket, _) = self.of(uri), _split(uri)
        if isinstance(place, S3):
            client = place.client
            client.put_bucket_lifecycle_configuration(
                Bucket=bucket,
                LifecycleConfiguration=settings,  # type: ignore[arg-type] # as a case has it
            )
            self._stack.callback(client.delete_bucket_lifecycle, Bucket=bucket)
            return

        # fake-gcs-server keeps no such settings, so its answers get them on their way.
        def rewrite(body: bytes) -> bytes:
            return json.dumps({**json.loads(body), **settings}).encode()

        def describes(_method: str, path: str, _query: str) -> bool:
            return path == f"/storage/v1/b/{bucket}"

        place.forwarder.inject(Fault(kind="rewrite", rewrite=rewrite, matches=describes))

    def act_as(self, who: str) -> None:
        """Use the keys of an identity for S3 from now on."""
        identity = self.identities()[who]
        self._setenv("AWS_ACCESS_KEY_ID", identity.access_key)
        self._setenv("AWS_SECRET_ACCESS_KEY", identity.secret_key)

    def _named(self, place: str, text: str) -> str:
        self.place(place)
        return text

    def _bucket(self, what: str) -> str:
        self.place("gcs" if what == "gcs" else "s3")
        scheme = "gs" if what == "gcs" else "s3"
        return f"{scheme}://{self._buckets.name(what)}/{self._prefix}"

    def _open_s3(self) -> Place:
        server = self._buckets.seaweedfs
        forwarder = self._stack.enter_context(Forwarder(server.endpoint))
        self._setenv("AWS_ENDPOINT_URL_S3", forwarder.endpoint)
        self.act_as("admin")
        return S3(self._buckets.s3(), forwarder)

    def hostile(self) -> Hostile:
        """Return the hostile store, started."""
        place = self.place("hostile")
        assert isinstance(place, Hostile)
        return place

    def _open_hostile(self) -> Place:
        server = self._stack.enter_context(HostileS3())
        self._setenv("AWS_ENDPOINT_URL_S3", server.endpoint)
        self._setenv("AWS_ACCESS_KEY_ID", "HOSTILE")
        self._setenv("AWS_SECRET_ACCESS_KEY", "hostile-secret")
        return Hostile(server, server.create_bucket("hostile"))

    def _open_gcs(self) -> Place:
        server = self._buckets.fake_gcs
        forwarder = self._stack.enter_context(Forwarder(server.endpoint, keep_host=False))
        self._setenv("STORAGE_EMULATOR_HOST", forwarder.endpoint)
        return Gcs(self._buckets.gcs(), forwarder)

    def _secure(self) -> HttpServer:
        place = self.place("https")
        assert isinstance(place, Http)
        return place.server

    def _https(self) -> str:
        return self._secure().endpoint

    def _open_https(self) -> Place:
        server = self._stack.enter_context(HttpServer(tls=True))
        # Nobody asks it: a forwarder cannot look into what is encrypted.
        return Http(server, self._stack.enter_context(Forwarder(server.endpoint)))

    def _open_http(self) -> Place:
        server = self._stack.enter_context(HttpServer())
        forwarder = self._stack.enter_context(Forwarder(server.endpoint))
        return Http(server, forwarder)


def interrupting(signal: Callable[[], None], seconds: float) -> tuple[Fault, ...]:
    """Return faults that stop the first GET half way, and call ``signal`` then."""

    def later() -> None:
        threading.Timer(0.3, signal).start()

    def is_read(method: str, path: str, query: str) -> bool:
        del path
        return method == "GET" and "versions" not in query and "list-type" not in query

    return (
        Fault(kind="before", matches=is_read, action=later, times=1),
        Fault(kind="stall", matches=is_read, seconds=seconds),
    )
