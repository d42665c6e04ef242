"""Pieces that inputs of the targets are made of, for mutations."""

from artlock.cache.statindex import _MAGIC
from torture.fuzz.listings import PAGE_END

TOML = (
    *(b"\n", b"\r\n", b'"', b"'", b",", b"[", b"]", b"{", b"}", b"=", b".", b"#", b"\\"),
    *(b"\t", b" ", b"\x7f", b"\x00", b"\xff", b"\xc3\xa9", b"\xef\xbb\xbf", b'"""', b"'''"),
    *(b"\\u007f", b"\\u0041", b"\\ud83d\\ude00", b"\\uD800", b"true", b"false", b"nan"),
    *(
        b"inf",
        b"1.0",
        b"1e2",
        b"0x1",
        b"0o7",
        b"1_0",
        b"-1",
        b"9223372036854775808",
        b"[[a]]",
    ),
    *(b"1979-05-27T07:32:00Z", b"07:32:00", b"1979-05-27", b"a.b = {}\n", b"x = 1\n"),
)
LOCK = (
    *TOML,
    *(b"],\n", b"]\n", b"objects = [\n", b"\n[[artifact]]\n", b"null", b'["a",1,"",""],\n'),
    *(
        b"blake3:",
        b"sha256:",
        b"md5:",
        b"crc32c:",
        b"etag:",
        b"x-y:",
        b"%20",
        b"%2",
        b"%2f",
    ),
    *(b'uri = "', b"s3://", b"file:///", b'root = "', b'kind = "tree"\n', b"portable = "),
    *(b"version = 2\n", b"revision = 1\n", b"include = [", b"rename = {", b'as-of = "'),
    *(b"../", b"/", b".git/", b"..", b"con", b"artifacts.toml", b"parts = 1\n"),
)
MARKERS = (*LOCK, b"<<<<<<< a\n", b"=======\n", b">>>>>>> b\n", b"||||||| c\n")
MANIFEST = (
    *TOML,
    *(
        b"[artifacts.a]\n",
        b"[artifacts.",
        b'uri = "',
        b"s3://b/",
        b"gs://b/",
        b"https://h/",
    ),
    *(b'path = "', b"include = [", b"exclude = [", b"rename = {", b"groups = [", b"**/"),
    *(b'checksum = "blake3"\n', b'version = "1"\n', b'as-of = "', b"link = true\n"),
    *(b'fallback = "link"\n', b"mirrors = [", b"headers = {", b'endpoint = "https://e"\n'),
    *(b"[policy]\n", b"allow = [", b'require = "strong"\n', b"[trackers]\n", b"${A}"),
    *(b"[artlock]\n", b"version = 1\n", b"portable = false\n", b"[tool.x]\n", b"meta = {"),
)
SETTINGS = (*MANIFEST, b'[sources."s3://b/"]\n', b"jobs = 1\n", b'cache-dir = "/')
URI = (
    *(b"s3://", b"gs://", b"gcs://", b"http://", b"https://", b"file:///", b"doi:", b"//"),
    *(b"@", b":", b"/", b"..", b".", b"%2e", b"%2f", b"%", b"%00", b"?", b"#", b"&", b";"),
    *(b"?versionId=1", b"#1234567890", b"?X-Amz-Signature=", b"sig=", b"token=", b"\\"),
    *(b"C:", b"~", b"[::1]", b":80", b"user:pw@", b"./", b"\xc3\xa9", b"\x7f", b"+", b" "),
)
PATH = (
    *(b"/", b"..", b".", b"\\", b":", b".git", b"git~1", b".GIT", b"\n", b"con", b"nul."),
    *(
        b"artifacts.toml",
        b".artlock",
        b" ",
        b"\xe2\x80\x8c",
        b"\xe2\x80\xae",
        b"\x7f",
        b"C:",
    ),
    *(b"e\xcc\x81", b"\xc3\xa9", b"\xe2\x84\xaa", b"\xc5\xbf", b"\xef\xac\x81", b"\x00"),
    *(b"*", b"**", b"?", b"[", b"]", b"[!a]", b"**/", b"\xed\xa0\x80", b"x" * 255),
)
XML = (
    *(b"<Key>", b"</Key>", b"<Version>", b"</Version>", b"<DeleteMarker>", b"<Contents>"),
    *(b"</Contents>", b"<VersionId>", b"null", b"<IsLatest>true</IsLatest>", b"false"),
    *(b"<Size>", b"-1", b"</Size>", b"9223372036854775808", b"&#13;", b"&amp;", b"&x;"),
    *(b"<EncodingType>url</EncodingType>", b"%2F", b"%ff", b"+", b"<IsTruncated>true"),
    *(
        b"<NextKeyMarker>",
        b"<NextContinuationToken>",
        b"<!DOCTYPE x>",
        b"<![CDATA[",
        b"]]>",
    ),
    *(
        b"2026-01-01T00:00:00Z",
        b"2026-01-01T00:00:00",
        b"<?xml?>",
        b"<!--",
        b"-->",
        PAGE_END,
    ),
    *(b"\xd9\xa3", b"1_0", b" 7 ", b'xmlns="x"', b"<ETag>&quot;a&quot;</ETag>", b"GLACIER"),
)
JSON = (
    *(b'"items":', b'"name":', b'"size":', b'"generation":', b'"crc32c":', b'"md5Hash":'),
    *(b'"nextPageToken":', b'"kind":"storage#objects"', b'"contentEncoding":', b"null"),
    *(
        b"[]",
        b"{}",
        b"[",
        b"]",
        b"{",
        b"}",
        b",",
        b'"',
        b"NaN",
        b"Infinity",
        b"1e400",
        b"-1",
    ),
    *(b"true", b'"\\ud800"', b'"\\u0000"', b'"p/a"', b'"1"', b"1.5", b"[[[[", PAGE_END),
    *(b'"timeCreated":', b'"timeDeleted":', b'"2026-01-01T00:00:00Z"', b'"2026-01-01"'),
)
NUMBERS = (
    *(b"\0" * 8, b"\xff" * 8, b"\x40" + b"\0" * 7, b"\x80" + b"\0" * 7, b"\x92", b"\x9b"),
    *(b"\xc4\x00", b"\xc4\x08", b"\xdb\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\x81"),
    *(b"\xa1a", b"\xa0", b"\xc0", b"\xcf" + b"\xff" * 8, _MAGIC),
)
TOKEN = (
    *(b"blake3:", b"sha256:", b"sha512:", b"crc64nvme:", b"crc32c:", b"md5:", b"etag:"),
    *(b" ", b"\n", b"0" * 64, b"a" * 32, b"W/", b"%20", b"%", b"x-new:", b"F", b'"', b"-2"),
)
TRUST = (
    *JSON,
    *(b'"projects":', b'"version":1', b"blake3:" + b"0" * 64, b"endpoint=", b"profile="),
    *(b"headers.X=", b"127.0.0.1", b"[::1]:80", b"*.example.com", b"host:99999", b","),
)
