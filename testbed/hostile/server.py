"""The listeners: a store on loopback, in the words of S3 or of GCS."""

import re
import threading
from abc import abstractmethod
from collections.abc import Iterable

from testbed.delivery import Reply, deliver
from testbed.faults import Fault, FaultList
from testbed.hostile import gcs, s3
from testbed.hostile.history import Bucket, Service, Versioning
from testbed.ports import LOOPBACK
from testbed.wire import Exchange, Listener, RecordingServer

_ERRORS = 300
_KEY = re.compile(r"Credential=([^/,]+)/")


class HostileServer(RecordingServer):
    """Buckets whose histories, rules and faults a test sets, and changes at any time.

    Attributes:
        buckets: By name.
    """

    service: Service

    def __init__(self, *, faults: Iterable[Fault] = ()) -> None:
        """Describe a server; it answers within its ``with`` block.

        Args:
            faults: What goes wrong; see ``inject``.
        """
        self.buckets: dict[str, Bucket] = {}
        self._faults = FaultList(faults)
        super().__init__(Listener(self._answer))

    @property
    def endpoint(self) -> str:
        """The base of its URLs, without a slash at the end."""
        return f"http://{LOOPBACK}:{self._listener.port}"

    def create_bucket(self, name: str, *, versioning: Versioning = "Enabled") -> Bucket:
        """Make an empty bucket."""
        bucket = Bucket(name, service=self.service, versioning=versioning)
        self.buckets[name] = bucket
        return bucket

    def inject(self, *faults: Fault) -> None:
        """Add faults; for each request the first that matches and is not used up acts."""
        self._faults.add(faults)

    def heal(self) -> None:
        """Forget all faults; rules of buckets and the requests stay."""
        self._faults.clear()

    def _answer(self, exchange: Exchange) -> None:
        for _ in exchange.request_body():
            pass
        actions, fault = self._faults.claim(
            exchange.command, exchange.path_on_wire, exchange.query
        )
        for action in actions:
            action()
        ignore_range = fault is not None and fault.kind == "ignore_range"
        reply = self._reply(exchange, ignore_range=ignore_range)
        if fault is not None and fault.kind == "endless" and reply.status >= _ERRORS:
            # obstore reads the body of an error to its end, and nothing can stop it.
            fault = None
        deliver(exchange, reply, fault)

    @abstractmethod
    def _reply(self, exchange: Exchange, *, ignore_range: bool) -> Reply:
        """Return the answer as it is without a fault."""


class HostileS3(HostileServer):
    """S3, with the bucket in the path. Signatures are not judged, only whose they are."""

    service: Service = "s3"

    def __init__(self, *, faults: Iterable[Fault] = ()) -> None:
        """Describe a server; see ``HostileServer``."""
        self._mutex = threading.Lock()
        self._left: dict[str, int] = {}
        super().__init__(faults=faults)

    def expire(self, access_key: str, *, after: int) -> None:
        """Let credentials be good for so many requests more."""
        with self._mutex:
            self._left[access_key] = after

    def _reply(self, exchange: Exchange, *, ignore_range: bool) -> Reply:
        if self._is_expired(exchange.headers.get("Authorization", "")):
            return s3.error_reply(s3.S3Error(400, "ExpiredToken"))
        return s3.answer(exchange, self.buckets, ignore_range=ignore_range)

    def _is_expired(self, authorization: str) -> bool:
        found = _KEY.search(authorization)
        if found is None:
            return False
        with self._mutex:
            left = self._left.get(found[1])
            if left is None:
                return False
            self._left[found[1]] = max(left - 1, 0)
            return left == 0


class HostileGcs(HostileServer):
    """Google Cloud Storage; credentials are not looked at."""

    service: Service = "gcs"

    def _reply(self, exchange: Exchange, *, ignore_range: bool) -> Reply:
        return gcs.answer(exchange, self.buckets, ignore_range=ignore_range)
