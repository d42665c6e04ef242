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


@given(st.text(max_size=200))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    "piece", ["://", "?a", "://a", "?sig", "cookie ", "://u:", "?=&", "="]
)
def test_5_11_redacting_takes_no_time_itself(piece: str) -> None:
    started = time.process_time()
    redact(piece * 50_000)
    assert time.process_time() - started < 5
