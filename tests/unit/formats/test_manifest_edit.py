import tomllib

import pytest

from artlock.errors import ManifestError
from artlock.formats import manifest_edit
from artlock.formats.manifest import parse_manifest
from artlock.formats.manifest_edit import (
    add_artifact,
    format_manifest,
    initial_manifest,
    remove_artifact,
)

TABLES = """\
# The data of team vision.

[artlock]
version = 1   # of the schema

# about a
[artifacts.a]
uri = "s3://b/a"   # inline

# about b
[artifacts.b]
uri = "s3://b/b/"
# the last words of b

# inside of b

[artifacts.b.meta]
owner = \"\"\"
# [artifacts.c]
\"\"\"
# the very last words of b

# a chapter of its own

# about c
[artifacts.c]
uri = "s3://b/c"

[policy]
require = "store"

[artifacts.b.rename]
"x//y" = "x/y"
"""

WITHOUT_B = """\
# The data of team vision.

[artlock]
version = 1   # of the schema

# about a
[artifacts.a]
uri = "s3://b/a"   # inline

# a chapter of its own

# about c
[artifacts.c]
uri = "s3://b/c"

[policy]
require = "store"
"""


def test_an_artifact_goes_with_its_tables_and_comments_and_nothing_else() -> None:
    assert remove_artifact(TABLES, "b") == WITHOUT_B


def test_line_ends_of_windows_stay() -> None:
    windows = TABLES.replace("\n", "\r\n")
    assert remove_artifact(windows, "b") == WITHOUT_B.replace("\n", "\r\n")
    added = add_artifact(WITHOUT_B.replace("\n", "\r\n"), "d", {"uri": "s3://b/d"})
    assert added.count("\n") == added.count("\r\n")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            '[artifacts]\na.uri = "s3://b/a"\na.path = "p"\nb.uri = "s3://b/b"\n',
            '[artifacts]\nb.uri = "s3://b/b"\n',
        ),
        ('[artifacts]\na = { uri = "s3://b/a" } # a\n', "[artifacts]\n"),
        ('artifacts.a.uri = "x"\nartifacts.b.uri = "y"', 'artifacts.b.uri = "y"'),
        (
            'artifacts = { a = { uri = "x" }, b = { uri = "y" } }\n',
            'artifacts = {  b = { uri = "y" } }\n',
        ),
        (
            'artifacts = { b = { uri = "y" }, a.uri = "x", a.path = "p" } # end\n',
            'artifacts = { b = { uri = "y" }   } # end\n',
        ),
        ('artifacts = { a = { uri = "x" } }', "artifacts = {  }"),
        ("[artifacts.a]\n\n[artlock]\n", "[artlock]\n"),
        ("# file\n[artifacts.a]\nuri = 'x'\n", "# file\n"),
        ("x = 1\n\n# a\n#\n[artifacts.a]\n# end", "x = 1\n"),
        ("[ artifacts . 'a' ]\nuri = 'x'\n[artlock]\n", "[artlock]\n"),
        ('["artifacts"."\\u0061"]\nuri = "x"', ""),
        ("[artifacts.a.meta]\nx = 1\n[artlock]\n[artifacts.a]\nuri='x'", "[artlock]\n"),
        ("[artifacts.a]\n[[artifacts.a.meta.x]]\n[[artifacts.a.meta.x]]\ny = 1\n", ""),
        (
            "[artifacts]\nlast.uri = 'x'\n[artifacts.a]\n",
            "[artifacts]\nlast.uri = 'x'\n",
        ),
    ],
)
def test_however_an_artifact_is_written_it_goes_whole(text: str, left: str) -> None:
    assert remove_artifact(text, "a") == left


@pytest.mark.parametrize("text", [TABLES, "", "artifacts = 1"])
def test_what_is_not_there_cannot_be_removed(text: str) -> None:
    with pytest.raises(ManifestError, match="has no artifact `zebra`") as caught:
        remove_artifact(text, "zebra")
    assert caught.value.hint == "see `artlock ls`"


FIELDS: dict[str, str | bool | tuple[str, ...]] = {
    "groups": ("g", 'h"'),
    "link": False,
    "uri": 's3://b/"ä"\\\x7f/',
    "include": ("*.pb",),
}
BLOCK = """\
uri = "s3://b/\\"ä\\"\\\\\\u007f/"
include = ["*.pb"]
groups = ["g", "h\\""]
link = false
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("[artlock]\n", "\n"),
        ("[artlock]", "\n\n"),
        ("[artlock]\n\n", ""),
        ("# only words", "\n\n"),
    ],
)
def test_the_first_artifact_ends_the_file(before: str, after: str) -> None:
    added = add_artifact(before, "new.one", FIELDS)
    assert added == f'{before}{after}[artifacts."new.one"]\n{BLOCK}'


def test_the_next_artifact_stands_behind_the_last() -> None:
    text = "[artifacts.a]\nuri = 's3://b/a' # a\n# end of a\n\n# about policy\n[policy]\n"
    assert add_artifact(text, "d", {"uri": "s3://b/d"}) == (
        "[artifacts.a]\nuri = 's3://b/a' # a\n# end of a\n"
        '\n[artifacts.d]\nuri = "s3://b/d"\n'
        "\n# about policy\n[policy]\n"
    )


def test_the_next_artifact_ends_a_line_that_was_open() -> None:
    text = "[artifacts.a]\nuri = 's3://b/a'"
    added = add_artifact(text, "d", {"uri": "s3://b/d"})
    assert added == text + '\n\n[artifacts.d]\nuri = "s3://b/d"\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("artifacts = {}\n", 'artifacts = {d = {uri = "s3://b/d"}}\n'),
        (
            "x = 1\nartifacts = { a = {uri = 'x'} } # end",
            "x = 1\nartifacts = { a = {uri = 'x'}, d = {uri = \"s3://b/d\"}} # end\n",
        ),
        (
            "artifacts.a.uri = 'x'\n",
            "artifacts.a.uri = 'x'\n\n[artifacts.d]\nuri = \"s3://b/d\"\n",
        ),
        (
            "[artifacts]\na.uri = 'x'\n",
            "[artifacts]\na.uri = 'x'\n\n[artifacts.d]\nuri = \"s3://b/d\"\n",
        ),
    ],
)
def test_an_artifact_joins_others_however_they_are_written(before: str, after: str) -> None:
    assert add_artifact(before, "d", {"uri": "s3://b/d"}) == after
    assert "".join(remove_artifact(after, "d").split()) == "".join(before.split())


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ManifestError, match="has an artifact `b` already") as caught:
        add_artifact(TABLES, "b", {"uri": "s3://b/k"})
    assert caught.value.hint == "choose another `--name`, or `artlock rm b` first"


def test_an_edit_that_would_say_something_else_is_refused() -> None:
    with pytest.raises(ManifestError, match="cannot be edited") as caught:
        add_artifact("artifacts = [1]\n", "d", {"uri": "s3://b/d"})
    assert caught.value.hint == "edit it by hand"


@pytest.mark.parametrize(
    "text",
    [
        # Deeper than tomlkit reads.
        f"[artifacts.a]\nuri = 'x'\n[tool]\nx = {'[' * 101}{']' * 101}\n",
        # Brought together when tomlkit prints them.
        "[[tool]]\n[artifacts.a]\nuri = 'x'\n[[tool]]\n",
        # A comment that belongs to a part of a line.
        "artifacts = { a = { uri = 'x', include = [ # c\n'y'] } }\n",
    ],
)
def test_what_tomlkit_cannot_take_out_is_left_to_people(text: str) -> None:
    with pytest.raises(ManifestError, match="cannot be edited without changing") as caught:
        remove_artifact(text, "a")
    assert caught.value.hint == "edit it by hand"


def test_tables_that_are_scattered_over_the_file_are_found() -> None:
    text = (
        "[artifacts.a.meta]\nx = 1\n# b\n[artifacts.b]\n\n# pol\n[policy]\n\n"
        "[artifacts.a]\nuri = 'x'\n\n# trackers\n[trackers]\n[[artifacts.a.meta.y]]\n"
    )
    left = "# b\n[artifacts.b]\n\n# pol\n[policy]\n\n# trackers\n[trackers]\n"
    assert remove_artifact(text, "a") == left
    assert add_artifact(text, "c", {"uri": "z"}) == f'{text}\n[artifacts.c]\nuri = "z"\n'


@pytest.mark.parametrize("removed", ["", "# one\n# one\n", "x = '# one'\n"])
def test_a_comment_that_would_be_lost_is_noticed(removed: str) -> None:
    text = "# one\n[artifacts.a]\n"
    with pytest.raises(ManifestError, match="cannot be edited without changing"):
        manifest_edit._edited(text, lambda _: ("[artifacts.a]\n", removed), "x")


def test_what_is_not_toml_is_not_edited() -> None:
    with pytest.raises(ManifestError, match=r"^`x\.toml:1:5` is not valid"):
        add_artifact("a = ?", "d", {"uri": "s3://b/d"}, file="x.toml")
    with pytest.raises(ManifestError, match=r"^`x\.toml:1:5` is not valid"):
        remove_artifact("a = ?", "d", file="x.toml")
    with pytest.raises(ManifestError, match=r"^`x\.toml:1:5` is not valid"):
        format_manifest("a = ?", file="x.toml")


def test_the_first_text_is_a_manifest_and_is_formatted() -> None:
    text = initial_manifest('odd "name"')
    assert tomllib.loads(text) == {"artlock": {"version": 1, "name": 'odd "name"'}}
    assert format_manifest(text) == text
    assert parse_manifest(initial_manifest("x")).name == "x"


def test_every_commented_line_of_the_first_text_is_true() -> None:
    text = initial_manifest("x").partition("\n\n")[2]
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    manifest = parse_manifest("\n".join(lines))
    assert manifest.artifacts[0].folder == "data/my-data"
    assert not manifest.policy.allow[0].startswith("#")


def test_formatting_touches_only_what_nobody_reads() -> None:
    text = "\n\n# a  \r\nx = 1\t \n\n\n\ny = '''\r\nkept  \n\n\n\n'''  \n[z]\n\n\n"
    assert format_manifest(text) == ("# a\nx = 1\n\ny = '''\nkept  \n\n\n\n'''\n[z]\n")


@pytest.mark.parametrize(
    ("text", "formatted"),
    [
        ("", ""),
        ("\n \n", ""),
        ("x = 1", "x = 1\n"),
        ("x = 1  ", "x = 1\n"),
        ("  x = 1\n   \n", "  x = 1\n"),
        ("a = '''\n\n\n'''", "a = '''\n\n\n'''\n"),
        ("a = 1\n \n\t\nb = nan", "a = 1\n\nb = nan\n"),
    ],
)
def test_the_ends_of_a_file_are_tidied(text: str, formatted: str) -> None:
    assert format_manifest(text) == formatted
    assert format_manifest(formatted) == formatted


def test_a_key_that_no_schema_knows_is_not_left_out_in_silence() -> None:
    with pytest.raises(ManifestError, match="cannot be edited without changing"):
        add_artifact("", "d", {"uri": "s3://b/d", "nope": "x"})


def test_what_the_edit_made_is_read_before_it_is_given_back() -> None:
    with pytest.raises(ManifestError, match="cannot be edited without changing"):
        manifest_edit._prove("a = ?", {}, "artifacts.toml")
    with pytest.raises(ManifestError, match="cannot be edited without changing"):
        manifest_edit._prove("a = 1", {}, "artifacts.toml")
