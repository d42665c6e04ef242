"""What S3 answers to ListObjectVersions and ListObjectsV2."""

from collections.abc import Mapping
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

from testbed.hostile.history import Bucket, Pages, State
from testbed.hostile.order import cut, folded, opaque, place_of, placed

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_SPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_MOST = 1000


def versions_page(bucket: Bucket, query: Mapping[str, str]) -> bytes:
    """Return a page of ListObjectVersions; its markers are a key and a version."""
    pages, prefix = bucket.version_pages, query.get("prefix", "")
    key, version = query.get("key-marker", ""), query.get("version-id-marker", "")
    after = None
    if key:
        number = bucket.number_of(key, version) if version else 0
        after = place_of(key, -(number or 0), pages)
    entries = [
        (place, (state, newer is None))
        for place, state, newer in placed(bucket, prefix, pages)
    ]
    found = cut(
        folded(entries, prefix, query.get("delimiter", ""), pages),
        after,
        _limit(query),
        pages,
    )
    spelled = _spelling(pages, query)
    rows = [
        _folder(entry, spelled)
        if isinstance(entry, str)
        else _version(entry[0], spelled, is_latest=entry[1])
        for entry in found.entries
    ]
    following = ""
    if found.last is not None:
        _, raw, late = found.last
        marker = _named(bucket, raw.decode("utf-8", "surrogatepass"), -late)
        following = (
            f"<NextKeyMarker>{spelled(raw.decode())}</NextKeyMarker>"
            f"<NextVersionIdMarker>{marker or version}</NextVersionIdMarker>"
        )
    head = _common(bucket, pages, query, is_truncated=found.last is not None)
    text = f"<ListVersionsResult {_SPACE}>{head}{following}{''.join(rows)}"
    return f"{_HEAD}{text}</ListVersionsResult>".encode("utf-8", "surrogatepass")


def plain_page(bucket: Bucket, query: Mapping[str, str]) -> bytes:
    """Return a page of ListObjectsV2; its marker is opaque.

    Raises:
        ValueError: The marker is none.
    """
    pages, prefix = bucket.plain_pages, query.get("prefix", "")
    entries = [
        (place, state)
        for place, state, newer in placed(bucket, prefix, pages)
        if newer is None and not state.is_marker
    ]
    token = query.get("continuation-token", "")
    start = query.get("start-after", "")
    found, following = opaque(
        folded(entries, prefix, query.get("delimiter", ""), pages),
        token,
        _limit(query),
        pages,
        start=place_of(start, 0, pages) if start else None,
    )
    spelled = _spelling(pages, query)
    rows = "".join(
        _folder(entry, spelled)
        if isinstance(entry, str)
        else f"<Contents><Key>{spelled(entry.key)}</Key>{_facts(entry)}</Contents>"
        for entry in found
    )
    head = _common(bucket, pages, query, is_truncated=following is not None)
    head += f"<KeyCount>{len(found)}</KeyCount>"
    if following is not None:
        head += f"<NextContinuationToken>{following}</NextContinuationToken>"
    text = f"<ListBucketResult {_SPACE}>{head}{rows}</ListBucketResult>"
    return f"{_HEAD}{text}".encode("utf-8", "surrogatepass")


def _limit(query: Mapping[str, str]) -> int:
    return min(int(query.get("max-keys", _MOST)), _MOST)


class _Spelling:
    """Writes a key into XML, encoded as a URL or as it is."""

    def __init__(self, *, is_encoded: bool) -> None:
        self.is_encoded = is_encoded

    def __call__(self, key: str) -> str:
        if self.is_encoded:
            return quote_plus(key, safe="/", errors="surrogatepass")
        return escape(key)


def _spelling(pages: Pages, query: Mapping[str, str]) -> _Spelling:
    return _Spelling(is_encoded=query.get("encoding-type") == "url" and not pages.is_plain)


def _common(
    bucket: Bucket, pages: Pages, query: Mapping[str, str], *, is_truncated: bool
) -> str:
    spelled = _spelling(pages, query)
    text = (
        f"<Name>{bucket.name}</Name><Prefix>{spelled(query.get('prefix', ''))}</Prefix>"
        f"<MaxKeys>{_limit(query)}</MaxKeys>"
    )
    if spelled.is_encoded:
        text += "<EncodingType>url</EncodingType>"
    if not pages.is_mute:
        text += f"<IsTruncated>{str(is_truncated).lower()}</IsTruncated>"
    return text


def _folder(name: str, spelled: _Spelling) -> str:
    return f"<CommonPrefixes><Prefix>{spelled(name)}</Prefix></CommonPrefixes>"


def _version(state: State, spelled: _Spelling, *, is_latest: bool) -> str:
    tag = "DeleteMarker" if state.is_marker else "Version"
    facts = _moment(state) if state.is_marker else _facts(state)
    return (
        f"<{tag}><Key>{spelled(state.key)}</Key><VersionId>{state.version}</VersionId>"
        f"<IsLatest>{str(is_latest).lower()}</IsLatest>{facts}</{tag}>"
    )


def _facts(state: State) -> str:
    upload = state.upload
    text = (
        f"{_moment(state)}<ETag>&quot;{state.etag}&quot;</ETag>"
        f"<Size>{len(state.body)}</Size><StorageClass>{upload.storage_class}</StorageClass>"
    )
    if upload.checksum:
        # S3: the algorithm stands in a listing, the value never does.
        text += f"<ChecksumAlgorithm>{upload.checksum}</ChecksumAlgorithm>"
    return text


def _moment(state: State) -> str:
    text = state.modified.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"<LastModified>{text}</LastModified>"


def _named(bucket: Bucket, key: str, number: int) -> str:
    found = (s.version for s in bucket.history(key) if s.number == number)
    return next(found, "")
