import logging
import os
import threading

import pytest

from artlock.tracking.mlflow.settings import quiet


def test_mlflow_sees_the_given_environment_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "of the process")
    monkeypatch.setenv("MLFLOW_WORKSPACE", "of the process")
    monkeypatch.setenv("OTHER", "stays")
    before = dict(os.environ)
    given = {
        "MLFLOW_TRACKING_USERNAME": "given",
        "MLFLOW_TRACKING_URI": "http://elsewhere/",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "7",
        "MLFLOW_DISABLE_TELEMETRY": "false",
        "AWS_PROFILE": "not of MLflow",
    }
    with quiet(given, timeout_s=1.2):
        assert os.environ["MLFLOW_TRACKING_USERNAME"] == "given"
        assert "MLFLOW_TRACKING_URI" not in os.environ
        assert "MLFLOW_WORKSPACE" not in os.environ
        assert "AWS_PROFILE" not in os.environ
        assert os.environ["OTHER"] == "stays"
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "2"
        assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert dict(os.environ) == before


def test_all_is_as_before_after_a_failure() -> None:
    logger = logging.getLogger("mlflow")
    before, level = dict(os.environ), logger.level

    def fail() -> None:
        with quiet({"MLFLOW_X": "y"}):
            assert not logger.isEnabledFor(logging.CRITICAL)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (dict(os.environ), logger.level) == (before, level)


def test_one_thread_at_a_time_has_its_settings() -> None:
    inside: list[str] = []

    def work(name: str) -> None:
        for _ in range(50):
            with quiet({"MLFLOW_WHO": name}):
                inside.append((os.environ["MLFLOW_WHO"] == name and name) or "wrong")

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(inside) == sorted("abc" * 50)


def test_who_waits_too_long_for_the_turn_is_told() -> None:
    with quiet({}):
        failures: list[Exception] = []

        def wait() -> None:
            try:
                with quiet({}, timeout_s=0.05):
                    pass
            except TimeoutError as error:
                failures.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
    assert len(failures) == 1
