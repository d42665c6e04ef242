import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artlock.model.secrets import redact, secrets_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://u:pw@host/a", "see https://***@host/a"),
        ("proxy http://token@[::1]:3128", "proxy http://***@[::1]:3128"),
        ("https://h/a?X-Amz-Signature=0a&x=1", "https://h/a?X-Amz-Signature=***&x=1"),
        ("https://h/a?x=1&sig=0a%2F`", "https://h/a?x=1&sig=***`"),
        ("/a?AWSAccessKeyId=AK&Expires=1", "/a?AWSAccessKeyId=***&Expires=1"),
        ("https://h/a?access_token=t", "https://h/a?access_token=***"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("{'Authorization': 'Bearer abc', 'A': 'b'}", "{'Authorization': '***', 'A': 'b'}"),
        ("(b'cookie', b'a=b; c=d')", "(b'cookie', b'***')"),
        ("x-amz-security-token=abc", "x-amz-security-token=***"),
        ("the key is s3cretvalue here", "the key is *** here"),
        ("http://ada:p@ss@proxy:3128/x", "http://***@proxy:3128/x"),
        (
            "cannot parse 'http://ada:pa/ss@proxy:3128'",
            "cannot parse 'http://***@proxy:3128'",
        ),
        ("https://h/a?key=AIza0&hdnts=st~1", "https://h/a?key=***&hdnts=***"),
        ("https://h/a?__token__=exp~1", "https://h/a?__token__=***"),
        ("https://h/a?X%2DAmz%2DSignature=0a", "https://h/a?X%2DAmz%2DSignature=***"),
        (
            "https://login/?next=https%3A%2F%2Fh%2Fa%3Fsv%3D1%26sig%3D0a%26se%3D2",
            "https://login/?next=https%3A%2F%2Fh%2Fa%3Fsv%3D1%26sig%3D***%26se%3D2",
        ),
        ("a?GoogleAccessId=me@x&Signature=ab%2B", "a?GoogleAccessId=***&Signature=***"),
        ("x-goog-iam-authorization-token: ab", "x-goog-iam-authorization-token: ***"),
        ("{'PRIVATE-TOKEN': 'abc'}", "{'PRIVATE-TOKEN': '***'}"),
        ("sent `Bearer ya29.a0AfB_byC-0123456789`", "sent `Bearer ***`"),
        ("was Basic YXBpOjAxMjM0NTY3ODk=: no", "was Basic ***: no"),
        ("was Basic YXBpOjAxMjM0NTY3ODkw, so no", "was Basic ***, so no"),
        ("was Basic YTpiYw==", "was Basic ***"),
        ('{"AccessKeyId": "AK", "Version": "1"}', '{"AccessKeyId": "***", "Version": "1"}'),
        ("{'SessionToken': 'abc', 'Key': 'a/b'}", "{'SessionToken': '***', 'Key': 'a/b'}"),
    ],
)
def test_5_7_credentials_are_taken_out_of_text(text: str, shown: str) -> None:
    assert redact(text, ["s3cretvalue"]) == shown


@pytest.mark.parametrize(
    "text",
    [
        "`s3://bucket/a@b` is not below `p/`",
        "run `artlock trust`, or write `Bearer ${TOKEN}`",
        "https://host/a?v=1&size=3",
        "`user-project` of `a` is not trusted",
        "mail@example.com",
        "there are no Google credentials to read `gs://b/k`",
        "a token: `blake3:00`",
        "artifacts.a.headers.Authorization: is a credential; write `${NAME}`",
        "https://host:8443/a@b and http://[::1]:80/a@b",
        "s3://arn:aws:s3:us-east-1:1:accesspoint/x/a@b",
        "headers.Authorization, headers.Cookie in `artifacts.toml` is not trusted",
    ],
)
def test_what_is_no_credential_stays(text: str) -> None:
    assert redact(text) == text


def test_5_7_variables_are_secret_by_their_names_and_paths_are_none() -> None:
    environment = {
        "AWS_SECRET_ACCESS_KEY": "abcdefgh",
        "MY_TOKEN": "abcdefghij",
        "DB_PASSWORD": "short",
        "GOOGLE_APPLICATION_CREDENTIALS": "/home/ada/key.json",
        "HOME": "/home/ada-and-more",
        "EDITOR": "something-long",
    }
    assert secrets_of(environment) == ("abcdefghij", "abcdefgh")


def test_5_7_a_variable_is_hidden_as_it_stands_in_a_url_too() -> None:
    secrets = secrets_of({"AWS_SECRET_ACCESS_KEY": "ab/cd+ef=gh"})
    for spelled in ("ab/cd+ef=gh", "ab%2Fcd%2Bef%3Dgh", "ab/cd%2Bef%3Dgh"):
        assert redact(f"it is {spelled}.", secrets) == "it is ***."


@pytest.mark.parametrize(
    "name", ["GITHUB_PAT", "REGISTRY_AUTH", "AZURE_SAS", "DB_PASS", "SIGNING_PRIVATE_KEY"]
)
def test_5_7_other_names_of_secrets(name: str) -> None:
    assert secrets_of({name: "abcdefgh"}) == ("abcdefgh",)


@pytest.mark.parametrize("name", ["PATH", "SSH_AUTH_SOCK", "AUTHOR", "COMPASS", "PWD_HASH"])
def test_names_that_only_look_like_it(name: str) -> None:
    assert secrets_of({name: "abcdefgh"}) == ()


@given(st.text(max_size=200))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    "piece",
    ["://", "?a", "://a", "?sig", "cookie ", "://u:", "?=&", "=", "http://a:b", "%3Fa%3D"],
)
def test_5_11_redacting_takes_no_time_itself(piece: str) -> None:
    started = time.process_time()
    redact(piece * 50_000)
    assert time.process_time() - started < 5
