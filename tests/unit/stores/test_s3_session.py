"""How a bucket is reached: endpoint, region, credentials, certificates."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.loaders import create_loader

from artlock.errors import AccessDeniedError, BucketNotFoundError, StoreError
from artlock.model.manifest import Access
from artlock.model.uri import Uri
from artlock.stores.base import Pin, StoreContext
from artlock.stores.s3 import S3Store, session
from artlock.stores.s3.session import bucket_endpoint, connect, learn_region
from testbed.faults import Fault
from testbed.http_server import HttpServer

URI = Uri("s3", "bucket", "a")
EMPTY_LISTING = b"<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>"


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


def connected(
    access: Access | None = None, *, uri: Uri = URI, attempts: int = 1
) -> session.Connection:
    context = StoreContext(access=access or Access())
    return connect(uri, context, refine=lambda _refusal: None, attempts=attempts)


def endpoint(access: Access, bucket: str) -> str:
    return bucket_endpoint(connected(access, uri=Uri("s3", bucket, "")).client, bucket)


@pytest.mark.parametrize("anonymous", [False, True])
def test_aws_is_asked_where_botocore_would_ask(*, anonymous: bool) -> None:
    def at(region: str, bucket: str) -> str:
        return endpoint(Access(region=region, anonymous=anonymous), bucket)

    assert at("eu-west-1", "bucket") == "https://bucket.s3.eu-west-1.amazonaws.com"
    assert at("eu-west-1", "dot.ted") == "https://s3.eu-west-1.amazonaws.com/dot.ted"
    assert at("cn-north-1", "bucket") == "https://bucket.s3.cn-north-1.amazonaws.com.cn"


def test_1_26_an_access_point_is_asked_by_its_arn() -> None:
    arn = "arn:aws:s3:us-west-2:123456789012:accesspoint:name"
    uri = Uri.parse(f"s3://{arn}/folder/key")
    assert (uri.authority, uri.key) == (arn, "folder/key")
    host = "name-123456789012.s3-accesspoint.us-west-2.amazonaws.com"
    assert endpoint(Access(region="us-west-2"), arn) == f"https://{host}"


def test_other_servers_have_the_bucket_in_the_path() -> None:
    access = Access(endpoint="https://s3.example.com:9000")
    assert endpoint(access, "bucket") == "https://s3.example.com:9000/bucket"
    access = Access(endpoint="https://example.com/base/")
    assert endpoint(access, "bucket") == "https://example.com/base/bucket"


def test_a_person_may_want_the_bucket_in_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "config"
    settings.write_text(
        "[default]\nregion = x-1\ns3 =\n    addressing_style = virtual\n"
        "[profile other]\nendpoint_url = https://other.example.com\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(settings))
    access = Access(endpoint="https://example.com")
    assert endpoint(access, "bucket") == "https://bucket.example.com"
    found = connected(Access(profile="other", anonymous=True))
    assert found.identity == "s3+https://other.example.com"
    assert not found.is_aws


def test_5_6_an_endpoint_of_the_source_comes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://general.example.com")
    assert connected().identity == "s3+https://general.example.com"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://special.example.com")
    assert connected().identity == "s3+https://special.example.com"
    found = connected(Access(endpoint="https://mine.example.com/"))
    assert found.identity == "s3+https://mine.example.com"


@pytest.mark.parametrize("service", ["s3", "sts", "sso", "sso-oidc"])
def test_models_are_read_as_botocore_reads_them(service: str) -> None:
    # Fresh: botocore fills in what it has worked out.
    ours, own = session._loader.__wrapped__(None), create_loader()
    for kind in ("service-2", "endpoint-rule-set-1"):
        read = ours.load_service_model(service, kind)
        assert read == own.load_service_model(service, kind)
    for name in ("endpoints", "partitions", "sdk-default-configuration", "_retry"):
        assert ours.load_data(name) == own.load_data(name)
    with pytest.raises(UnknownServiceError):
        ours.load_service_model("no-such-service", "service-2")
    with pytest.raises(DataNotFoundError):
        ours.load_data("no-such-data")


def test_boto3_is_not_loaded() -> None:
    program = (
        "import sys, artlock.stores.s3; print({'boto3', 's3transfer'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_a_model_of_a_person_s_own_comes_before_botocore_s(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "s3" / "2006-03-01"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text('{"metadata": "mine"}')
    paths = f"{tmp_path / 'missing'}{os.pathsep}{tmp_path / 'models'}"
    found = session._loader(paths).load_service_model("s3", "service-2")
    assert found["metadata"] == "mine"


def test_an_identity_has_no_secrets() -> None:
    found = connected(Access(endpoint="https://user:pass@example.com/x/"))
    assert found.identity == "s3+https://example.com/x"


def test_an_endpoint_that_is_none_is_a_store_error() -> None:
    with pytest.raises(StoreError):
        connected(Access(endpoint="not an endpoint"))


@pytest.fixture
def as_aws(http_server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> HttpServer:
    """Take loopback for AWS."""
    monkeypatch.setattr(session, "_AWS_HOSTS", ("127.0.0.1",))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", http_server.endpoint)
    return http_server


Served = Callable[[HttpServer], None]


def found_there(server: HttpServer) -> None:
    server.put("/bucket", b"", headers={"x-amz-bucket-region": "eu-west-3"})


def forbidden_there(server: HttpServer) -> None:
    headers = {"x-amz-bucket-region": "eu-west-3"}
    server.put("/bucket", b"", faults=[Fault(kind="status", status=403, headers=headers)])


@pytest.mark.parametrize("serve", [found_there, forbidden_there])
def test_1_25_the_region_is_learnt_once_and_signs_everything(
    as_aws: HttpServer, serve: Served
) -> None:
    serve(as_aws)
    as_aws.put("/bucket/a", b"one")
    store = S3Store(URI, StoreContext(), attempts=1)
    assert store.identity == "s3"
    for _ in range(2):
        assert b"".join(bytes(c) for c in store.read(Pin(uri=URI, size=3))) == b"one"
        assert store.head(URI).size == 3
    store.close()
    first, *rest = as_aws.requests
    assert first.method == "HEAD"
    assert "/us-east-1/s3/" in (first.header("Authorization") or "")
    assert len(rest) == 4
    for request in rest:
        assert "/eu-west-3/s3/" in (request.header("Authorization") or "")


def test_1_25_a_region_that_is_set_is_not_asked_for(as_aws: HttpServer) -> None:
    found = connected(Access(region="eu-west-2"))
    assert found.client.meta.region_name == "eu-west-2"
    assert found.is_aws
    assert as_aws.requests == ()


def test_1_25_a_bucket_that_is_missing_is_told_at_once(as_aws: HttpServer) -> None:
    with pytest.raises(BucketNotFoundError):
        connected()
    assert len(as_aws.requests) == 1


def test_1_25_where_nothing_tells_the_region_stays(as_aws: HttpServer) -> None:
    as_aws.put("/bucket", b"", faults=[Fault(kind="status", status=403)])
    found = connected()
    assert found.client.meta.region_name == "us-east-1"
    assert learn_region(found.client, URI) is None


def test_1_25_a_redirect_without_end_ends(as_aws: HttpServer) -> None:
    as_aws.put("/bucket", b"", faults=[Fault(kind="status", status=301)])
    with pytest.raises(StoreError):
        connected()
    assert len(as_aws.requests) < 500


@pytest.mark.parametrize(
    ("headers", "plain"),
    [
        ({}, True),
        ({"x-amz-server-side-encryption": "AES256"}, True),
        ({"x-amz-server-side-encryption": "aws:kms"}, False),
        ({"x-amz-server-side-encryption-customer-algorithm": "AES256"}, False),
    ],
)
def test_1_1_aws_is_asked_whether_an_etag_is_an_md5(
    as_aws: HttpServer, headers: dict[str, str], *, plain: bool
) -> None:
    etag = "5d41402abc4b2a76b9719d911017c592"
    as_aws.put("/bucket/a", b"hello", etag=f'"{etag}"', headers=headers)
    context = StoreContext(access=Access(region="x"))
    store = S3Store(URI, context, attempts=1)
    assert store.etag_is_md5(Pin(uri=URI, size=5, etag=etag)) == plain
    assert len(as_aws.requests) == 1
    assert store.etag_is_md5(Pin(uri=URI, size=5, etag=etag + "-2")) is False
    assert store.etag_is_md5(Pin(uri=URI, size=5)) is None
    express = Uri("s3", "bucket--use1-az4--x-s3", "a")
    assert store.etag_is_md5(Pin(uri=express, size=5, etag=etag)) is False
    assert len(as_aws.requests) == 1
    with pytest.raises(StoreError):
        store.etag_is_md5(Pin(uri=Uri("s3", "bucket", "b"), size=5, etag=etag))
    store.close()


def test_4_12_a_certificate_of_ones_own_is_trusted_when_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del monkeypatch
    with HttpServer(tls=True) as server:
        server.put("/bucket/a", b"one", etag='"e"')
        store = S3Store(
            URI, StoreContext(access=Access(endpoint=server.endpoint)), attempts=1
        )
        for deed in (
            lambda: [store.head(URI)],
            lambda: list(store.read(Pin(uri=URI, size=3))),
        ):
            with pytest.raises(StoreError, match="not trusted") as caught:
                deed()
            assert type(caught.value) is StoreError
            assert "ca-bundle" in (caught.value.hint or "")
        store.close()
        access = Access(endpoint=server.endpoint, ca_bundle=str(server.ca_file))
        store = S3Store(URI, StoreContext(access=access), attempts=1)
        assert store.head(URI).size == 3
        store.close()


def test_a_ca_bundle_that_is_missing_is_a_store_error(tmp_path: Path) -> None:
    access = Access(endpoint="https://127.0.0.1:1", ca_bundle=str(tmp_path / "none.pem"))
    with pytest.raises(StoreError):
        connected(access)


def test_credentials_of_a_process_that_fail_deny_access(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "config"
    settings.write_text("[profile p]\ncredential_process = false\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(settings))
    with pytest.raises(AccessDeniedError) as caught:
        connected(Access(profile="p"))
    assert caught.value.hint


def test_botocore_does_not_parse_a_listing_again(http_server: HttpServer) -> None:
    http_server.put("/bucket", EMPTY_LISTING)
    client = connected(Access(endpoint=http_server.endpoint)).client
    answer = client.list_object_versions(Bucket="bucket")
    assert session.PAGE in answer
    assert "IsTruncated" not in answer


def test_1_19_a_directory_bucket_is_listed_plainly_and_read_by_boto3(
    as_aws: HttpServer,
) -> None:
    bucket = "bucket--use1-az4--x-s3"
    row = b"<Contents><Key>%s</Key><Size>3</Size><ETag>e</ETag></Contents>"
    as_aws.put(
        f"/{bucket}",
        b"<ListBucketResult><IsTruncated>false</IsTruncated>%b%b</ListBucketResult>"
        % (row % b"t/b", row % b"t/a"),
    )
    as_aws.put(f"/{bucket}/t/a", b"one", etag='"e"')
    access = Access(region="us-east-1", anonymous=True)
    store = S3Store(Uri("s3", bucket, ""), StoreContext(access=access), attempts=1)
    found = list(store.scan(Uri("s3", bucket, "t/")))
    assert [info.uri.key for info in found] == ["t/b", "t/a"]
    assert all(info.version is None for info in found)
    pin = Pin(uri=Uri("s3", bucket, "t/a"), size=3, etag="e")
    assert b"".join(bytes(chunk) for chunk in store.read(pin)) == b"one"
    agents = [request.header("User-Agent") or "" for request in as_aws.requests]
    assert all("Botocore" in agent for agent in agents)
    store.close()
