from pathlib import Path

import pytest

from artlock.errors import ConfigError
from artlock.formats.settings import parse_settings, settings_path
from artlock.model.manifest import Access
from artlock.model.settings import LinkMode, Settings, Source
from artlock.model.uri import Uri

EVERYTHING = """\
cache-dir = "/scratch/artlock"
jobs = 32
link-mode = "hardlink"
allow-private-hosts = ["Intranet.Example.", "10.0.0.7", "::1", "intranet.example"]

[trackers]
team = "postgresql://db.internal/artlock"

[sources."s3://bucket/"]
profile = "work"

[sources."s3://bucket/deep"]
endpoint = "https://minio.internal:9000"
region = "eu-west-1"
anonymous = true
cross-check = false

[sources."gcs://models"]
user-project = "billing"

[sources."https://Data.Example"]
headers = { X-Team = "vision" }
ca-bundle = "~/ca.pem"
"""


def test_every_key_is_read() -> None:
    home = Path("~").expanduser()
    assert parse_settings(EVERYTHING) == Settings(
        cache_dir="/scratch/artlock",
        jobs=32,
        link_mode=LinkMode.HARDLINK,
        allow_private_hosts=("10.0.0.7", "::1", "intranet.example"),
        trackers=(("team", "postgresql://db.internal/artlock"),),
        sources=(
            Source(
                prefix="gs://models/",
                access=Access(user_project="billing"),
                given=("user-project",),
            ),
            Source(
                prefix="https://data.example/",
                access=Access(headers=(("X-Team", "vision"),), ca_bundle=f"{home}/ca.pem"),
                given=("headers", "ca-bundle"),
            ),
            Source(
                prefix="s3://bucket/", access=Access(profile="work"), given=("profile",)
            ),
            Source(
                prefix="s3://bucket/deep",
                access=Access(
                    endpoint="https://minio.internal:9000",
                    region="eu-west-1",
                    anonymous=True,
                ),
                given=("endpoint", "region", "anonymous"),
                cross_check=False,
            ),
        ),
    )


def test_no_settings_are_the_defaults() -> None:
    assert parse_settings("") == Settings()
    assert Settings().link_mode is LinkMode.AUTO


def test_a_folder_below_the_home_is_found() -> None:
    settings = parse_settings('cache-dir = "~/blobs"')
    assert settings.cache_dir == str(Path("~/blobs").expanduser())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cache_dir = 'x'", "cache_dir: is not a known key; did you mean `cache-dir`?"),
        ("cache-dir = 'x'", "cache-dir: is relative; write an absolute path or `~/...`"),
        ("jobs = 0", "jobs: is not a whole number from 1 to 1024: 0"),
        ("jobs = 1.5", "jobs: is not a whole number from 1 to 1024: 1.5"),
        ("link-mode = 'reflnk'", "did you mean `reflink`?"),
        (
            "allow-private-hosts = ['https://h']",
            "allow-private-hosts[0]: is not a host; write it without scheme, port and",
        ),
        ("allow-private-hosts = ['h:80']", "allow-private-hosts[0]: is not a host"),
        ("allow-private-hosts = 'h'", "allow-private-hosts: is not a list"),
        ("sources.'s3://b/' = 1", 'sources."s3://b/": is not a table: 1'),
        ("[sources.data]", "sources.data: is not a prefix such as `s3://bucket/`"),
        ("[sources.'doi:10.1/']", "is not a prefix such as `s3://bucket/`"),
        ("[sources.'s3://u@b/']", 'sources."s3://u@b/": user info is a credential'),
        (
            "[sources.'gs://b']\n[sources.'gcs://b/']",
            'sources."gcs://b/": is `gs://b/`, which stands there already',
        ),
        ("[sources.'s3://b/']\ncross-check = 1", "cross-check: is not true or false: 1"),
        ("[sources.'s3://b/']\nproflie = 'x'", "did you mean `profile`?"),
        ("[sources.'gs://b/']\nprofile = 'x'", "profile: is only for `s3://`"),
        ("[sources.'s3://b/']\nca-bundle = 'x'", "ca-bundle: is relative"),
        (
            "[sources.'https://h/']\nheaders = { Authorization = 'hunter2' }",
            "headers.Authorization: is a credential; put it into an environment variable",
        ),
        ("trackers.local = 'x://y'", "trackers.local: is the name of your own registry"),
        ("[sources", "`config.toml` is not valid: expected ']'"),
    ],
)
def test_faults_are_told_with_their_place(text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings(text)
    assert told in caught.value.message
    assert "config.toml" in caught.value.message
    assert caught.value.code == "config-error"


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings("jobs = 0\nlink-mode = 'x'\n", name="/home/a/config.toml")
    assert caught.value.message == (
        "`/home/a/config.toml` is not valid:\n"
        "  /home/a/config.toml:1: jobs: is not a whole number from 1 to 1024: 0\n"
        '  /home/a/config.toml:2: link-mode: is not one of "auto", "reflink", "copy", '
        '"hardlink", "symlink": "x"'
    )


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"XDG_CONFIG_HOME": "/x", "HOME": "/h"}, "/x/artlock/config.toml"),
        ({"XDG_CONFIG_HOME": "x", "HOME": "/h"}, "/h/.config/artlock/config.toml"),
        ({"XDG_CONFIG_HOME": "", "HOME": "/h"}, "/h/.config/artlock/config.toml"),
        ({"APPDATA": "/r", "HOME": "/h"}, "/r/artlock/config.toml"),
    ],
)
def test_the_file_is_where_the_environment_says(
    environment: dict[str, str], path: str
) -> None:
    assert settings_path(environment) == Path(path)


def test_without_a_home_the_operating_system_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/from/the/system")
    assert settings_path({}) == Path("/from/the/system/.config/artlock/config.toml")
    monkeypatch.setenv("HOME", "nowhere")
    with pytest.raises(ConfigError, match="nothing says where your home is") as caught:
        settings_path({"HOME": "relative"})
    assert caught.value.hint == "set `HOME` or `XDG_CONFIG_HOME`"


@pytest.mark.parametrize(
    ("uri", "prefix"),
    [
        ("s3://bucket/other", "s3://bucket/"),
        ("s3://bucket/", "s3://bucket/"),
        ("s3://bucket/deep", "s3://bucket/deep"),
        ("s3://bucket/deep/er", "s3://bucket/deep"),
        ("s3://bucket/deeper", "s3://bucket/"),
        ("s3://bucket-2/x", None),
        ("gs://models/x", "gs://models/"),
        ("https://data.example/x", "https://data.example/"),
        ("https://data.example.org/x", None),
        ("http://data.example/x", None),
    ],
)
def test_the_longest_prefix_at_a_boundary_counts(uri: str, prefix: str | None) -> None:
    settings = parse_settings(EVERYTHING)
    source = settings.source_for(Uri.parse(uri))
    assert (source and source.prefix) == prefix
    assert settings.access_for(Uri.parse(uri)) == (source.access if source else Access())
    assert settings.cross_checks(Uri.parse(uri)) == (prefix != "s3://bucket/deep")


def test_only_hosts_that_were_named_may_be_private() -> None:
    settings = parse_settings(EVERYTHING)
    assert settings.may_connect("intranet.example")
    assert settings.may_connect("::1")
    assert not settings.may_connect("10.0.0.8")
