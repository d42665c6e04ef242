import pytest

from artlock.cli.annotations import annotation, error_annotation
from artlock.errors import GitError, LockfileError
from artlock.ops.spots import Spot


def test_a_command_is_one_line_that_no_name_can_end() -> None:
    spot = Spot("a,b:c%0A.lock", 7)
    told = annotation("error", "t:1,2", "x::y\n::set-env name=A::b\r%0A\u202e\x1b[m", spot)
    assert told == (
        "::error file=a%2Cb%3Ac%250A.lock,line=7,title=t%3A1%2C2::"
        "x::y%0A::set-env name=A::b\\r%250A\\u202e\\x1b[m"
    )


def test_without_a_place_it_is_in_the_log_only() -> None:
    assert annotation("notice", "t", "m") == "::notice title=t::m"


@pytest.mark.parametrize(
    ("message", "place"),
    [
        ("`artifacts.toml:12` is not valid: x", "file=sub/artifacts.toml,line=12,"),
        ("`artifacts.toml:12:3` is not valid: x", "file=sub/artifacts.toml,line=12,"),
        ("`artifacts.lock` is not valid: x", "file=sub/artifacts.lock,line=1,"),
        ("`v1:artifacts.lock:3` is not valid: x", ""),
        ("there is no revision", ""),
    ],
)
def test_an_error_is_shown_where_its_message_says(message: str, place: str) -> None:
    told = error_annotation(LockfileError(message, hint="do it"), "sub/")
    told_message = message.replace("\n", "%0A")
    assert told == (
        f"::error {place}title=artlock%3A invalid-lockfile::{told_message}%0Ahint: do it"
    )


def test_an_error_without_a_hint_has_none() -> None:
    assert error_annotation(GitError("no"), "") == "::error title=artlock%3A git-error::no"
