import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.entities import Run as MlflowRun
from mlflow.entities import RunData, RunInfo, RunTag

from artlock.model.registration import Labels, Registration, Run
from artlock.tracking.mlflow import tags
from tests.registrations import registration, simple_lock

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


def run_with(values: dict[str, str]) -> MlflowRun:
    info = RunInfo("id", "1", "user", "FINISHED", 1, 2, "active")
    return MlflowRun(info, RunData(tags=[RunTag(k, v) for k, v in values.items()]))


def tags_of(sent: Registration, number: int = 3) -> dict[str, str]:
    return (
        tags.tags_of(sent)
        | tags.label_tags(sent.labels)
        | {tags.NUMBER: tags.padded(number)}
    )


@given(st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=4))
def test_what_is_written_in_tags_is_read_back(meta: dict[str, str]) -> None:
    labels = Labels(tags=("a", "b"), meta=tuple(sorted(meta.items())))
    sent = registration(simple_lock(), labels=labels)
    written = tags_of(sent)
    assert all(re.fullmatch(r"[/\w.\- :]*", key) for key in written)
    assert all("//" not in key and "/." not in key for key in written)
    version = tags.version_in(run_with(written), url="", aliases=())
    assert (version.name, version.number, version.parent) == ("data", 3, 2)
    assert version.digest == sent.digest
    assert version.provenance == sent.provenance
    assert version.labels == labels


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (tags.NUMBER, "3"),
        (tags.NUMBER, "٣٣٣٣٣٣٣٣٣٣"),
        (tags.DIGEST, "blake3:00"),
        ("artlock.provenance", "[]"),
        ("artlock.trust", "much"),
        ("artlock.objects", "many"),
        (tags.NAME, None),
    ],
)
def test_tags_that_somebody_changed_are_told(key: str, value: str | None) -> None:
    written = tags_of(registration(simple_lock()))
    if value is None:
        del written[key]
    else:
        written[key] = value
    with pytest.raises(ValueError, match="not those of a push"):
        tags.version_in(run_with(written), url="", aliases=())


def test_runs_and_aliases_of_others_are_left_out() -> None:
    key, value = tags.run_tag(tags.CONSUMED_BY, Run(id="x", service="comet"))
    run = run_with(
        {
            key: value,
            f"{tags.CONSUMED_BY}strange": "{}",
            f"{tags.ALIAS}prod": "7",
            f"{tags.ALIAS}odd": "yes",
        }
    )
    assert tags.runs_in(run, tags.CONSUMED_BY) == (Run(id="x", service="comet"),)
    assert tags.aliases_in(run) == {"prod": 7}


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("k" * 200, "x" * 8000, None),
        ("k" * 250, "x", "has over 250 characters"),
        ("é" * 41, "x", "has over 250 characters"),
        ("key", "x" * 8001, "has over 8000 characters"),
        ("key", "\ud800", "is not UTF-8"),
        ("key", "\0", "has a NUL"),
    ],
)
def test_limits_are_known(key: str, value: str, problem: str | None) -> None:
    sent = registration(simple_lock(), labels=Labels(meta=((key, value),)))
    found = tags.problem_with(sent)
    assert found is None if problem is None else problem in str(found)
