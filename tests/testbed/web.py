"""A plain HTTP client that hides nothing."""

from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPMessage


@dataclass(frozen=True)
class Answer:
    status: int
    headers: HTTPMessage
    body: bytes
    error: Exception | None  # that ended the body


def ask(
    endpoint: str,
    path: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    timeout_s: float = 5.0,
) -> Answer:
    host = endpoint.removeprefix("http://")
    with closing(HTTPConnection(host, timeout=timeout_s)) as connection:
        connection.request(method, path, body=body, headers=headers or {})
        with connection.getresponse() as response:
            received = bytearray()
            error: Exception | None = None
            try:
                while byte := response.read(1):
                    received += byte
            except (HTTPException, OSError) as caught:
                error = caught
            return Answer(response.status, response.headers, bytes(received), error)
