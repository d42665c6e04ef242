"""A bucket as a model, and how S3 would list it: the oracle of the listing tests."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

from artlock.stores.s3.pages import Entry

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Bucket:
    """Keys and their histories, newest last; each step takes a second."""

    clock: int = 0
    histories: dict[str, list[Entry]] = field(default_factory=dict)

    def put(self, key: str) -> None:
        self._add(key, is_marker=False)

    def delete(self, key: str) -> None:
        self._add(key, is_marker=True)

    def _add(self, key: str, *, is_marker: bool) -> None:
        self.clock += 1
        moment = START + timedelta(seconds=self.clock)
        self.histories.setdefault(key, []).append(
            Entry(
                key=key,
                version=f"v{self.clock}",
                is_latest=False,
                is_marker=is_marker,
                size=0 if is_marker else self.clock,
                etag="" if is_marker else f"e{self.clock}",
                storage_class="" if is_marker else "STANDARD",
                modified=moment.isoformat().replace("+00:00", "Z"),
            )
        )

    def listing(self, prefix: str = "") -> list[Entry]:
        """Return every version as S3 lists it: by key, the newest first."""
        return [
            entry._replace(is_latest=number == 0)
            for key in sorted(self.histories)
            if key.startswith(prefix)
            for number, entry in enumerate(reversed(self.histories[key]))
        ]

    def live(self, prefix: str = "", *, at: datetime | None = None) -> list[Entry]:
        """Return the states that are live, without saying that they are the latest."""
        found = []
        for key in sorted(self.histories):
            states = [
                entry
                for entry in self.histories[key]
                if at is None or datetime.fromisoformat(entry.modified) <= at
            ]
            if key.startswith(prefix) and states and not states[-1].is_marker:
                found.append(states[-1])
        return found


def rendered(
    entries: list[Entry], *, following: Entry | None = None, url: bool = True
) -> bytes:
    """Return a page of ListObjectVersions as S3 writes it.

    Args:
        entries: The page's.
        following: The last one, if more follows.
        url: Whether keys are encoded.
    """

    def key(text: str) -> str:
        return escape(quote_plus(text, safe="/") if url else text)

    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>\n',
        '<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
        f"<IsTruncated>{'true' if following else 'false'}</IsTruncated>",
    ]
    if following is not None:
        parts.append(
            f"<NextKeyMarker>{key(following.key)}</NextKeyMarker>"
            f"<NextVersionIdMarker>{following.version}</NextVersionIdMarker>"
        )
    for entry in entries:
        tag = "DeleteMarker" if entry.is_marker else "Version"
        content = (
            ""
            if entry.is_marker
            else f"<ETag>&quot;{entry.etag}&quot;</ETag><Size>{entry.size}</Size>"
            f"<StorageClass>{entry.storage_class}</StorageClass>"
        )
        parts.append(
            f"<{tag}><Key>{key(entry.key)}</Key><VersionId>{entry.version}</VersionId>"
            f"<IsLatest>{str(entry.is_latest).lower()}</IsLatest>{content}"
            f"<LastModified>{entry.modified}</LastModified>"
            f"<Owner><ID>o</ID></Owner></{tag}>\n"
        )
    if url:
        parts.append("<EncodingType>url</EncodingType>")
    return "".join([*parts, "</ListVersionsResult>"]).encode()
