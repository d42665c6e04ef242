"""Places for the contract of MLflow: a database in a file, and a server."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from mlflow import MlflowClient

from artlock.model.registration import Run
from artlock.model.uri import Uri
from artlock.tracking.base import Tracker, TrackerContext
from artlock.tracking.mlflow import open_tracker
from artlock.tracking.mlflow.database import opening, uri_of
from artlock.tracking.mlflow.settings import quiet


@dataclass(frozen=True, kw_only=True)
class MlflowPlace:
    """An experiment that is not there yet, in a store that others may use too.

    Attributes:
        store: What MLflow itself calls it: ``sqlite:///…`` or ``http://…``.
        base: A folder of the test.
    """

    store: str
    base: Path
    experiment: str = field(default_factory=lambda: f"team data-{token_hex(4)}")

    @property
    def url(self) -> Uri:
        name = self.experiment.replace(" ", "%20")
        return Uri.parse(f"mlflow+{self.store}/{name}")

    @contextmanager
    def open(
        self,
        url: Uri | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        deadline_s: float = 120.0,
    ) -> Iterator[Tracker]:
        with tempfile.TemporaryDirectory(dir=self.base) as scratch:
            context = TrackerContext(
                environ=environ or {},
                base=self.base,
                scratch=Path(scratch),
                deadline_s=deadline_s,
            )
            tracker = open_tracker(url or self.url, context)
            try:
                yield tracker
            finally:
                tracker.close()
                assert list(Path(scratch).iterdir()) == []

    @contextmanager
    def client(self) -> Iterator[MlflowClient]:
        """Lend MLflow's own client, as somebody who looks at the runs has it."""
        with quiet({}):
            name = self.store.removeprefix("sqlite:///")
            if name == self.store:
                yield MlflowClient(self.store)
                return
            with opening(Path(name)):
                client = MlflowClient(uri_of(Path(name)))
            yield client

    def run(self, name: str) -> Run:
        """Make a run in an experiment of its own, as a training has it."""
        with self.client() as client:
            experiment = client.create_experiment(
                f"training-{token_hex(4)}", artifact_location=self.base.as_uri()
            )
            made = client.create_run(experiment, run_name=name)
        return Run(id=made.info.run_id, service="mlflow")
