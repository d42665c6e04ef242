"""The references name every key of the schemas, and their examples are true."""

import re
from pathlib import Path

import pytest

from artlock.errors import ConfigError, ManifestError
from artlock.formats.access import ACCESS_KEYS
from artlock.formats.artifact import ARTIFACT_KEYS
from artlock.formats.manifest import (
    MANIFEST_KEYS,
    POLICY_KEYS,
    PROJECT_KEYS,
    parse_manifest,
)
from artlock.formats.settings import SETTINGS_KEYS, SOURCE_KEYS, parse_settings

FOLDER = Path(__file__).parents[3] / "docs/reference"
MANIFEST = (FOLDER / "manifest.md").read_text("utf-8")
SETTINGS = (FOLDER / "settings.md").read_text("utf-8")


def section(text: str, heading: str) -> str:
    """Return a section with the sections below it."""
    start = text.index(f"\n{heading}\n") + 1
    level = heading.partition(" ")[0]
    following = re.compile(rf"^#{{1,{len(level)}}} ", re.MULTILINE)
    end = following.search(text, start + len(heading))
    return text[start : end.start() if end else len(text)]


def keys(text: str) -> list[str]:
    return re.findall(r"^\| `([a-z-]+)` \| ", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "heading", "schema"),
    [
        (MANIFEST, "## `[artlock]`", PROJECT_KEYS),
        (MANIFEST, "## `[policy]`", POLICY_KEYS),
        (MANIFEST, "## `[artifacts.<name>]`", ARTIFACT_KEYS),
        (MANIFEST, "### How it is reached", ACCESS_KEYS),
        (SETTINGS, "## At the top", SETTINGS_KEYS),
        (SETTINGS, '## `[sources."<URI prefix>"]`', SOURCE_KEYS),
    ],
)
def test_the_reference_has_a_row_for_every_key_and_for_no_other(
    text: str, heading: str, schema: tuple[str, ...]
) -> None:
    assert sorted(keys(section(text, heading))) == sorted(schema)


@pytest.mark.parametrize("key", MANIFEST_KEYS)
def test_the_reference_has_a_section_for_every_table(key: str) -> None:
    assert re.search(rf"^## `\[{key}(\.<name>)?\]`$", MANIFEST, re.MULTILINE)


def test_the_sensitive_settings_are_marked() -> None:
    rows = section(MANIFEST, "### How it is reached").splitlines()
    marked = {key for row in rows if "*Sensitive.*" in row for key in keys(row)}
    assert marked == set(ACCESS_KEYS) - {"region", "anonymous"}


def blocks(text: str) -> list[str]:
    return re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_examples_are_valid() -> None:
    example, trackers, headers = blocks(MANIFEST)
    assert len(parse_manifest(example).artifacts) == 4
    assert len(parse_manifest(trackers).trackers) == 2
    private = f'[artifacts.private]\nuri = "https://h/x"\n{headers}'
    assert parse_manifest(private).artifacts[0].access.headers
    (settings,) = blocks(SETTINGS)
    assert len(parse_settings(settings).sources) == 2


@pytest.mark.parametrize("text", [MANIFEST, SETTINGS])
def test_links_lead_somewhere(text: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", text):
        page, _, anchor = target.partition("#")
        other = (FOLDER / page).read_text("utf-8") if page else text
        headings = re.findall(r"^#+ (.+)$", other, re.MULTILINE)
        anchors = {re.sub(r"[^a-z -]", "", h.lower()).replace(" ", "-") for h in headings}
        assert not anchor or anchor in anchors


@pytest.mark.parametrize("key", ARTIFACT_KEYS)
def test_every_key_of_an_artifact_is_judged(key: str) -> None:
    text = f"[artifacts.x]\nuri = 's3://b/k'\n{key} = 0.5\n"
    if key == "uri":
        text = "[artifacts.x]\nuri = 0.5\n"
    with pytest.raises(ManifestError) as caught:
        parse_manifest(text)
    place = re.escape(f"artifacts.x.{key}")
    assert re.search(rf"{place}: is not .*: 0\.5$", caught.value.message)
    assert caught.value.message.count("is not ") == 2  # once in the heading


@pytest.mark.parametrize(
    "key", [*SETTINGS_KEYS, *(f"sources.'s3://b/'.{k}" for k in SOURCE_KEYS)]
)
def test_every_setting_is_judged(key: str) -> None:
    with pytest.raises(
        ConfigError, match=re.escape(f"{key.replace(chr(39), chr(34))}: is ")
    ):
        parse_settings(f"{key} = 0.5\n")
