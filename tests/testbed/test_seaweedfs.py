from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError
from obstore.exceptions import GenericError
from obstore.store import S3Store

from testbed.faults import Fault, slow_down
from testbed.forwarder import Forwarder
from testbed.seaweedfs import Identity, SeaweedFS
from tests.conftest import ANONYMOUS, GETTER, READER, STRANGER


def test_versions_are_kept(seaweedfs: SeaweedFS, s3_bucket: str) -> None:
    client = seaweedfs.client()
    assert not client.list_object_versions(Bucket=s3_bucket).get("Versions")
    first = client.put_object(Bucket=s3_bucket, Key="k", Body=b"one")
    client.put_object(Bucket=s3_bucket, Key="k", Body=b"two")
    client.delete_object(Bucket=s3_bucket, Key="k")
    listed = client.list_object_versions(Bucket=s3_bucket)
    assert [version["IsLatest"] for version in listed["Versions"]] == [False, False]
    assert [marker["IsLatest"] for marker in listed["DeleteMarkers"]] == [True]
    read = client.get_object(Bucket=s3_bucket, Key="k", VersionId=first["VersionId"])
    assert read["Body"].read() == b"one"
    with pytest.raises(ClientError, match="NoSuchKey"):
        client.get_object(Bucket=s3_bucket, Key="k")


def test_a_bucket_without_versions(seaweedfs: SeaweedFS, unversioned_bucket: str) -> None:
    client = seaweedfs.client()
    written = client.put_object(Bucket=unversioned_bucket, Key="k", Body=b"one")
    assert not written.get("VersionId")
    listed = client.list_object_versions(Bucket=unversioned_bucket)
    assert [version["VersionId"] for version in listed["Versions"]] == ["null"]


def test_a_bucket_whose_versions_are_suspended(seaweedfs: SeaweedFS) -> None:
    seaweedfs.create_bucket("suspended", "Suspended")
    client = seaweedfs.client()
    for body in (b"one", b"two"):
        client.put_object(Bucket="suspended", Key="k", Body=body)
    listed = client.list_object_versions(Bucket="suspended")
    assert [version["VersionId"] for version in listed["Versions"]] == ["null"]


def test_identities_may_do_what_their_actions_say(
    seaweedfs: SeaweedFS, s3_bucket: str
) -> None:
    seaweedfs.client().put_object(Bucket=s3_bucket, Key="k", Body=b"one")

    def may(who: Identity) -> set[str]:
        client = seaweedfs.client(who)
        calls: dict[str, Callable[[], object]] = {
            "get": lambda: client.get_object(Bucket=s3_bucket, Key="k")["Body"],
            "list": lambda: client.list_object_versions(Bucket=s3_bucket),
            "put": lambda: client.put_object(Bucket=s3_bucket, Key="k", Body=b""),
        }
        return {name for name, call in calls.items() if allows(call)}

    assert may(READER) == {"get", "list"}
    assert may(GETTER) == {"get"}
    assert may(STRANGER) == set()


def allows(call: Callable[[], object]) -> bool:
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] == "AccessDenied":
            return False
        raise
    return True


def test_only_the_public_bucket_is_open_to_all(
    seaweedfs: SeaweedFS, s3_bucket: str
) -> None:
    seaweedfs.client().put_object(Bucket="public", Key="k", Body=b"one")
    client = seaweedfs.client(ANONYMOUS)
    assert client.get_object(Bucket="public", Key="k")["Body"].read() == b"one"
    assert client.list_object_versions(Bucket="public")["Versions"]
    with pytest.raises(ClientError, match="AccessDenied"):
        client.list_object_versions(Bucket=s3_bucket)


def test_keys_of_another_server_are_refused(seaweedfs: SeaweedFS) -> None:
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        seaweedfs.client(Identity(name="admin", actions=())).list_buckets()


def test_there_is_room_for_many_buckets(seaweedfs: SeaweedFS) -> None:
    for number in range(9):
        seaweedfs.create_bucket(f"many-{number}", None)


def test_signatures_hold_through_a_forwarder(seaweedfs: SeaweedFS, s3_bucket: str) -> None:
    body = bytes(range(256)) * 4096
    with Forwarder(seaweedfs.endpoint) as forwarder:
        client = seaweedfs.client(endpoint=forwarder.endpoint)
        written = client.put_object(Bucket=s3_bucket, Key="a b+c/ü", Body=body)
        assert client.get_object(Bucket=s3_bucket, Key="a b+c/ü")["Body"].read() == body
        assert [request.method for request in forwarder.requests] == ["PUT", "GET"]
        assert forwarder.requests[1].response_bytes == len(body)
        store = S3Store(
            s3_bucket,
            endpoint=forwarder.endpoint,
            region="us-east-1",
            access_key_id=seaweedfs.admin.access_key,
            secret_access_key=seaweedfs.admin.secret_key,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )
        forwarder.clear()
        got = store.get("a b+c/ü", options={"version": written["VersionId"]})
        assert got.bytes() == body
        assert forwarder.count(lambda request: "versionId=" in request.query) == 1
        forwarder.inject(slow_down())
        with pytest.raises(GenericError, match="SlowDown"):
            store.get("a b+c/ü")


def test_an_object_may_be_overwritten_between_two_requests(
    seaweedfs: SeaweedFS, unversioned_bucket: str
) -> None:
    direct = seaweedfs.client()
    written = direct.put_object(Bucket=unversioned_bucket, Key="k", Body=b"one")

    def overwrite() -> None:
        direct.put_object(Bucket=unversioned_bucket, Key="k", Body=b"two")

    fault = Fault(
        kind="before",
        matches=lambda method, path, _: (method, path[-2:]) == ("GET", "/k"),
        times=1,
        action=overwrite,
    )
    with Forwarder(seaweedfs.endpoint, faults=[fault]) as forwarder:
        client = seaweedfs.client(endpoint=forwarder.endpoint)
        client.list_objects_v2(Bucket=unversioned_bucket)
        with pytest.raises(ClientError, match="PreconditionFailed"):
            client.get_object(Bucket=unversioned_bucket, Key="k", IfMatch=written["ETag"])
