import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artlock.cli.output import Output, count, escape, escape_line, human_size
from artlock.errors import (
    AccessDeniedError,
    ArtlockError,
    ConflictError,
    IntegrityError,
    ManyErrors,
    StoreError,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain/päth.bin", "plain/päth.bin"),
        ("a\x1b[31mred", "a\\x1b[31mred"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("back\rover", "back\\rover"),
        ("right\u202eleft", "right\\u202eleft"),
        ("nothing\u200bhere", "nothing\\u200bhere"),
        ("bell\x07", "bell\\x07"),
        ("c1\x9b2J", "c1\\x9b2J"),
        ("lone \udcff byte", "lone \\udcff byte"),
    ],
)
def test_2_5_control_characters_are_shown_as_escapes(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_5_30_a_line_stays_one_line() -> None:
    assert escape_line("a\nb\x1b\r") == "a\\nb\\x1b\\r"
    assert escape("a\nb") == "a\nb"


@given(st.text())
def test_2_5_no_text_reaches_a_terminal_as_a_command(text: str) -> None:
    shown = escape(text)
    shown.encode()
    controls = {c for c in shown if unicodedata.category(c) in {"Cc", "Cs"}}
    assert controls <= {"\n", "\t"}


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1234, "1.2 kB"),
        (999_499, "999.5 kB"),
        (999_999, "1.0 MB"),
        (3_400_000_000, "3.4 GB"),
        (5 * 10**15, "5000.0 TB"),
        (-1500, "-1.5 kB"),
    ],
)
def test_sizes_are_told_in_decimal_units(size: int, shown: str) -> None:
    assert human_size(size) == shown


def test_numbers_agree_with_their_nouns() -> None:
    assert [count(n, "object") for n in (0, 1, 2, 2000)] == [
        "0 objects",
        "1 object",
        "2 objects",
        "2,000 objects",
    ]


def test_data_goes_to_stdout_and_talk_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(verbose=True)
    output.data("data")
    output.say("talk")
    output.detail("detail")
    output.warn("careful")
    found = capsys.readouterr()
    assert found.out == "data\n"
    assert found.err == "talk\ndetail\nwarning: careful\n"


def test_quiet_silences_talk_but_neither_data_nor_errors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = Output(quiet=True)
    output.data("data")
    output.say("talk")
    output.warn("careful")
    output.error(ArtlockError("it failed"))
    found = capsys.readouterr()
    assert found.out == "data\n"
    assert found.err == "error[error]: it failed\n"


def test_json_is_one_document_and_silences_data(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.data("data")
    output.document("thing", {"name": "ä\x1b"})
    found = capsys.readouterr()
    assert json.loads(found.out) == {"schema": "artlock.thing/1", "name": "ä\x1b"}
    assert found.out.isascii()
    assert "\x1b" not in found.out


def test_an_error_has_facts_and_a_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    error = IntegrityError(
        subject="s3://b/k", expected="blake3:1", actual="blake3:2", hint="look"
    )
    Output().error(error)
    assert capsys.readouterr().err == (
        "error[integrity-error]: `s3://b/k` does not match `artifacts.lock`\n"
        "  expected  blake3:1\n"
        "  actual    blake3:2\n"
        "\n"
        "hint: look\n"
    )


def test_an_error_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).error(ConflictError("in the way", paths=["a", "b"], hint="move"))
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "schema": "artlock.error/1",
        "error": {
            "code": "conflict",
            "message": "in the way",
            "hint": "move",
            "paths": ["a", "b"],
            "exit_code": 1,
        },
    }


@pytest.mark.parametrize(
    ("schema", "content"),
    [
        ("error", {"error": {"message": "no https://u:canary@h", "uri": "s3://b/k"}}),
        ("verify", {"checked": 1, "errors": [{"message": "no https://u:canary@h"}]}),
        ("doctor", {"diagnoses": [{"text": "no https://u:canary@h", "hint": None}]}),
    ],
)
def test_5_7_what_libraries_said_has_no_secret_in_any_document(
    schema: str, content: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    Output(as_json=True).document(schema, content)
    shown = capsys.readouterr().out
    assert "canary" not in shown
    assert "no https://***@h" in shown


def test_many_errors_have_one_heading_and_one_hint_for_each_class(
    capsys: pytest.CaptureFixture[str],
) -> None:
    denied = [
        AccessDeniedError(f"reading `{n}` was refused", uri=f"s3://b/{n}", hint="ask")
        for n in range(30)
    ]
    cut = [StoreError("cut", uri="s3://b/x")]
    Output().error(ManyErrors("31 failed", [*denied, *cut]))
    shown = capsys.readouterr().err
    assert shown.count("error[access-denied]: 30 failures") == 1
    assert shown.count("hint: ask") == 1
    assert shown.count("was refused") == 20
    assert "... and 10 more (`--verbose` lists them)" in shown
    assert "error[store-error]: 1 failure\n  cut\n" in shown
    Output(verbose=True).error(ManyErrors("31 failed", [*denied, *cut]))
    assert capsys.readouterr().err.count("was refused") == 30


def test_many_paths_are_cut_unless_all_are_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = ConflictError("in the way", paths=[f"p{n}" for n in range(25)])
    Output().error(error)
    assert "... and 5 more" in capsys.readouterr().err
    Output(verbose=True).error(error)
    assert "p24" in capsys.readouterr().err


def test_colour_is_for_terminals_and_never_for_pipes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Output().warn("plain")
    Output(color=True).warn("coloured")
    plain, coloured = capsys.readouterr().err.splitlines()
    assert plain == "warning: plain"
    assert "\x1b[" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    Output().warn("plain")
    assert capsys.readouterr().err == "warning: plain\n"
