import pytest

from artlock.errors import ManifestError
from artlock.formats.manifest import parse_manifest
from artlock.model.manifest import (
    Access,
    Artifact,
    ChecksumPolicy,
    Declaration,
    Manifest,
    Policy,
)
from artlock.model.tokens import Trust
from artlock.model.uri import Uri

EVERYTHING = """\
[artlock]
version = 1
name = "image-classifier-data"
checksum = "blake3"
portable = true

[policy]
allow = ["s3://ml-data", "gcs://acme-models/", "https://zenodo.org", "doi:10.5281/"]
require = "store"
require-version-ids = true

[trackers]
team = "postgresql://db.internal/artlock"
comet = "comet://my-workspace/my-project"

[artifacts.my-inference-model]
uri = "s3://ml-data/run-1/"
path = "models/inference"
include = ["**/*.pb", "variables/**"]
exclude = ["**/_tmp/**"]
groups = ["serve", "serve", "train"]
checksum = "store"
as-of = 2026-05-01T02:00:00+02:00
rename = { "b//c" = "b/c", "a:b" = "a-b" }
portable = false
mirrors = ["gs://copy/run-1/", "file:///mnt/run-1/"]
fallback = "link"
description = "First.\\nSecond."
endpoint = "https://minio.internal:9000"
profile = "ci"
role-arn = "arn:aws:iam::1:role/reader"
ca-bundle = "certs/ca.pem"
requester-pays = true
region = "eu-west-1"

[artifacts.my-inference-model.meta]
anything = [1, { goes = nan }]

[artifacts.encoder]
uri = "gcs://acme-models/encoder.safetensors"
version = "1718040471128541"
user-project = "billing"

[artifacts.labels]
uri = "https://Zenodo.org/records/123/labels.json"
headers = { X-Team = "vision", Authorization = "Bearer ${ZENODO_TOKEN}" }

[artifacts.board]
uri = "labelbox://project/42"

[artifacts."v1.0"]
uri = "raw/images"
anonymous = false

[tool.other]
what = "ever"
"""


def parse(body: str) -> Artifact:
    (artifact,) = parse_manifest(f"[artifacts.x]\n{body}\n").artifacts
    return artifact


def test_every_key_is_read() -> None:
    text = EVERYTHING.replace("anonymous = false\n", "")
    assert parse_manifest(text) == Manifest(
        name="image-classifier-data",
        policy=Policy(
            allow=(
                "s3://ml-data/",
                "gs://acme-models/",
                "https://zenodo.org/",
                "doi:10.5281/",
            ),
            require=Trust.STORE,
            require_version_ids=True,
        ),
        trackers=(
            ("team", "postgresql://db.internal/artlock"),
            ("comet", "comet://my-workspace/my-project"),
        ),
        artifacts=(
            Artifact(
                name="board", declared=Declaration(uri=Uri.parse("labelbox://project/42"))
            ),
            Artifact(
                name="encoder",
                declared=Declaration(
                    uri=Uri.parse("gs://acme-models/encoder.safetensors"),
                    version="1718040471128541",
                    checksum=ChecksumPolicy.BLAKE3,
                ),
                access=Access(user_project="billing"),
            ),
            Artifact(
                name="labels",
                declared=Declaration(
                    uri=Uri.parse("https://zenodo.org/records/123/labels.json")
                ),
                access=Access(
                    headers=(
                        ("Authorization", "Bearer ${ZENODO_TOKEN}"),
                        ("X-Team", "vision"),
                    )
                ),
            ),
            Artifact(
                name="my-inference-model",
                declared=Declaration(
                    uri=Uri.parse("s3://ml-data/run-1/"),
                    include=("**/*.pb", "variables/**"),
                    exclude=("**/_tmp/**",),
                    as_of="2026-05-01T00:00:00Z",
                    rename=(("a:b", "a-b"), ("b//c", "b/c")),
                    portable=False,
                ),
                path="models/inference",
                groups=("serve", "train"),
                link_if_denied=True,
                mirrors=(Uri.parse("gs://copy/run-1/"), Uri.parse("file:///mnt/run-1/")),
                access=Access(
                    endpoint="https://minio.internal:9000",
                    profile="ci",
                    role_arn="arn:aws:iam::1:role/reader",
                    ca_bundle="certs/ca.pem",
                    requester_pays=True,
                    region="eu-west-1",
                ),
                description="First.\nSecond.",
            ),
            Artifact(name="v1.0", declared=Declaration(uri=Uri.parse("raw/images"))),
        ),
    )


def test_an_empty_file_declares_nothing() -> None:
    assert parse_manifest("") == Manifest()
    assert parse_manifest("# only a comment\r\n") == Manifest()


def test_a_file_without_the_artlock_table_is_of_version_1() -> None:
    assert parse('uri = "s3://b/k"').uri == Uri.parse("s3://b/k")


def test_a_later_schema_is_refused_before_its_new_keys_are() -> None:
    with pytest.raises(ManifestError, match="is of version 2") as caught:
        parse_manifest("[artlock]\nversion = 2\nnovelty = true\n")
    assert caught.value.hint == "upgrade artlock"


@pytest.mark.parametrize(
    "uri", ["https://h/x.bin", "http://h/x.bin", "file:///mnt/x.bin", "raw/x.bin"]
)
def test_where_bytes_are_read_always_the_default_policy_changes_no_declaration(
    uri: str,
) -> None:
    manifest = parse_manifest(
        f'[artlock]\nchecksum = "blake3"\n[artifacts.x]\nuri = "{uri}"\n'
    )
    assert manifest.artifacts[0].declared.checksum is ChecksumPolicy.STORE
    assert parse(f'uri = "{uri}"\nchecksum = "blake3"').declared.checksum == "blake3"


def test_links_do_not_take_the_default_policy() -> None:
    manifest = parse_manifest(
        '[artlock]\nchecksum = "blake3"\n'
        '[artifacts.a]\nuri = "s3://b/k"\nlink = true\n[artifacts.b]\nuri = "xy://z"\n'
    )
    assert [a.declared.checksum for a in manifest.artifacts] == ["store", "store"]
    assert [a.is_link for a in manifest.artifacts] == [True, True]


def test_an_artifact_decides_for_itself_whether_it_is_portable() -> None:
    manifest = parse_manifest(
        "[artlock]\nportable = false\n"
        '[artifacts.a]\nuri = "s3://b/k"\n'
        '[artifacts.b]\nuri = "s3://b/k"\nportable = true\nrename = {}\n'
    )
    assert [a.declared.portable for a in manifest.artifacts] == [False, True]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ('"2026-05-01T00:00:00Z"', "2026-05-01T00:00:00Z"),
        ('"2026-05-01t00:00:00z"', "2026-05-01T00:00:00Z"),
        ('"2026-05-01 01:30:00.250+01:30"', "2026-05-01T00:00:00.25Z"),
        ("2026-05-01T00:00:00Z", "2026-05-01T00:00:00Z"),
        ("2026-04-30 19:00:00.000001-05:00", "2026-05-01T00:00:00.000001Z"),
        ("0900-01-01T00:00:00Z", "0900-01-01T00:00:00Z"),
    ],
)
def test_moments_are_kept_in_one_spelling(written: str, kept: str) -> None:
    assert parse(f'uri = "gs://b/k/"\nas-of = {written}').declared.as_of == kept


def test_a_link_may_keep_what_it_needs_when_it_is_data_again() -> None:
    artifact = parse('uri = "https://h/"\nlink = true\npath = "x"\ngroups = ["a"]')
    assert artifact.is_link
    assert artifact.path == "x"


def test_any_scheme_may_be_allowed_as_a_whole() -> None:
    manifest = parse_manifest('[policy]\nallow = ["S3://", "gcs://", "file:///mnt"]\n')
    assert manifest.policy.allow == ("s3://", "gs://", "file:///mnt")
    assert Uri.parse("s3://any/key").is_allowed_by(manifest.policy.allow[0])


def test_places_of_links_do_not_count() -> None:
    text = """
    artifacts.a = { uri = "s3://b/k", path = "same" }
    artifacts.b = { uri = "doi:10.1/2", path = "same" }
    """
    assert len(parse_manifest(text).artifacts) == 2


def test_places_that_only_share_text_do_not_nest() -> None:
    text = """
    artifacts.a = { uri = "s3://b/k/", path = "models/a" }
    artifacts.b = { uri = "s3://b/l/", path = "models/a-b" }
    artifacts.c = { uri = "s3://b/m", path = "models/b/" }
    """
    assert len(parse_manifest(text).artifacts) == 3


@pytest.mark.parametrize(
    "value", ["Bearer ${TOKEN}", "${TOKEN}", "a=${A}; b=${B}", "Token ${T_1}"]
)
def test_a_credential_may_be_named(value: str) -> None:
    access = parse(f'uri = "https://h/x"\nheaders = {{ Cookie = "{value}" }}').access
    assert access.headers == (("Cookie", value),)


def test_other_headers_may_mix_text_and_variables() -> None:
    access = parse('uri = "https://h/x"\nheaders = { X-Run = "ci $5 ${RUN}/a" }').access
    assert access.headers == (("X-Run", "ci $5 ${RUN}/a"),)


def test_headers_are_not_in_the_text_that_python_shows() -> None:
    access = Access(headers=(("X-Team", "secret-value"),))
    assert "secret-value" not in repr(access)
