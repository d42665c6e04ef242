import pytest

from artlock.model.uri import Uri

SIGNED = [
    "https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=SECRET",
    "https://b.s3.amazonaws.com/k?x-amz-signature=SECRET",
    "https://b.s3.amazonaws.com/k?X-Amz-Credential=SECRET%2F20260501",
    "https://b.s3.amazonaws.com/k?X-Amz-Security-Token=SECRET",
    "https://b.s3.amazonaws.com/k?AWSAccessKeyId=SECRET&Expires=1&Signature=SECRET",
    "https://b.s3.amazonaws.com/k?Signature=SECRET",
    "https://b.s3.amazonaws.com/k?versionId=3&X-Amz-Signature=SECRET",
    "https://s3.example:9000/b/k?X%2DAmz%2DSignature=SECRET",
    "https://s3.example:9000/b/k?X-Amz-Date=1;X-Amz-Signature=SECRET",
    "https://storage.googleapis.com/b/k?X-Goog-Signature=SECRET",
    "https://storage.googleapis.com/b/k?X-Goog-Credential=SECRET",
    "https://storage.googleapis.com/b/k?x-goog-algorithm=a&x-goog-signature=SECRET",
    "https://storage.googleapis.com/b/k?GoogleAccessId=SECRET&Expires=1",
    "https://storage.googleapis.com/download/storage/v1/b/o?access_token=SECRET",
    "https://a.blob.core.windows.net/c/k?sv=2024-01-01&sr=b&sig=SECRET",
    "https://a.blob.core.windows.net/c/k?SIG=SECRET",
    "https://a.dfs.core.windows.net/c/k?st=1&se=2&sp=r&sig=SECRET",
    "https://d111.cloudfront.net/k?Policy=x&Signature=SECRET&Key-Pair-Id=y",
    "https://cdn.example/k?token=SECRET",
    "https://cdn.example/k?Token=SECRET#x",
    "https://cdn.example/k?%73ig=SECRET",
    "https://cdn.example/k?auth=SECRET",
    "https://cdn.example/k?auth_token=SECRET",
    "https://cdn.example/k?hdnts=exp=1~hmac=SECRET",
    "https://cdn.example/k?hdnea=st=1~hmac=SECRET",
    "https://cdn.example/k?jwt=SECRET",
    "https://api.example/k?key=SECRET",
    "https://api.example/k?api_key=SECRET",
    "https://api.example/k?apiKey=SECRET",
    "https://api.example/k?api-key=SECRET",
    "https://api.example/k?client_secret=SECRET",
    "https://api.example/k?password=SECRET",
    "https://api.example/k?pwd=SECRET",
    "https://api.example/k?private_token=SECRET",
    "https://api.example/k?a=1&sessionToken=SECRET",
    "https://api.example/k?x-oss-signature=SECRET",
    "https://b.oss.example/k?OSSAccessKeyId=SECRET&Signature=SECRET",
    "https://b.cos.example/k?q-sign-algorithm=sha1&q-signature=SECRET",
    "https://b.obs.example/k?AccessKeyId=SECRET",
    "https://b2.example/file/b/k?Authorization=SECRET",
    "https://host.example?X-Amz-Signature=SECRET",
    "http://127.0.0.1:8333/b/k?X-Amz-Signature=SECRET",
    "s3://bucket/key?X-Amz-Signature=SECRET",
    "s3://bucket?sig=SECRET",
    "gs://bucket/key?X-Goog-Signature=SECRET",
    "file:///mnt/k?token=SECRET",
    "labelbox://project/42?api_key=SECRET",
    "labelbox:project?token=SECRET",
    "custom://host/k#access_token=SECRET",
    "https://cdn.example/k#access_token=SECRET",
    "https://user:SECRET@host.example/k",
    "https://SECRET@host.example/k",
    "s3://AKIA:SECRET@bucket/key",
    "postgresql://user:SECRET@db.internal/artlock",
    "jdbc:postgresql://user:SECRET@db.internal/artlock",
    "file://user:SECRET@host/k",
]


@pytest.mark.parametrize("text", SIGNED)
def test_1_48_signed_urls_and_user_info_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="credential") as caught:
        Uri.parse(text)
    assert "SECRET" not in str(caught.value)


def test_1_48_there_are_forty_signed_urls_and_more() -> None:
    assert len(set(SIGNED)) >= 40


@pytest.mark.parametrize(
    "text",
    [
        "https://host.example/k?v=1&download=true",
        "https://host.example/k?monkey=1&tokens=5&keys=a",
        "https://host.example/token=x/signature",
        "https://host.example/@user/k",
        "s3://bucket/a@b/c",
        "s3://bucket/a//x@y",
        "mailto:someone@host.example",
    ],
)
def test_1_48_what_only_looks_like_a_secret_passes(text: str) -> None:
    assert str(Uri.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "scheme", "authority", "key"),
    [
        ("s3://bucket/some/prefix/", "s3", "bucket", "some/prefix/"),
        ("s3://bucket/", "s3", "bucket", ""),
        ("s3://bucket/a%20b#c?d", "s3", "bucket", "a%20b#c?d"),
        ("s3://bucket//a", "s3", "bucket", "/a"),
        ("gs://bucket/key#1.bin", "gs", "bucket", "key#1.bin"),
        ("https://host:8443/a/b.json?v=1", "https", "host:8443", "a/b.json?v=1"),
        ("http://[::1]:80/", "http", "[::1]:80", ""),
        ("file:///mnt/share/my%20data/", "file", "", "/mnt/share/my%20data/"),
        ("file:///", "file", "", "/"),
        ("raw/images/", "", None, "raw/images/"),
        ("a.bin", "", None, "a.bin"),
        ("doi:10.5281/zenodo.123", "doi", None, "10.5281/zenodo.123"),
        ("labelbox://project/42", "labelbox", "project", "42"),
        ("labelbox://", "labelbox", "", ""),
        ("custom:///x", "custom", "", "x"),
    ],
)
def test_1_53_a_uri_is_taken_apart_and_put_together_again(
    text: str, scheme: str, authority: str | None, key: str
) -> None:
    uri = Uri.parse(text)
    assert (uri.scheme, uri.authority, uri.key) == (scheme, authority, key)
    assert str(uri) == text


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("gcs://bucket/k", "gs://bucket/k"),
        ("S3://bucket/k", "s3://bucket/k"),
        ("s3://bucket", "s3://bucket/"),
        ("https://HOST.Example", "https://host.example/"),
        ("./raw/x", "raw/x"),
        ("././raw/", "raw/"),
        ("/mnt/a b", "file:///mnt/a%20b"),
        ("/mnt/é%", "file:///mnt/%C3%A9%25"),
        ("custom://host/", "custom://host"),
    ],
)
def test_other_spellings_become_one(text: str, spelling: str) -> None:
    assert str(Uri.parse(text)) == spelling
    assert Uri.parse(spelling) == Uri.parse(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not empty"),
        ("s3://b/a\nb", "control characters"),
        ("s3://b/\x7f", "control characters"),
        ("s3:bucket/key", "two slashes"),
        ("https:host", "two slashes"),
        ("s3:///key", "needs a bucket"),
        ("gs://", "needs a bucket"),
        ("https:///x", "needs a host"),
        ("s3://buc ket/k", "bucket has no space"),
        ("s3://bucket?v=1", "bucket has no space"),
        ("s3://b%2Fc/k", "bucket has no space"),
        ("gs://b#1/k", "bucket has no space"),
        ("s3://b\\c/k", "bucket has no space"),
        ("s3://b/../c/k", "another object"),
        ("s3://b/a/./k", "another object"),
        ("gs://b/a/..", "another object"),
        ("https://host/allowed/../secret", "another object"),
        ("https://host/%2e%2E/secret", "another object"),
        ("https://host/a%2f..%2fb", "another object"),
        ("https://host/a#b", "fragment"),
        ("https://ho st/a", "is not a host"),
        ("https://host:x/a", "is not a host"),
        ("https://[::::1]/a", "is not a host"),
        ("https://[1.2.3.4]/a", "is not a host"),
        ("https://host:65536/a", "is not a port"),
        ("/a/b;X-Amz-Signature=0", "signed URL"),
        ("https://host/a%zz", "two hex digits"),
        ("https://host/a%", "two hex digits"),
        ("https://host/%ff", "not UTF-8"),
        ("https://host/a%0d%0aX: y", "control character"),
        ("file://host/a", "takes no host"),
        ("file://", "absolute path"),
        ("file:///a/../b", "absolute path"),
        ("file:///a/%2e%2e/b", "absolute path"),
        ("file:///a%2f..%2fb", "absolute path"),
        ("file:///a//b", "absolute path"),
        ("file:///./a", "absolute path"),
        ("file:///a%ff", "not UTF-8"),
        ("file:///a%C3", "not UTF-8"),
        ("file:///a%0", "two hex digits"),
        ("file:///a%00b", "control character"),
        ("/a/../b", "absolute path"),
        ("//host/share", "absolute path"),
        ("../up", "stays inside of the project"),
        ("a/../b", "stays inside of the project"),
        ("./../b", "stays inside of the project"),
        ("./", "spelled plainly"),
        (".", "spelled plainly"),
        ("a//b", "spelled plainly"),
        ("a/./b", "spelled plainly"),
        ("./ab:c", "spelled plainly"),
        (".//abs", "spelled plainly"),
        ("~/data", "write a local path"),
        (".git/config", "git's own folder"),
        ("sub/.GIT/hooks/", "git's own folder"),
        ("./~/data", "write a local path"),
        ("a\\b", "write a local path"),
        ("c:/data", "write a local path"),
        ("./c:/data", "write a local path"),
        ("s3://b/k?versionId=3HL4", 'version = "3HL4"'),
        ("gs://b/k#1718040471128541", 'version = "1718040471128541"'),
    ],
)
def test_1_53_what_cannot_be_meant_is_refused_with_a_phrase(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        Uri.parse(text)
    # A UnicodeDecodeError is a ValueError too, but not a phrase.
    assert type(caught.value) is ValueError


@pytest.mark.parametrize(
    ("text", "is_link", "is_relative", "is_tree", "file_name"),
    [
        ("s3://b/a/b.bin", False, False, False, "b.bin"),
        ("s3://b/a/b%20.bin", False, False, False, "b%20.bin"),
        ("s3://b/a/", False, False, True, ""),
        ("s3://b", False, False, True, ""),
        ("https://h/a/b%20c.json?v=a/b", False, False, False, "b c.json"),
        ("file:///a/b%20c", False, False, False, "b c"),
        ("raw/x", False, True, False, "x"),
        ("doi:10/x", True, False, False, "x"),
    ],
)
def test_what_a_uri_says_of_itself(
    *, text: str, is_link: bool, is_relative: bool, is_tree: bool, file_name: str
) -> None:
    uri = Uri.parse(text)
    assert (uri.is_link, uri.is_relative, uri.is_tree) == (is_link, is_relative, is_tree)
    assert uri.file_name == file_name


@pytest.mark.parametrize(
    ("text", "path"),
    [("file:///a/b%20c/", "/a/b c/"), ("raw/x%20", "raw/x%20"), ("/a/%", "/a/%")],
)
def test_the_local_path_is_decoded_where_the_scheme_encodes(text: str, path: str) -> None:
    assert Uri.parse(text).local_path == path


@pytest.mark.parametrize("tree", ["s3://b/t/", "gs://b/", "file:///m/a%20b/", "raw/t/"])
@pytest.mark.parametrize("path", ["x", "a/b", "a b%20c#?é", "+", "%", "~"])
def test_a_child_is_found_again_below_its_tree(tree: str, path: str) -> None:
    root = Uri.parse(tree)
    child = root.child(path)
    assert root.relative(child) == path
    assert str(child).startswith(tree)


def test_a_tree_has_a_slash_and_holds_no_sibling() -> None:
    uri = Uri.parse("s3://b/data")
    assert str(uri.as_tree()) == "s3://b/data/"
    assert uri.as_tree().as_tree() == uri.as_tree()
    assert uri.as_tree().relative(Uri.parse("s3://b/data2/x")) is None
    assert uri.as_tree().relative(Uri.parse("gs://b/data/x")) is None
    assert uri.as_tree().relative(Uri.parse("s3://c/data/x")) is None


@pytest.mark.parametrize(
    ("prefix", "text", "is_allowed"),
    [
        ("s3://b/team/", "s3://b/team/x", True),
        ("s3://b/team", "s3://b/team/x", True),
        ("s3://b/team", "s3://b/team", True),
        ("s3://b/team", "s3://b/team2/x", False),
        ("s3://b/team/", "s3://b/team", False),
        ("https://zenodo.org/", "https://zenodo.org/records/1", True),
        ("https://zenodo.org", "https://zenodo.org.evil.example/x", False),
    ],
)
def test_a_policy_covers_whole_segments(
    *, prefix: str, text: str, is_allowed: bool
) -> None:
    assert Uri.parse(text).is_allowed_by(prefix) == is_allowed
