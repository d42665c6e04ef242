"""Every fault: its words, its place, its line."""

import re
import time

import pytest

from artlock.errors import ManifestError
from artlock.formats.faults import MAX_TEXT_BYTES
from artlock.formats.manifest import parse_manifest


def message(text: str) -> str:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(text)
    return caught.value.message


def fault(body: str) -> str:
    """Return the one fault of an artifact, without its file and line."""
    told = message(f"[artifacts.x]\n{body}\n")
    found = re.fullmatch(
        r"`artifacts\.toml:\d+` is not valid: artifacts\.x\.?(.*)", told, re.DOTALL
    )
    assert found is not None, told
    return found[1]


def test_one_fault_is_one_sentence() -> None:
    text = '[artifacts.encoder]\nuri = "s3://b/k/"\ninclude = [\n  7,\n]\n'
    assert message(text) == (
        "`artifacts.toml:4` is not valid: artifacts.encoder.include[0]: is not a string: 7"
    )


def test_every_fault_is_told_in_the_order_of_the_file() -> None:
    text = """\
[artifacts.b]
uri = "s3://user:hunter2@b/k"
pth = "x"
[artlock]
nme = "x"
[artifacts."odd name".meta]
"""
    assert message(text) == (
        "`artifacts.toml` is not valid:\n"
        "  artifacts.toml:2: artifacts.b.uri: user info is a credential; leave it out and "
        "use the provider's own\n"
        "  artifacts.toml:3: artifacts.b.pth: is not a known key; did you mean `path`?\n"
        "  artifacts.toml:5: artlock.nme: is not a known key; did you mean `name`?\n"
        '  artifacts.toml:6: artifacts."odd name": cannot be a name: a name has only '
        "`a-z`, `0-9`, `.`, `_`, `-`, and starts with a letter or digit\n"
        '  artifacts.toml:6: artifacts."odd name": has no `uri`'
    )


def test_faults_without_end_are_counted() -> None:
    told = message("[artifacts]\n" + "".join(f"a{i} = {i}\n" for i in range(100)))
    assert told.endswith("\n  and 80 more")
    assert told.count("\n") == 21


def test_the_name_of_the_file_is_the_callers() -> None:
    with pytest.raises(ManifestError, match=r"^`sub/artifacts\.toml:1` is not valid"):
        parse_manifest("x = 1", name="sub/artifacts.toml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a = ", "`artifacts.toml` is not valid: invalid value (at end of document)"),
        ("\n a = [1,,]", "`artifacts.toml:2:9` is not valid: invalid value"),
        (
            "[artifacts.x]\n[artifacts.x]\n",
            "`artifacts.toml:2:13` is not valid: cannot declare ('artifacts', 'x') twice",
        ),
        ("a = 1\ra = 2", "expected newline"),
        ("\ufeffa = 1", "it starts with a byte order mark; save it as UTF-8 without one"),
        ("a = " + "9" * 5000, "exceeds the limit (4300 digits)"),
        ("a = " + "[" * 5000, "it is nested too deeply"),
    ],
)
def test_5_11_what_is_not_toml_is_refused_where_it_breaks(text: str, told: str) -> None:
    assert told in message(text)


def test_3_27_conflict_markers_are_named() -> None:
    with pytest.raises(ManifestError) as caught:
        parse_manifest("<<<<<<< HEAD\na = 1\n=======\na = 2\n>>>>>>> other\n")
    assert caught.value.hint == (
        "git left conflict markers in the file; resolve the merge first"
    )


def test_5_11_a_text_larger_than_the_limit_is_refused() -> None:
    comment = "# " + "é" * (MAX_TEXT_BYTES // 2 - 1)
    parse_manifest(comment)
    assert "it is larger than 4194304 bytes" in message(comment + "é")


@pytest.mark.parametrize("part", ["a", '"\\""', "'a'", "a "])
@pytest.mark.parametrize("before", ["", "[", "x = {", "x = '\"' # ' \n [["])
def test_5_11_a_key_that_would_stop_the_parser_is_refused_at_once(
    before: str, part: str
) -> None:
    started = time.thread_time()
    told = message(before + ".".join([part] * 200_000))
    assert "a key has more than 98 dots" in told
    assert time.thread_time() - started < 5


@pytest.mark.parametrize("quote", ['"', "'", '"' * 3, "'" * 3])
def test_dots_in_values_and_comments_are_no_long_key(quote: str) -> None:
    dots = "a." * 500
    text = (
        f"artifacts.x.uri = 's3://b/k'\nartifacts.x.description = {quote}x, {dots}{quote}"
    )
    manifest = parse_manifest(f"# {dots}\n{text} # {dots}\n")
    assert manifest.artifacts[0].description == f"x, {dots}"


@pytest.mark.parametrize("text", ["a" * 400_000, '"' + '\\"' * 200_000, "'" * 399_999])
def test_5_11_looking_for_long_keys_takes_no_time_itself(text: str) -> None:
    started = time.thread_time()
    message(text)
    assert time.thread_time() - started < 5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("artlock = 1", "artlock: is not a table: 1"),
        ("artlock.version = 0", "artlock.version: is not a whole number from 1 to 1: 0"),
        (
            "artlock.version = true",
            "artlock.version: is not a whole number from 1 to 1: true",
        ),
        (
            'artlock.version = "1"',
            'artlock.version: is not a whole number from 1 to 1: "1"',
        ),
        ("artlock.name = ''", "artlock.name: is empty"),
        (
            "artlock.name = 'a:v3'",
            "artlock.name: is not a name: letters, digits, `.`, `_` and `-`, at most 128",
        ),
        (
            'artlock.checksum = "blake2"',
            'artlock.checksum: is not one of "store", "blake3": "blake2"; '
            "did you mean `blake3`?",
        ),
        ("artlock.portable = 1", "artlock.portable: is not true or false: 1"),
        ("artlock.'a.b' = 1", 'artlock."a.b": is not a known key'),
        ("require = 'store'", "require: is not a known key"),
        ("policy.allow = 's3://x/'", 'policy.allow: is not a list: "s3://x/"'),
        ("policy.allow = []", "policy.allow: is an empty list; leave the key out"),
        (
            "policy.allow = ['data/']",
            "policy.allow[0]: has no scheme; write a prefix such as `s3://bucket/`",
        ),
        ("policy.allow = ['https://u:p@h/']", "policy.allow[0]: user info is a credential"),
        ("policy.require = 'all'", "policy.require: is not one of"),
        ("policy.require = {}", "policy.require: is not one of"),
        ("policy.require-version-ids = 'no'", "is not true or false"),
        ("policy.require_version_ids = true", "did you mean `require-version-ids`?"),
        ("trackers = ['x']", "trackers: is not a table: a list"),
        ("trackers.Team = 'pg://y'", "trackers.Team: a name has only"),
        (
            "trackers.local = 'sqlite:///x'",
            "trackers.local: is the name of your own registry; choose another",
        ),
        ("trackers.team = 'host/x'", "trackers.team: is not a URL such as"),
        (
            "trackers.team = 'postgresql://u@h/d'",
            "trackers.team: user info is a credential",
        ),
        ("trackers.team = 'pg://h/d?password=1'", "`password=` makes this a signed URL"),
        ("trackers.team = 7", "trackers.team: is not a string: 7"),
        ("artifacts = []", "artifacts: is not a table: a list"),
        ("artifacts.x = 's3://b/k'", 'artifacts.x: is not a table: "s3://b/k"'),
        ("[[artifacts.x]]\nuri = 's3://b/k'", "artifacts.x: is not a table: a list"),
        ("tool = 1", "tool: is not a table: 1"),
    ],
)
def test_the_tables_beside_the_artifacts_are_strict(text: str, told: str) -> None:
    assert told in message(text)


@pytest.mark.parametrize(
    "name", ["X", "-a", "a b", "", "a/b", "a.", "con", "aux.txt", "a" * 256, "é"]
)
def test_a_name_must_be_safe_everywhere(name: str) -> None:
    assert "cannot be a name: " in message(f"[artifacts.'{name}']\nuri = 's3://b/k'")


S3 = "uri = 's3://b/k'\n"
GS = "uri = 'gs://b/k'\n"
TREE = "uri = 's3://b/k/'\n"
WEB = "uri = 'https://h/k'\n"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("path = 'x'", ": has no `uri`"),
        ("uri = 7", "uri: is not a string: 7"),
        ("uri = ''", "uri: is empty"),
        ("uri = '../x'", "uri: a relative path stays inside of the project"),
        ("uri = 's3:b/k'", "uri: write `s3://` with two slashes"),
        (
            "uri = 's3://b/k?versionId=abc'",
            'uri: take the version out of the URI and write `version = "abc"`',
        ),
        ("uri = 'https://h/'", "uri: names no file; a web server has no listing"),
        ("uri = 'https://h/a/'", "uri: names no file"),
        ("uri = 'https://h/get?f=a/'", "uri: names no file"),
        ("uri = 'https://h/?f=a'", "uri: names no file"),
        ("uri = 'https://h/%ff'", "uri: what is percent-encoded is not UTF-8"),
        ("uri = 'https://h/a%2Fb'", "cannot be a file name: it has a `/`"),
        ("uri = 'https://h/nul'", "cannot be a file name: `nul` is a device on Windows"),
        (S3 + "path = '../x'", "path: cannot be a place in the project: it has a `..`"),
        (S3 + "path = '.git/hooks'", "path: cannot be a place in the project: `.git`"),
        (S3 + "path = ''", "path: is empty"),
        (S3 + 'path = "a\\nb"', "path: has a control character"),
        (S3 + "include = '*.pb'", 'include: is not a list: "*.pb"'),
        (
            S3 + "include = ['a', '*', 'a**']",
            "include[2]: `a**` is not a pattern: `**` must stand alone between slashes",
        ),
        (S3 + "exclude = ['/x']", "exclude[0]: `/x` is not a pattern"),
        (S3 + "exclude = []", "exclude: is an empty list; leave the key out"),
        (S3 + "groups = ['Serve']", "groups[0]: a name has only"),
        (S3 + "checksum = 'md5'", 'checksum: is not one of "store", "blake3": "md5"'),
        (S3 + "link = 'yes'", 'link: is not true or false: "yes"'),
        (S3 + "fallback = 'lnk'", "did you mean `link`?"),
        (
            S3 + "link = true\nfallback = 'link'",
            "fallback: has no meaning with `link = true`",
        ),
        (S3 + "link = true\nversion = 'a'", "version: has no meaning for a link"),
        (S3 + "link = true\nas-of = 2020-01-01T00:00:00Z", "as-of: has no meaning for a"),
        (S3 + "link = true\nchecksum = 'store'", "checksum: has no meaning for a link"),
        ("uri = 'xy://z'\ninclude = ['*']", "include: has no meaning for a link"),
        (TREE + "version = 'a'", "version: pins one object, and this is a tree"),
        (S3 + "version = 'null'", "version: `null` pins nothing"),
        (S3 + "version = 7", "version: is not a string: 7"),
        (GS + "version = '3HL4'", "version: is not a generation, which is a number"),
        (WEB + "version = '1'", "version: is only for `s3://` and `gs://`"),
        ("uri = 'raw/x'\nversion = '1'", "version: is only for `s3://` and `gs://`"),
        (
            S3 + "version = 'a'\nas-of = 2020-01-01T00:00:00Z",
            "as-of: has no meaning beside `version`; keep one of them",
        ),
        (WEB + "as-of = 2020-01-01T00:00:00Z", "as-of: is only for `s3://` and `gs://`"),
        (S3 + "as-of = 2020-01-01", "as-of: needs a date and a time"),
        (S3 + "as-of = 10:00:00", "as-of: needs a date and a time"),
        (S3 + "as-of = 2020-01-01T00:00:00", "as-of: has no offset from UTC"),
        (S3 + "as-of = '2020-01-01'", "as-of: is not a moment such as"),
        (S3 + "as-of = '2020-13-01T00:00:00Z'", "as-of: is not a moment that exists"),
        (S3 + "as-of = '0001-01-01T00:00:00+01:00'", "as-of: is not a moment that exists"),
        (S3 + "as-of = 2020", "as-of: is not a string: 2020"),
        (
            WEB + "include = ['*']",
            "include: is only for trees, and a web address is one file",
        ),
        (WEB + "exclude = ['*']", "exclude: is only for trees"),
        (WEB + "rename = { a = 'b' }", "rename: is only for trees"),
        (S3 + "rename = ['a']", "rename: is not a table: a list"),
        (S3 + "rename = { a = '../b' }", "rename.a: `../b` cannot be a file"),
        (S3 + "rename = { a = 'con' }", "rename.a: `con` cannot be a file"),
        (
            S3 + "rename = { a = 'X', b = 'x' }",
            "rename: `X` and `x` cannot both be files",
        ),
        (S3 + "portable = 'no'", "portable: is not true or false"),
        (S3 + "mirrors = 's3://m/k'", "mirrors: is not a list"),
        (
            S3 + "mirrors = ['s3://m/k/']",
            "mirrors[0]: the source is a file and this is a tree; mind the last `/`",
        ),
        (TREE + "mirrors = ['gs://m/k']", "the source is a tree and this is a file"),
        (S3 + "mirrors = ['doi:10.1/2']", "mirrors[0]: artlock cannot read `doi:`"),
        (S3 + "mirrors = ['https://u@h/k']", "mirrors[0]: user info is a credential"),
        (S3 + "description = 7", "description: is not a string: 7"),
        (S3 + "meta = 'x'", 'meta: is not a table: "x"'),
        (S3 + "meta = '" + "x" * 99 + "'", 'meta: is not a table: "' + "x" * 59 + "..."),
    ],
)
def test_an_artifact_is_strict(body: str, told: str) -> None:
    assert told in fault(body)


def test_a_bad_element_does_not_move_the_places_behind_it() -> None:
    told = message("[artifacts.x]\nuri = 's3://b/k'\ninclude = ['',\n'a**']\n")
    assert "artifacts.toml:3: artifacts.x.include[0]: is empty\n" in told
    assert "artifacts.toml:4: artifacts.x.include[1]: `a**` is not a pattern" in told


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (WEB + "endpoint = 'https://e'", "endpoint: is only for `s3://`, `gs://`"),
        (GS + "profile = 'p'", "profile: is only for `s3://`"),
        (GS + "role-arn = 'arn:x'", "role-arn: is only for `s3://`"),
        (GS + "requester-pays = true", "requester-pays: is only for `s3://`"),
        (GS + "region = 'eu'", "region: is only for `s3://`"),
        (S3 + "user-project = 'p'", "user-project: is only for `gs://`"),
        (S3 + "headers = { A = 'b' }", "headers: is only for `http://`, `https://`"),
        ("uri = 'raw/x'\nanonymous = true", "anonymous: is only for"),
        ("uri = 'xy://z'\nprofile = 'p'", "profile: is only for `s3://`"),
        (S3 + "endpoint = 'minio:9000'", "endpoint: is not a URL such as"),
        (S3 + "endpoint = 's3://x/'", "endpoint: is not a URL such as"),
        (S3 + "endpoint = 'https://h/?x=1'", "endpoint: is not a URL such as"),
        (S3 + "endpoint = 'https://u:p@h'", "endpoint: user info is a credential"),
        (S3 + "role-arn = 'reader'", "role-arn: is not an ARN"),
        (S3 + "region = 'evil.example/#'", "region: is not a region"),
        (
            S3 + "anonymous = true\nprofile = 'p'",
            "profile: has no meaning with `anonymous = true`",
        ),
        (WEB + "headers = 'A: b'", 'headers: is not a table: "A: b"'),
        (WEB + "headers = { 'A B' = 'c' }", 'headers."A B": is not the name of a header'),
        (WEB + "headers = { A = 7 }", "headers.A: is not a string: 7"),
        (WEB + 'headers = { A = "b\\r\\nC: d" }', "headers.A: has a control character"),
        (WEB + "headers = { A = 'b\u0085' }", "headers.A: has a control character"),
        (WEB + "headers = { a = '1', A = '2' }", "headers.A: stands twice"),
        (WEB + "headers = { X-A = '${1}' }", "headers.X-A: has a `${` that names no"),
        (WEB + "headers = { X-A = '${B' }", "headers.X-A: has a `${` that names no"),
    ],
)
def test_access_settings_are_strict(body: str, told: str) -> None:
    assert told in fault(body)


@pytest.mark.parametrize(
    "name",
    [
        "Accept-Encoding",
        "connection",
        "Content-Length",
        "Host",
        "If-Match",
        "If-Range",
        "Range",
        "Transfer-Encoding",
    ],
)
def test_headers_that_choose_the_answer_are_artlocks(name: str) -> None:
    told = fault(f"{WEB}headers = {{ {name} = 'x' }}")
    assert told == f"headers.{name}: is set by artlock itself"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "hunter2"),
        ("Authorization", "Bearer hunter2"),
        ("Authorization", "Bearer hunter2${EMPTY}"),
        ("Authorization", "Bearer ${A} hunter2"),
        ("Proxy-Authorization", "Basic aHVudGVyMg=="),
        ("Cookie", "session=hunter2"),
        ("X-Api-Key", "hunter2"),
        ("PRIVATE-TOKEN", "hunter2"),
        ("X-Secret", "hunter2"),
        ("X-Password", "hunter2"),
        ("X-Whatever", "bearer hunter2"),
        ("X-Whatever", "Basic hunter2"),
    ],
)
def test_1_48_a_credential_in_a_header_is_refused_and_not_repeated(
    name: str, value: str
) -> None:
    told = fault(f"{WEB}headers = {{ {name} = '{value}' }}")
    assert told.startswith(f"headers.{name}: is a credential; put it into an environment")
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "query",
    ["X-Amz-Signature=q", "X-Amz-Credential=q", "X-Goog-Signature=q", "sig=q", "token=q"],
)
@pytest.mark.parametrize("key", ["uri", "mirrors", "endpoint"])
def test_1_48_signed_urls_are_refused_wherever_a_url_may_stand(
    key: str, query: str
) -> None:
    secret = f"https://h/k?{query}-hunter2"
    body = {
        "uri": f"uri = '{secret}'",
        "mirrors": f"{S3}mirrors = ['{secret}']",
        "endpoint": f"{S3}endpoint = '{secret}'",
    }[key]
    told = fault(body)
    assert "makes this a signed URL" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("models", "models"),
        ("models/", "models"),
        ("models", "models/a"),
        ("models/a/b", "Models/A"),
        ("caf\u00e9/x", "cafe\u0301"),
    ],
)
def test_2_26_two_places_must_not_be_one_or_nest(one: str, other: str) -> None:
    told = message(
        f"[artifacts.a]\nuri = 's3://b/1/'\npath = '{one}'\n"
        f"[artifacts.b]\nuri = 's3://b/2/'\npath = '{other}'\n"
    )
    assert "is inside of" in told
    assert "give one of them another `path`" in told


def test_2_26_the_default_place_counts_too() -> None:
    told = message(
        "[artifacts.a]\nuri = 's3://b/1/'\n"
        "[artifacts.b]\nuri = 's3://b/2/'\npath = 'data/A/deep'\n"
        "[artifacts.'a.c']\nuri = 's3://b/3/'\n"
    )
    assert told == (
        "`artifacts.toml:5` is not valid: artifacts.b.path: `data/A/deep` is inside of "
        "`data/a`, the place of `a`; give one of them another `path`"
    )


def test_2_26_every_place_inside_is_told() -> None:
    told = message(
        "[artifacts]\n"
        "a = { uri = 's3://b/1/', path = 'm' }\n"
        "b = { uri = 's3://b/2/', path = 'm/x' }\n"
        "c = { uri = 's3://b/3/', path = 'm/y' }\n"
    )
    assert told.count("is inside of `m`") == 2
