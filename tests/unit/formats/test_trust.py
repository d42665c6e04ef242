from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artlock.errors import ConfigError
from artlock.formats.trust import format_trust, parse_trust, parse_trust_rules, trust_path
from artlock.model.trust import TrustStore

ONE = "blake3:" + "1" * 64
TWO = "blake3:" + "2" * 64


def test_the_file_has_one_spelling() -> None:
    store = TrustStore(projects=(("/home/ada/x", (ONE, TWO)),))
    assert format_trust(store) == (
        '{\n  "projects": {\n    "/home/ada/x": [\n'
        f'      "{ONE}",\n      "{TWO}"\n'
        '    ]\n  },\n  "version": 1\n}\n'
    )


prints = st.integers(0, 5).map(lambda n: f"blake3:{n:064x}")


@given(st.dictionaries(st.text(st.characters()), st.sets(prints, min_size=1)))
def test_what_is_written_is_read_again_whatever_the_path(
    projects: dict[str, set[str]],
) -> None:
    store = TrustStore(
        projects=tuple(sorted((p, tuple(sorted(f))) for p, f in projects.items()))
    )
    assert parse_trust(format_trust(store)) == store


def test_a_path_that_is_not_utf_8_survives() -> None:
    store = TrustStore(projects=(("/caf\udce9", (ONE,)),))
    text = format_trust(store)
    assert text.isascii()
    assert parse_trust(text) == store


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 1}',
        '{"version": 2, "projects": {}}',
        '{"version": 1, "projects": {}, "more": 1}',
        '{"version": 1, "projects": []}',
        '{"version": 1, "projects": {"/x": "blake3:' + "1" * 64 + '"}}',
        '{"version": 1, "projects": {"/x": [7]}}',
        '{"version": 1, "projects": {"/x": ["blake3:1"]}}',
        '{"version": 1, "projects": {"/x": ["blake3:' + "1" * 64 + '\\n"]}}',
        "[" * 100_000,
    ],
)
def test_a_file_that_artlock_did_not_write_trusts_nothing(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^`t\.json` is not valid$") as caught:
        parse_trust(text, name="t.json")
    assert caught.value.hint == "remove the file, and trust again what you trust"


def test_the_file_is_where_the_environment_says() -> None:
    environment = {"HOME": "/h"}
    assert trust_path(environment) == Path("/h/.local/state/artlock/trust.json")
    environment["XDG_STATE_HOME"] = "/s"
    assert trust_path(environment) == Path("/s/artlock/trust.json")


def test_rules_are_hosts_and_settings_with_values() -> None:
    rules = parse_trust_rules(
        " MinIO.internal:9000, [::1]:80,profile=ci ,, user-project=a=b,example.org.,"
    )
    assert rules.hosts == {"minio.internal", "::1", "example.org"}
    assert rules.settings == {("profile", "ci"), ("user-project", "a=b")}


def test_no_rules_trust_nothing() -> None:
    rules = parse_trust_rules("")
    assert not rules.hosts
    assert not rules.settings


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://h", "`https://h` in `ARTLOCK_TRUST` is not a host"),
        ("a b", "`a b` in `ARTLOCK_TRUST` is not a host"),
        ("*", "`*` in `ARTLOCK_TRUST` is not a host"),
        ("profle=ci", "did you mean `profile`?"),
        ("profile=", "`profile=` in `ARTLOCK_TRUST` is not a setting with a value"),
        ("=ci", "`=` in `ARTLOCK_TRUST` is not a setting with a value"),
        ("region=eu", "`region=` in `ARTLOCK_TRUST` is not a setting"),
    ],
)
def test_a_rule_that_is_neither_is_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_trust_rules(f"good.example,{text}")
    assert told in caught.value.message
    assert caught.value.hint == "write `host` or `setting=value`"


@pytest.mark.parametrize("text", ["headers=x", "headers.Authorization=Bearer ${TOKEN}"])
def test_5_4_a_header_is_never_trusted_for_every_host(text: str) -> None:
    with pytest.raises(ConfigError, match="headers cannot be trusted by value") as caught:
        parse_trust_rules(text)
    assert caught.value.hint == "name the host that may have them"
