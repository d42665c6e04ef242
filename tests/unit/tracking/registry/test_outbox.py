import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from artlock.errors import ConfigError, IntegrityError, RegistrationRefusedError
from artlock.model.registration import Labels, Registration, Run, lock_digest
from artlock.tracking.registry import (
    LastError,
    NewParcel,
    Outbox,
    Parcel,
    ParcelKind,
    ParcelState,
    Registry,
    open_registry,
)
from tests.registrations import PROVENANCE, registration, simple_lock
from tests.unit.tracking.registry.conftest import OpenRegistry, context_at

pytestmark = pytest.mark.usefixtures("made")
COMET = "comet://team/vision"
MLFLOW = "mlflow+http://127.0.0.1:5000/vision"
DOWN = LastError(code="tracker-unavailable", message="no answer", status=503)


EVERYWHERE = pytest.mark.parametrize(
    "registry_url", ["sqlite", "postgresql"], indirect=True
)
"""For what differs between databases; the others are tried with SQLite alone."""


@pytest.fixture
def registry_url(request: pytest.FixtureRequest) -> str:
    if getattr(request, "param", "sqlite") == "sqlite":
        return "sqlite:///registry.db"
    return str(request.getfixturevalue("postgresql").create_schema())


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


@EVERYWHERE
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


@EVERYWHERE
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
    # What arrived may have moved since, and what was refused may be the reason.
    is_begun_anew = end in {"done", "dead"}
    assert again.labels.aliases == (("new",) if is_begun_anew else ("new", "old"))
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


@EVERYWHERE
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


@EVERYWHERE
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


@EVERYWHERE
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


def test_the_same_owner_that_comes_back_too_late_ends_nothing(outbox: Outbox) -> None:
    outbox.add([parcel()], texts("v-1"))
    lost = claimed(outbox, 1000.0, "me")
    taken = claimed(outbox, 1060.0, "me")
    assert not outbox.bury(lost, error=DOWN)
    assert outbox.done(taken, native="")


@EVERYWHERE
def test_many_that_send_at_once_take_each_parcel_once(
    outbox: Outbox, open_again: OpenRegistry
) -> None:
    new = [parcel(name=f"n{number}") for number in range(24)]
    ids = [p.id for p in outbox.add(new, texts("v-1"))]

    def take_all(number: int) -> list[int]:
        mine = open_again().outbox
        taken = []
        while (found := claim(mine, owner=f"{number}")) is not None:
            taken.append(found.id)
        return taken

    with ThreadPoolExecutor(4) as threads:
        found = [one for some in threads.map(take_all, range(4)) for one in some]
    assert sorted(found) == ids


@EVERYWHERE
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
    outbox: Outbox, registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "registry.db").unlink()
    assert outbox.waiting() == []
    assert claim(outbox) is None
    with pytest.raises(ConfigError):
        outbox.drop(1)
    assert registry.names() == []
    assert list(tmp_path.glob("registry.db*")) == []


DAMAGE = [
    *("labels = '{'", "attempts = 'many'", "provenance = '[]'", "created = x'00'"),
    *("each = 'perhaps'", "next_try = 'never'", "number = 1.5", "last_error = x'ff'"),
]


def damage_row(folder: Path, id_: int, damage: str) -> None:
    with closing(sqlite3.connect(folder / "registry.db")) as there, there:
        there.execute(f"update artlock_outbox set {damage} where id = {id_}")  # noqa: S608 - as above


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_row_is_told_of_and_holds_nothing_back(
    tmp_path: Path, damage: str
) -> None:
    told: list[str] = []
    context = replace(context_at(tmp_path), notice=told.append)
    registry = open_registry(Path("registry.db"), context)
    outbox = registry.outbox
    bad, good = outbox.add([parcel("v-1"), parcel("v-2")], texts("v-1", "v-2"))
    damage_row(tmp_path, bad.id, damage)
    assert outbox.waiting() == [good]
    assert len(told) == 1
    assert f"row {bad.id}" in told[0]
    assert claimed(outbox).id == good.id
    assert claim(outbox) is None
    dropped = outbox.drop(bad.id)
    assert (dropped.id, dropped.name) == (bad.id, "data")
    assert [one.id for one in outbox.waiting()] == [good.id]
    assert len(told) == 1
    registry.close()


def test_a_damaged_row_is_written_anew_when_the_same_is_asked_for(
    tmp_path: Path, outbox: Outbox
) -> None:
    (bad,) = outbox.add([parcel()], texts("v-1"))
    damage_row(tmp_path, bad.id, "labels = '{', attempts = 'many'")
    (again,) = outbox.add([parcel(aliases=["prod"])], {})
    assert (again.id, again.labels.aliases) == (bad.id, ("prod",))
    assert outbox.waiting() == [again]
    outbox.add([parcel("v-2")], texts("v-2"))
    damage_row(tmp_path, bad.id, "labels = '{'")
    assert outbox.add([parcel("v-2", aliases=["prod"])], {})[0].labels.aliases == ("prod",)


def test_what_is_passed_over_holds_back_its_pair_as_if_not_due(outbox: Outbox) -> None:
    new = [parcel("v-1"), parcel("v-2"), parcel("v-1", MLFLOW)]
    ids = [p.id for p in outbox.add(new, texts("v-1", "v-2"))]
    found = outbox.claim(now_s=1, lease_s=60, owner="me", without={ids[0]})
    assert found is not None
    assert found.id == ids[2]
    left = {*ids, 1 << 70, -1}
    assert outbox.claim(now_s=1, lease_s=60, owner="me", without=left) is None
    assert claimed(outbox).id == ids[0]


def test_what_used_a_version_is_not_held_back_by_a_push(outbox: Outbox) -> None:
    used = replace(
        parcel("v-2", run=Run(id="eval")), kind=ParcelKind.INPUT, number=1, labels=Labels()
    )
    push, input_, later = outbox.add([parcel(), used, parcel("v-3")], texts("v-1", "v-3"))
    outbox.postpone(claimed(outbox), error=DOWN, next_try_s=1030.0)
    assert claimed(outbox).id == input_.id
    assert claim(outbox) is None
    assert {one.id for one in outbox.waiting()} == {push.id, input_.id, later.id}


@EVERYWHERE
def test_a_clock_that_was_put_back_makes_nobody_wait_for_ever(outbox: Outbox) -> None:
    outbox.add([parcel("v-1"), parcel("v-2")], texts("v-1", "v-2"))
    day_s = 86_400.0
    sent_then = claimed(outbox, 1000.0 + day_s)
    again = claimed(outbox, 1000.0)  # a lease that ends tomorrow is none
    assert again.id == sent_then.id
    outbox.postpone(again, error=DOWN, next_try_s=1000.0 + day_s)
    assert claimed(outbox, 1000.0).id == again.id
    # One that a clock a little ahead gave is believed, and so is the longest wait.
    other = outbox.add([parcel(target=MLFLOW)], {})[0]
    taken = claimed(outbox, 1030.0)
    assert taken.id == other.id
    assert claim(outbox, 1000.0) is None
    outbox.postpone(taken, error=DOWN, next_try_s=1030.0 + 3600.0)
    assert claim(outbox, 1030.0) is None


def test_one_that_is_asked_for_again_waits_for_a_later_one_until_its_lease_ends(
    outbox: Outbox,
) -> None:
    first, second = outbox.add([parcel("v-1"), parcel("v-2")], texts("v-1", "v-2"))
    outbox.done(claimed(outbox), native="")
    assert claimed(outbox, 1000.0).id == second.id
    outbox.add([parcel("v-1")], {})
    assert claim(outbox, 1059.0) is None
    assert claimed(outbox, 1060.0).id == first.id


def test_an_alias_is_not_taken_from_the_same_lock(outbox: Outbox) -> None:
    """Another run that made it is another parcel with the same digest."""
    outbox.add([parcel(aliases=["prod"], run=Run(id="one"))], texts("v-1"))
    outbox.add([parcel(aliases=["prod"], run=Run(id="two"))], {})
    assert [p.labels.aliases for p in outbox.waiting()] == [("prod",), ("prod",)]


@EVERYWHERE
@pytest.mark.parametrize("text", ["nul\0", "half \ud800", "long" * 1000])
def test_what_no_database_keeps_is_refused(outbox: Outbox, text: str) -> None:
    for new in (parcel(tags=[text]), parcel(run=Run(id=text))):
        with pytest.raises(RegistrationRefusedError):
            outbox.add([new], texts("v-1"))
    assert outbox.waiting() == []


def test_a_number_beyond_all_is_nothing(outbox: Outbox) -> None:
    outbox.add([parcel()], texts("v-1"))
    for number in (0, -1, 1 << 31, 1 << 63, -(1 << 80)):
        with pytest.raises(ConfigError, match="nothing waits"):
            outbox.drop(number)


def test_a_digest_is_of_the_text() -> None:
    assert lock_digest(sent("v-1").text) == parcel().digest
