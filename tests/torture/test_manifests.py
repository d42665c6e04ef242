"""Named hostile manifests, and that the judge of the random ones would see a failure."""

import subprocess
from collections.abc import Iterator
from random import Random

import pytest

from artlock.model.reach import effective_access
from artlock.ops import sources
from artlock.ops.sources import Sources
from torture.hostile import PUBLIC, SPELLINGS, Hosts, manifest
from torture.inside import Ended, artlock
from torture.manifests import Machine, judge, machine


@pytest.fixture
def here() -> Iterator[Machine]:
    with machine() as made:
        yield made


def resolved(here: Machine, text: str, *options: str) -> Ended:
    plain, tls = here.evil
    ports = {"PLAIN": plain.port, "TLS": tls.port, "INSIDE": here.inside.port}
    for name, port in ports.items():
        text = text.replace(name, str(port))
    here.prepare(text)
    ended = artlock("resolve", "-C", here.root, *options)
    judge(here, ended)
    return ended


def asked(here: Machine) -> int:
    return sum(server.count() for server in here.servers())


@pytest.mark.parametrize(
    "text",
    [
        f'[artifacts.a]\nuri = "s3://b/k/"\nendpoint = "http://{PUBLIC}:PLAIN"\n',
        f'[artifacts.a]\nuri = "s3://b/k/"\nendpoint = "https://{PUBLIC}:TLS"\n'
        'ca-bundle = "ca.pem"\nprofile = "prod-admin"\n',
        f'[artifacts.a]\nuri = "gs://b/k/"\nendpoint = "https://{PUBLIC}:TLS"\n'
        'ca-bundle = "ca.pem"\nuser-project = "p"\n',
        '[artifacts.a]\nuri = "gs://b/k/"\nca-bundle = "ca.pem"\n',
        f'[artifacts.a]\nuri = "https://{PUBLIC}:TLS/a.json"\nca-bundle = "ca.pem"\n',
    ],
)
@pytest.mark.parametrize("options", [(), ("-v",), ("--json",)])
def test_5_4_an_endpoint_or_bundle_of_the_repository_gets_no_request(
    here: Machine, text: str, options: tuple[str, ...]
) -> None:
    assert resolved(here, text, *options).code == 4
    assert asked(here) == 0


@pytest.mark.parametrize("path", ["/a.json", "/redirect", "/auth", "/busy"])
@pytest.mark.parametrize(
    "headers",
    [
        '{ Authorization = "Bearer ${TOKEN}" }',
        '{ X-Data = "${AWS_SECRET_ACCESS_KEY}" }',
        '{ Cookie = "session=${AWS_SESSION_TOKEN}" }',
    ],
)
def test_5_4_a_header_of_the_repository_is_not_sent(
    here: Machine, path: str, headers: str
) -> None:
    ended = resolved(
        here,
        f'[artifacts.a]\nuri = "http://{PUBLIC}:PLAIN{path}"\nheaders = {headers}\n',
    )
    assert "not trusted" in ended.err
    assert asked(here) > 0


def test_5_5_a_profile_of_the_repository_means_that_nobody_signs(here: Machine) -> None:
    resolved(here, '[artifacts.a]\nuri = "s3://b/data/"\nprofile = "prod-admin"\n')
    assert here.own.count() > 0
    assert all(r.header("Authorization") is None for r in here.own.requests)


@pytest.mark.parametrize("host", SPELLINGS)
def test_5_6_no_spelling_of_a_host_leads_inside(host: str, here: Machine) -> None:
    ended = resolved(here, f'[artifacts.a]\nuri = "http://{host}:INSIDE/a.json"\n')
    assert ended.code in {2, 3, 4}
    assert asked(here) == 0


@pytest.mark.parametrize(
    "server", ["http://evil.example:PLAIN", "https://evil.example:TLS"]
)
def test_5_6_no_redirect_leads_inside(here: Machine, server: str) -> None:
    assert resolved(here, f'[artifacts.a]\nuri = "{server}/inside"\n').code in {3, 4}
    assert here.inside.count() == 0


def test_equal_numbers_make_equal_manifests() -> None:
    def some(seed: int) -> list[str]:
        luck = Random(seed)  # noqa: S311 - to be repeated
        hosts = Hosts(plain=1, tls=2, inside=3)
        return [manifest(hosts, luck) for _ in range(50)]

    assert some(1) == some(1) != some(2)
    assert len(set(some(1))) > 45


HEADER = (
    f'[artifacts.a]\nuri = "http://{PUBLIC}:PLAIN/a.json"\n'
    'headers = { Authorization = "Bearer ${TOKEN}" }\n'
)


def test_the_judge_sees_a_header_that_is_sent(
    here: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trusting(*args: object, **kwargs: object) -> object:
        return effective_access(*args, **{**kwargs, "trusted": True})  # type: ignore[arg-type] # as they are

    monkeypatch.setattr(sources, "effective_access", trusting)
    with pytest.raises(AssertionError, match="CANARY-token"):
        resolved(here, HEADER)


def test_the_judge_sees_who_was_asked_inside(
    here: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sources, "_may_connect", lambda *_: True)
    with pytest.raises(AssertionError):
        resolved(here, f'[artifacts.a]\nuri = "http://{PUBLIC}:PLAIN/inside"\n')
    with pytest.raises(AssertionError):
        resolved(here, '[artifacts.a]\nuri = "http://2130706433:INSIDE/a.json"\n')


def test_the_judge_sees_what_is_printed(here: Machine) -> None:
    for said in ("CANARY-token", "\x1b[2J"):
        with pytest.raises(AssertionError):
            judge(here, Ended(code=1, out="", err=said))
    here.root.joinpath("artifacts.lock").write_text("CANARY-token")
    with pytest.raises(AssertionError):
        judge(here, Ended(code=0, out="", err=""))


def test_the_judge_sees_arguments_of_programs(here: Machine) -> None:
    subprocess.run(["true", "CANARY-token"], check=True)
    with pytest.raises(AssertionError):
        judge(here, Ended(code=0, out="", err=""))


DEAD = "http://user:CANARY-login@127.0.0.1:9"
"""Nobody listens there."""
S3 = '[artifacts.a]\nuri = "s3://bucket/data/"\n'
GS = '[artifacts.a]\nuri = "gs://bucket/data/"\n'
WEB = f'[artifacts.a]\nuri = "http://{PUBLIC}:PLAIN/a.json"\n'
SECURE = f'[artifacts.a]\nuri = "https://{PUBLIC}:TLS/a.json"\n'
KEYS = {"AWS_SECRET_ACCESS_KEY": "CANARY\nx", "AWS_SESSION_TOKEN": "CANARY \x01y"}


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        (S3, {"AWS_ENDPOINT_URL_S3": DEAD}),
        (GS, {"STORAGE_EMULATOR_HOST": "http://user:CANARY-login@127.0.0.1:OWN"}),
        (WEB, {"http_proxy": DEAD}),
        (SECURE, {"https_proxy": DEAD}),
        (S3, {"ARTLOCK_TRUST": DEAD}),
        (WEB, {"ARTLOCK_TRUST": DEAD}),
        (S3, KEYS),
    ],
)
def test_5_7_no_output_repeats_a_login_of_the_environment(
    here: Machine, monkeypatch: pytest.MonkeyPatch, text: str, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value.replace("OWN", str(here.own.port)))
    plain, tls = here.evil
    here.prepare(text.replace("PLAIN", str(plain.port)).replace("TLS", str(tls.port)))
    for command in ("resolve -v", "doctor --json"):
        ended = artlock(*command.split(), "-C", here.root)
        assert "CANARY" not in ended.out + ended.err, command


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "https://user:CANARY@host/x"),
        ("add", "s3://bucket/key?X-Amz-Signature=CANARY"),
        ("add", "https://host/x?token=CANARY"),
        ("trust", "https://user:CANARY@host"),
        ("diff", "https://user:CANARY@host"),
        ("sync", "https://user:CANARY@host"),
    ],
    ids=lambda arguments: arguments[-1],
)
@pytest.mark.parametrize("options", [(), ("--json",), ("-v",)])
def test_5_7_no_output_repeats_a_login_of_the_command_line(
    here: Machine, arguments: tuple[str, ...], options: tuple[str, ...]
) -> None:
    here.prepare('[artifacts.a]\nuri = "s3://bucket/data/"\n')
    ended = artlock(*arguments, *options, "-C", here.root)
    assert ended.code == 2
    assert "CANARY" not in ended.out + ended.err
