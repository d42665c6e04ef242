"""Which version an alias points to.

A tag at a run says that it holds an alias, and how often that alias has moved. So there is
no moment without a holder: it is set at the new run first, and the highest number holds.
"""

from __future__ import annotations

from collections.abc import Iterable

from mlflow.entities import Run as MlflowRun

from artlock.tracking.mlflow import tags
from artlock.tracking.mlflow.store import Experiment, numbered


def holders(
    experiment: Experiment, name: str, aliases: Iterable[str]
) -> dict[str, MlflowRun]:
    """Return the runs that aliases of a name point to; those without one are left out."""
    found = {alias: _candidates(experiment, name, alias) for alias in sorted(aliases)}
    return {alias: runs[-1] for alias, runs in found.items() if runs}


def move(experiment: Experiment, run: MlflowRun, name: str, alias: str) -> bool:
    """Point an alias to a run, and to no other; tell whether that changed the run."""
    run_id = str(run.info.run_id)
    key = f"{tags.ALIAS}{alias}"
    found = _candidates(experiment, name, alias)
    is_new = not found or found[-1].info.run_id != run_id
    if is_new:
        moves = max((tags.aliases_in(other)[alias] for other in found), default=0)
        experiment.set_tags(run_id, {key: str(moves + 1)})
    for other in found:
        if other.info.run_id != run_id:
            experiment.remove_tag(str(other.info.run_id), key)
    return is_new


def _candidates(experiment: Experiment, name: str, alias: str) -> list[MlflowRun]:
    """Return the runs with an alias, the one that holds it last.

    There are several only while it moves, or after that was interrupted. Of two that
    moved it at once, the later version holds it.
    """
    condition = f"{numbered(name)} and tags.`{tags.ALIAS}{alias}` != ''"
    found = [run for run in experiment.search(condition) if alias in tags.aliases_in(run)]
    return sorted(
        found, key=lambda run: (tags.aliases_in(run)[alias], run.data.tags[tags.NUMBER])
    )
