from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from artlock.errors import ConfigError, IntegrityError
from artlock.model.registration import Labels, Registration, Run, lock_digest
from artlock.tracking.registry import (
    LastError,
    NewParcel,
    Outbox,
    Parcel,
    ParcelKind,
    ParcelState,
    Registry,
)
from tests.registrations import PROVENANCE, registration, simple_lock
from tests.unit.tracking.registry.conftest import OpenRegistry

COMET = "comet://team/vision"
MLFLOW = "mlflow+http://127.0.0.1:5000/vision"
DOWN = LastError(code="tracker-unavailable", message="no answer", status=503)


@pytest.fixture
def outbox(registry: Registry) -> Outbox:
    return registry.outbox


def parcel(
    version: str = "v-1",
    target: str = COMET,
    *,
    name: str = "data",
    aliases: Sequence[str] = (),
    tags: Sequence[str] = (),
    meta: Sequence[tuple[str, str]] = (),
    run: Run | None = None,
) -> NewParcel:
    return NewParcel(
        created="2026-11-26T21:00:00Z",
        target=target,
        kind=ParcelKind.PUSH,
        name=name,
        digest=sent(version).digest,
        each=False,
        provenance=PROVENANCE,
        labels=Labels(aliases=tuple(aliases), tags=tuple(tags), meta=tuple(meta)),
        run=run,
    )


def sent(version: str) -> Registration:
    return registration(simple_lock(version))


def texts(*versions: str) -> dict[str, bytes]:
    return {one.digest: one.text for one in map(sent, versions)}


def claim(
    outbox: Outbox, now_s: float = 1000.0, owner: str = "me", *, early: bool = False
) -> Parcel | None:
    return outbox.claim(now_s=now_s, lease_s=60, owner=owner, early=early)


def claimed(outbox: Outbox, now_s: float = 1000.0, owner: str = "me") -> Parcel:
    found = claim(outbox, now_s, owner)
    assert found is not None
    return found


def test_a_parcel_is_kept_sent_and_done(outbox: Outbox, open_again: OpenRegistry) -> None:
    new = parcel(aliases=["prod"], tags=["a"], meta=[("k", "v")], run=Run(id="7"))
    (kept,) = outbox.add([new], texts("v-1"))
    other = open_again().outbox
    assert other.waiting() == [kept]
    assert (kept.labels, kept.run, kept.provenance) == (new.labels, new.run, PROVENANCE)
    assert kept.state is ParcelState.PENDING
    taken = claimed(other)
    assert (taken.id, taken.state, taken.attempts) == (kept.id, ParcelState.SENDING, 1)
    assert other.text(taken.digest) == sent("v-1").text
    assert other.done(taken, native="team/data:1.0.0")
    assert outbox.waiting() == []
    assert claim(outbox) is None


def test_an_input_is_kept_without_a_text(outbox: Outbox) -> None:
    new = replace(
        parcel(run=Run(id="eval", service="comet")), kind=ParcelKind.INPUT, number=3
    )
    (kept,) = outbox.add([new], {})
    assert (kept.kind, kept.number, kept.run) == (ParcelKind.INPUT, 3, new.run)


def test_the_text_of_a_push_that_is_registered_need_not_be_given(
    registry: Registry,
) -> None:
    registry.register(sent("v-1"))
    (kept,) = registry.outbox.add([parcel()], {})
    assert registry.outbox.text(kept.digest) == sent("v-1").text


def test_nothing_is_kept_of_what_lacks_a_text_or_has_a_wrong_one(outbox: Outbox) -> None:
    with pytest.raises(ValueError, match="is not there"):
        outbox.add([parcel("v-1"), parcel("v-2")], texts("v-1"))
    digest = sent("v-1").digest
    with pytest.raises(ValueError, match="another digest"):
        outbox.add([parcel("v-1")], {digest: b"other"})
    assert outbox.waiting() == []
    with pytest.raises(IntegrityError):
        outbox.text(digest)


def test_no_credential_is_kept(outbox: Outbox) -> None:
    with pytest.raises(ValueError, match=r"\*\*\*") as caught:
        outbox.add([parcel(target="comet://ada:hunter2@team/vision")], texts("v-1"))
    assert "hunter2" not in str(caught.value)
    outbox.add([parcel()], texts("v-1"))
    error = replace(DOWN, message="GET https://ada:hunter2@host/x?token=hunter3 failed")
    outbox.postpone(claimed(outbox), error=error, next_try_s=2000)
    (waits,) = outbox.waiting()
    assert waits.last_error is not None
    assert "hunter" not in waits.last_error.message
    assert waits.last_error.status == 503


def test_a_secret_of_the_environment_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, open_again: OpenRegistry
) -> None:
    monkeypatch.setenv("COMET_API_KEY", "key-of-this-user")
    outbox = open_again().outbox
    outbox.add([parcel()], texts("v-1"))
    error = replace(DOWN, message="no workspace for key-of-this-user")
    outbox.bury(claimed(outbox), error=error)
    (waits,) = outbox.waiting()
    assert waits.last_error == replace(DOWN, message="no workspace for ***")


def test_the_same_asked_for_twice_is_one_parcel(outbox: Outbox) -> None:
    first = outbox.add([parcel(aliases=["a"], meta=[("k", "1")])], texts("v-1"))[0]
    second = outbox.add(
        [parcel(aliases=["b"], tags=["t"], meta=[("k", "2")])], texts("v-1")
    )[0]
    assert second.id == first.id
    assert outbox.waiting() == [second]
    assert second.labels == Labels(aliases=("a", "b"), tags=("t",), meta=(("k", "2"),))
    other_run = outbox.add([parcel(run=Run(id="x"))], {})[0]
    assert other_run.id != first.id


@pytest.mark.parametrize("end", ["done", "dead", "postponed"])
def test_asked_for_again_it_is_due_at_once(outbox: Outbox, end: str) -> None:
    outbox.add([parcel(aliases=["old"])], texts("v-1"))
    taken = claimed(outbox)
    if end == "done":
        outbox.done(taken, native="team/data:1.0.0")
    elif end == "dead":
        outbox.bury(taken, error=DOWN)
    else:
        outbox.postpone(taken, error=DOWN, next_try_s=9999)
    (again,) = outbox.add([parcel(aliases=["new"])], {})
    assert again.id == taken.id
    assert again.state is ParcelState.PENDING
    # What arrived is not sent again: somebody may have moved it since.
    assert again.labels.aliases == (("new",) if end == "done" else ("new", "old"))
    assert claimed(outbox).id == taken.id


def test_labels_that_come_while_it_is_sent_are_sent_too(outbox: Outbox) -> None:
    outbox.add([parcel()], texts("v-1"))
    taken = claimed(outbox)
    (changed,) = outbox.add([parcel(aliases=["prod"])], {})
    assert changed.state is ParcelState.SENDING
    assert claim(outbox) is None
    assert outbox.done(taken, native="team/data:1.0.0")
    (waits,) = outbox.waiting()
    assert waits.state is ParcelState.PENDING
    again = claimed(outbox)
    assert again.labels.aliases == ("prod",)
    assert outbox.done(again, native="team/data:1.0.0")
    assert outbox.waiting() == []


def test_the_last_word_about_an_alias_is_sent(outbox: Outbox) -> None:
    outbox.add([parcel("v-1", aliases=["prod"])], texts("v-1"))
    outbox.add([parcel("v-2", aliases=["prod", "x"])], texts("v-2"))
    outbox.add([parcel("v-2", MLFLOW, aliases=["prod"])], {})
    outbox.add([parcel("v-1", aliases=["prod"])], {})
    assert [p.labels.aliases for p in outbox.waiting()] == [("prod",), ("x",), ("prod",)]


def test_parcels_of_a_pair_are_sent_in_their_order_and_others_need_not_wait(
    outbox: Outbox,
) -> None:
    new = [parcel("v-1"), parcel("v-2"), parcel("v-1", MLFLOW), parcel("v-3", name="b")]
    ids = [p.id for p in outbox.add(new, texts("v-1", "v-2", "v-3"))]
    first = claimed(outbox, owner="one")
    others = [claimed(outbox, owner="two"), claimed(outbox, owner="two")]
    assert [first.id, *(p.id for p in others)] == [ids[0], ids[2], ids[3]]
    assert claim(outbox) is None
    outbox.done(first, native="")
    assert claimed(outbox).id == ids[1]


def test_what_is_not_due_holds_back_its_pair_alone(outbox: Outbox) -> None:
    new = [parcel("v-1"), parcel("v-2"), parcel("v-1", MLFLOW)]
    ids = [p.id for p in outbox.add(new, texts("v-1", "v-2"))]
    outbox.postpone(claimed(outbox), error=DOWN, next_try_s=1030.0)
    assert claimed(outbox).id == ids[2]
    assert claim(outbox, 1029.0) is None
    early = claim(outbox, 1001.0, early=True)
    assert early is not None
    assert early.id == ids[0]
    assert early.attempts == 2
    outbox.postpone(early, error=DOWN, next_try_s=1030.0)
    assert claimed(outbox, 1030.0).id == ids[0]


def test_what_is_dead_holds_nothing_back(outbox: Outbox) -> None:
    ids = [p.id for p in outbox.add([parcel("v-1"), parcel("v-2")], texts("v-1", "v-2"))]
    assert outbox.bury(claimed(outbox), error=DOWN)
    assert claimed(outbox).id == ids[1]
    assert [p.state for p in outbox.waiting()] == [ParcelState.DEAD, ParcelState.SENDING]


def test_only_the_targets_that_are_asked_for_are_sent(outbox: Outbox) -> None:
    ids = [p.id for p in outbox.add([parcel(), parcel(target=MLFLOW)], texts("v-1"))]
    found = outbox.claim(now_s=1, lease_s=60, owner="me", only={MLFLOW})
    assert found is not None
    assert found.id == ids[1]
    assert outbox.claim(now_s=1, lease_s=60, owner="me", only={MLFLOW}) is None
    assert outbox.claim(now_s=1, lease_s=60, owner="me", only=()) is None


def test_a_lease_that_ended_is_another_s(outbox: Outbox, open_again: OpenRegistry) -> None:
    outbox.add([parcel()], texts("v-1"))
    lost = claimed(outbox, 1000.0, "killed")
    assert claim(outbox, 1060.0 - 1) is None
    other = open_again().outbox
    taken = claimed(other, 1060.0, "heir")
    assert (taken.id, taken.attempts) == (lost.id, 2)
    assert not outbox.done(lost, native="mine")
    assert not outbox.postpone(lost, error=DOWN, next_try_s=1)
    assert not outbox.bury(lost, error=DOWN)
    assert other.done(taken, native="heir's")


def test_a_dropped_parcel_is_gone_and_its_number_is_not_given_again(
    outbox: Outbox,
) -> None:
    (kept,) = outbox.add([parcel()], texts("v-1"))
    assert outbox.drop(kept.id) == kept
    assert outbox.waiting() == []
    for number in (kept.id, 99):
        with pytest.raises(ConfigError, match=f"`{number}`"):
            outbox.drop(number)
    assert outbox.add([parcel()], {})[0].id > kept.id


def test_what_arrived_is_not_dropped(outbox: Outbox) -> None:
    outbox.add([parcel()], texts("v-1"))
    taken = claimed(outbox)
    outbox.done(taken, native="")
    with pytest.raises(ConfigError, match="nothing waits"):
        outbox.drop(taken.id)


def test_an_outbox_that_is_not_there_is_empty_and_looking_makes_nothing(
    outbox: Outbox, registry: Registry
) -> None:
    assert outbox.waiting() == []
    assert claim(outbox) is None
    with pytest.raises(ConfigError):
        outbox.drop(1)
    assert registry.names() == []


def test_a_digest_is_of_the_text() -> None:
    assert lock_digest(sent("v-1").text) == parcel().digest
