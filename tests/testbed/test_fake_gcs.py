import pytest
from google.api_core.exceptions import NotFound
from obstore.store import GCSStore

from testbed.fake_gcs import FakeGCS
from testbed.faults import Fault
from testbed.forwarder import Forwarder


def test_generations_are_kept(fake_gcs: FakeGCS, gcs_bucket: str) -> None:
    bucket = fake_gcs.client().bucket(gcs_bucket)
    generations = []
    for body in (b"one", b"two"):
        blob = bucket.blob("a/b")
        blob.upload_from_string(body)
        generations.append(blob.generation)
    listed = [blob.generation for blob in bucket.list_blobs(versions="true")]
    assert sorted(listed) == sorted(generations)
    old = bucket.blob("a/b", generation=generations[0])
    assert old.download_as_bytes() == b"one"


def test_a_bucket_without_generations(fake_gcs: FakeGCS) -> None:
    fake_gcs.create_bucket("plain", versioning=False)
    bucket = fake_gcs.client().bucket("plain")
    bucket.blob("k").upload_from_string(b"one")
    first = bucket.get_blob("k").generation
    bucket.blob("k").upload_from_string(b"two")
    assert len(list(bucket.list_blobs(versions="true"))) == 1
    with pytest.raises(NotFound):
        bucket.blob("k", generation=first).download_as_bytes()


def test_both_clients_read_through_a_forwarder(fake_gcs: FakeGCS, gcs_bucket: str) -> None:
    body = bytes(range(256)) * 1000
    with Forwarder(fake_gcs.endpoint, keep_host=False) as forwarder:
        blob = fake_gcs.client(endpoint=forwarder.endpoint).bucket(gcs_bucket).blob("k")
        blob.upload_from_string(body)
        assert forwarder.count(lambda request: request.method == "POST") == 1
        store = GCSStore(
            gcs_bucket,
            base_url=forwarder.endpoint,
            skip_signature=True,
            client_options={"allow_http": True},
        )
        forwarder.clear()
        assert store.get("k").bytes() == body
        assert forwarder.count() == 1
        forwarder.inject(Fault(kind="corrupt", drop=("x-goog-hash",)))
        assert store.get("k").bytes() != body
