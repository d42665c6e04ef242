import re

import pytest

from artlock.errors import ConfigError, PolicyError
from artlock.model.manifest import Access, Artifact, Declaration
from artlock.model.reach import effective_access
from artlock.model.settings import Settings, Source
from artlock.model.trust import TrustRules
from artlock.model.uri import Uri

NOBODY = TrustRules()
ENVIRONMENT = {"TOKEN": "hunter2", "LINES": "a\r\nX-Evil: b"}


def artifact(uri: str, access: Access, *mirrors: str) -> Artifact:
    return Artifact(
        name="x",
        declared=Declaration(uri=Uri.parse(uri)),
        access=access,
        mirrors=tuple(Uri.parse(mirror) for mirror in mirrors),
    )


def own(prefix: str, access: Access, *given: str) -> Settings:
    return Settings(sources=(Source(prefix=prefix, access=access, given=given),))


def reach(
    declared: Artifact,
    settings: Settings | None = None,
    *,
    trusted: bool = False,
    rules: TrustRules = NOBODY,
    uri: str | None = None,
) -> tuple[Access, tuple[str, ...]]:
    return effective_access(
        declared,
        settings or Settings(),
        trusted=trusted,
        rules=rules,
        environment=ENVIRONMENT,
        uri=Uri.parse(uri) if uri else None,
    )


S3 = artifact(
    "s3://b/k",
    Access(profile="ci", role_arn="arn:x", requester_pays=True, region="eu"),
)
GS = artifact("gs://b/k", Access(user_project="billing"))
WEB = artifact("https://h/k", Access(headers=(("Authorization", "Bearer ${TOKEN}"),)))
MINIO = artifact("s3://b/k", Access(endpoint="https://minio:9000", profile="ci"))


def test_what_is_harmless_needs_no_trust() -> None:
    harmless = Access(region="eu", anonymous=True)
    assert reach(artifact("s3://b/k", harmless)) == (harmless, ())
    assert reach(artifact("raw/x", Access())) == (Access(), ())


@pytest.mark.parametrize(
    ("declared", "access", "dropped"),
    [
        (
            S3,
            Access(region="eu", anonymous=True),
            ("profile", "role-arn", "requester-pays"),
        ),
        (GS, Access(anonymous=True), ("user-project",)),
        (WEB, Access(anonymous=True), ("headers.Authorization",)),
    ],
)
def test_5_4_an_untrusted_source_is_read_anonymously(
    declared: Artifact, access: Access, dropped: tuple[str, ...]
) -> None:
    assert reach(declared) == (access, dropped)


@pytest.mark.parametrize(
    ("access", "names"),
    [
        (MINIO.access, "`endpoint` of"),
        (Access(ca_bundle="ca.pem"), "`ca-bundle` of"),
        (Access(ca_bundle="x", endpoint="https://h"), "`endpoint` and `ca-bundle` of"),
    ],
)
def test_5_4_an_untrusted_service_is_refused(access: Access, names: str) -> None:
    with pytest.raises(
        PolicyError, match=f"^{re.escape(names)} `x` is not trusted"
    ) as caught:
        reach(artifact("s3://b/k", access))
    assert caught.value.hint is not None
    assert "`artlock trust`" in caught.value.hint


def test_trust_puts_everything_in_force() -> None:
    assert reach(S3, trusted=True) == (S3.access, ())
    assert reach(MINIO, trusted=True) == (MINIO.access, ())


def test_a_trusted_host_puts_its_settings_in_force() -> None:
    rules = TrustRules(hosts=frozenset({"minio"}))
    assert reach(MINIO, rules=rules) == (MINIO.access, ())
    assert reach(S3, rules=rules)[1] == ("profile", "role-arn", "requester-pays")


def test_half_the_trust_uses_no_credentials() -> None:
    rules = TrustRules(settings=frozenset({("profile", "ci")}))
    access, dropped = reach(S3, rules=rules)
    assert access == Access(region="eu", anonymous=True)
    assert dropped == ("role-arn", "requester-pays")


def test_the_users_own_setting_wins() -> None:
    settings = own("s3://b/", Access(profile="mine", region="us"), "profile", "region")
    access, dropped = reach(S3, settings, trusted=True)
    assert access == Access(
        profile="mine", region="us", role_arn="arn:x", requester_pays=True
    )
    assert dropped == ()


def test_the_users_own_endpoint_makes_trust_needless() -> None:
    settings = own(
        "s3://b/", Access(endpoint="https://mine", profile="me"), "endpoint", "profile"
    )
    assert reach(MINIO, settings) == (Access(endpoint="https://mine", profile="me"), ())


def test_the_users_own_certificates_make_trust_needless() -> None:
    declared = artifact("https://h/k", Access(ca_bundle="theirs.pem"))
    settings = own("https://h/", Access(ca_bundle="/mine.pem"), "ca-bundle")
    assert reach(declared, settings) == (Access(ca_bundle="/mine.pem"), ())


def test_the_users_own_settings_are_not_made_anonymous_by_a_repository() -> None:
    settings = own("s3://b/", Access(profile="mine"), "profile")
    access, dropped = reach(S3, settings)
    assert access == Access(profile="mine", region="eu")
    assert dropped == ("role-arn", "requester-pays")


def test_5_4_the_users_own_profile_never_goes_to_an_untrusted_endpoint() -> None:
    settings = own("s3://b/", Access(profile="mine"), "profile")
    with pytest.raises(PolicyError, match="`endpoint` of `x` is not trusted"):
        reach(MINIO, settings)


def test_who_names_a_profile_does_not_mean_to_be_anonymous() -> None:
    settings = own("s3://b/", Access(profile="mine"), "profile")
    declared = artifact("s3://b/k", Access(anonymous=True))
    assert reach(declared, settings) == (Access(profile="mine"), ())


def test_who_means_to_be_anonymous_is_not_given_a_profile() -> None:
    settings = own("s3://b/", Access(anonymous=True), "anonymous")
    assert reach(S3, settings, trusted=True)[0] == Access(anonymous=True, region="eu")


def test_settings_may_say_no() -> None:
    settings = own("s3://b/", Access(), "requester-pays", "anonymous")
    access, dropped = reach(
        artifact("s3://b/k", Access(requester_pays=True, anonymous=True)), settings
    )
    assert access == Access()
    assert dropped == ()


def test_a_table_without_access_settings_says_nothing_about_access() -> None:
    assert reach(S3, own("s3://b/", Access()))[0].anonymous


def test_the_users_own_header_wins_whatever_its_case() -> None:
    declared = artifact("https://h/k", Access(headers=(("X-A", "1"), ("X-B", "2"))))
    settings = own("https://h/", Access(headers=(("x-a", "mine"),)), "headers")
    access, dropped = reach(declared, settings, trusted=True)
    assert access.headers == (("X-B", "2"), ("x-a", "mine"))
    access, dropped = reach(declared, settings)
    assert access.headers == (("x-a", "mine"),)
    assert dropped == ("headers.X-B",)


def test_variables_are_looked_up_in_headers_in_force() -> None:
    access, _ = reach(WEB, trusted=True)
    assert access.headers == (("Authorization", "Bearer hunter2"),)
    settings = own("https://h/", Access(headers=(("X", "${TOKEN}"),)), "headers")
    assert reach(artifact("https://h/k", Access()), settings)[0].headers == (
        ("X", "hunter2"),
    )


def test_a_variable_that_is_not_set_is_named() -> None:
    declared = artifact("https://h/k", Access(headers=(("X-A", "${MISSING}"),)))
    with pytest.raises(ConfigError, match="needs `MISSING`, which is not set") as caught:
        reach(declared, trusted=True)
    assert caught.value.hint == "set the environment variable `MISSING`"
    assert reach(declared)[1] == ("headers.X-A",)


def test_a_variable_cannot_start_another_header_and_is_not_shown() -> None:
    declared = artifact("https://h/k", Access(headers=(("X-A", "${LINES}"),)))
    with pytest.raises(ConfigError, match="has a control character") as caught:
        reach(declared, trusted=True)
    assert "Evil" not in caught.value.message


def test_a_mirror_of_the_same_service_is_reached_like_the_source() -> None:
    declared = artifact("s3://b/k", MINIO.access, "s3://copy/k")
    assert reach(declared, trusted=True, uri="s3://copy/k") == (MINIO.access, ())
    with pytest.raises(PolicyError):
        reach(declared, uri="s3://copy/k")


@pytest.mark.parametrize(
    "mirror",
    ["https://evil.example/k", "http://h/k", "https://h:8443/k", "s3://b/k", "raw/k"],
)
def test_5_4_headers_do_not_follow_to_a_mirror_elsewhere(mirror: str) -> None:
    assert reach(WEB, trusted=True, uri=mirror) == (Access(), ())


def test_a_mirror_elsewhere_is_reached_as_the_user_says() -> None:
    settings = own("gs://copy/", Access(user_project="mine"), "user-project")
    access, dropped = reach(S3, settings, uri="gs://copy/k")
    assert (access, dropped) == (Access(user_project="mine"), ())
