import pytest
from msgspec.structs import replace

from artlock.model.manifest import Access, Artifact, Declaration, Manifest
from artlock.model.trust import (
    SensitiveSetting,
    TrustRules,
    TrustStore,
    bare_host,
    fingerprint,
    sensitive_settings,
)
from artlock.model.uri import Uri


def artifact(name: str, uri: str, *mirrors: str, access: Access | None = None) -> Artifact:
    return Artifact(
        name=name,
        declared=Declaration(uri=Uri.parse(uri)),
        mirrors=tuple(Uri.parse(mirror) for mirror in mirrors),
        access=access or Access(),
    )


WEB = artifact(
    "web",
    "https://Data.Example:8443/x",
    "https://data.example:8443/y",
    "https://other.example/x",
    access=Access(headers=(("X-Team", "${TEAM}"),), anonymous=True),
)
MINIO = artifact(
    "minio",
    "s3://b/x/",
    "s3://copy/x/",
    "gs://copy/x/",
    access=Access(
        endpoint="https://minio.internal:9000",
        profile="ci",
        region="eu",
        requester_pays=True,
    ),
)
AWS = artifact("aws", "s3://b/x", access=Access(role_arn="arn:x"))
HARMLESS = artifact("harmless", "s3://b/x", access=Access(region="eu", anonymous=True))
MANIFEST = Manifest(
    artifacts=(AWS, HARMLESS, MINIO, WEB),
    trackers=(("team", "postgresql://db.internal:5432/artlock"), ("all", "sqlite:///x")),
)


def test_what_needs_trust_is_told_with_host_and_places() -> None:
    places = ("s3://b", "s3://copy")
    assert sensitive_settings(MANIFEST) == (
        SensitiveSetting(artifact="", setting="trackers.all", value="sqlite:///x"),
        SensitiveSetting(
            artifact="",
            setting="trackers.team",
            value="postgresql://db.internal:5432/artlock",
            host="db.internal",
        ),
        SensitiveSetting(
            artifact="aws", setting="role-arn", value="arn:x", places=("s3://b",)
        ),
        SensitiveSetting(
            artifact="minio",
            setting="endpoint",
            value="https://minio.internal:9000",
            host="minio.internal",
            places=places,
        ),
        SensitiveSetting(
            artifact="minio",
            setting="profile",
            value="ci",
            host="minio.internal",
            places=places,
        ),
        SensitiveSetting(
            artifact="minio",
            setting="requester-pays",
            value="true",
            host="minio.internal",
            places=places,
        ),
        SensitiveSetting(
            artifact="web",
            setting="headers.X-Team",
            value="${TEAM}",
            host="data.example",
            places=("https://data.example:8443",),
        ),
    )


def test_a_manifest_without_such_settings_needs_no_trust() -> None:
    assert sensitive_settings(Manifest(artifacts=(HARMLESS,))) == ()


def changed(artifact: Artifact, access: Access | None = None, uri: str = "") -> Manifest:
    declared = Declaration(uri=Uri.parse(uri)) if uri else artifact.declared
    other = replace(artifact, declared=declared, access=access or artifact.access)
    rest = tuple(a for a in MANIFEST.artifacts if a is not artifact)
    return replace(MANIFEST, artifacts=(*rest, other))


@pytest.mark.parametrize(
    "manifest",
    [
        changed(MINIO, replace(MINIO.access, endpoint="https://evil.example")),
        changed(MINIO, replace(MINIO.access, profile="admin")),
        changed(MINIO, uri="s3://evil/x/"),
        changed(WEB, uri="https://evil.example/x"),
        changed(WEB, uri="http://data.example:8443/x"),
        changed(WEB, uri="https://data.example/x"),
        changed(HARMLESS, replace(HARMLESS.access, profile="ci")),
        replace(MANIFEST, trackers=(("team", "postgresql://evil.example/artlock"),)),
        replace(MANIFEST, artifacts=(AWS, HARMLESS, WEB)),
    ],
)
def test_5_4_a_yes_holds_only_for_what_was_shown(manifest: Manifest) -> None:
    before = fingerprint(sensitive_settings(MANIFEST))
    assert fingerprint(sensitive_settings(manifest)) != before


@pytest.mark.parametrize(
    "manifest",
    [
        changed(MINIO, replace(MINIO.access, region="us")),
        changed(MINIO, uri="s3://b/other/"),
        changed(HARMLESS, uri="gs://b/x"),
        replace(MANIFEST, artifacts=MANIFEST.artifacts[::-1], name="other"),
    ],
)
def test_what_needs_no_trust_does_not_ask_again(manifest: Manifest) -> None:
    before = fingerprint(sensitive_settings(MANIFEST))
    assert fingerprint(sensitive_settings(manifest)) == before
    assert before.startswith("blake3:")


def test_text_cannot_move_from_one_field_to_the_next() -> None:
    one = SensitiveSetting(artifact="a", setting="b", value="c\nd")
    other = SensitiveSetting(artifact="a", setting="b", value="c", places=("d",))
    assert fingerprint([one]) != fingerprint([other])


@pytest.mark.parametrize(
    ("rules", "covered"),
    [
        (TrustRules(), set()),
        (TrustRules(hosts=frozenset({"minio.internal"})), {"minio"}),
        (TrustRules(hosts=frozenset({"data.example"})), {"web"}),
        (TrustRules(hosts=frozenset({"db.internal"})), {""}),
        (TrustRules(hosts=frozenset({"b", "internal", "example"})), set()),
    ],
)
def test_a_trusted_host_covers_what_talks_to_it(
    rules: TrustRules, covered: set[str]
) -> None:
    settings = sensitive_settings(MANIFEST)
    assert {s.artifact for s in settings if rules.covers(s)} == covered


def test_a_trusted_value_covers_that_setting_only() -> None:
    rules = TrustRules(settings=frozenset({("profile", "ci"), ("role-arn", "arn:y")}))
    covered = [s.setting for s in sensitive_settings(MANIFEST) if rules.covers(s)]
    assert covered == ["profile"]


def test_a_yes_is_for_one_project_and_one_fingerprint() -> None:
    store = TrustStore().trusting("/b", "2").trusting("/a", "1").trusting("/b", "1")
    assert store.projects == (("/a", ("1",)), ("/b", ("1", "2")))
    assert store.trusts("/b", "2")
    assert not store.trusts("/a", "2")
    assert not store.trusts("/c", "1")
    assert store.trusting("/b", "1") == store


def test_a_project_can_be_forgotten() -> None:
    store = TrustStore().trusting("/a", "1").trusting("/a", "2").trusting("/b", "1")
    assert store.forgetting("/a") == TrustStore().trusting("/b", "1")
    assert store.forgetting("/c") == store


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("Data.Example:8443", "data.example"),
        ("data.example.", "data.example"),
        ("[::1]:80", "::1"),
        ("[FE80::1]", "fe80::1"),
        ("bucket", "bucket"),
    ],
)
def test_hosts_are_compared_without_port_and_case(authority: str, host: str) -> None:
    assert bare_host(authority) == host
