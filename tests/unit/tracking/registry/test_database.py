"""What stands in the way: files, disks, servers, and others at work."""

import os
import signal
import socket
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from artlock.errors import (
    ArtlockError,
    ConfigError,
    IntegrityError,
    RefNotFoundError,
    RegistrationRefusedError,
    TrackerDeniedError,
    TrackerUnavailableError,
    TrackingError,
)
from artlock.model.refs import Ref
from artlock.model.registration import Labels, Run, TrackerVersion
from artlock.model.uri import Uri
from artlock.tracking.registry import Registry, database, open_registry
from testbed import mounts
from testbed.ports import free_ports
from testbed.postgresql import PostgreSQL
from tests.registrations import registration, simple_lock
from tests.unit.tracking.registry.conftest import OpenRegistry, context_at
from tests.unit.tracking.registry.test_snapshots import History

RUN = Run(id="train", service="comet")


def refusal(work: Callable[[], object]) -> ArtlockError:
    with pytest.raises(ArtlockError) as caught:
        work()
    return caught.value


def register(registry: Registry) -> None:
    registry.register(registration(simple_lock()))


class TestFiles:
    def test_what_is_made_is_private(self, tmp_path: Path) -> None:
        folder = tmp_path / "new" / "data"
        registry = open_registry(folder / "registry.db", context_at(tmp_path))
        register(registry)
        for place in (folder, folder.parent):
            assert stat.S_IMODE(place.stat().st_mode) == 0o700
        names = {path.name for path in folder.iterdir()}
        assert names >= {"registry.db", "registry.db-wal"}
        for path in folder.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        registry.close()

    def test_it_is_durable_and_kept_as_a_log(self, open_sqlite: OpenRegistry) -> None:
        registry = open_sqlite()
        register(registry)
        with registry._database.reading() as connection:
            for pragma, value in (
                ("journal_mode", "wal"),
                ("synchronous", 2),
                ("foreign_keys", 1),
                ("trusted_schema", 0),
            ):
                found = connection.exec_driver_sql(f"pragma {pragma}").scalar()
                assert (pragma, found) == (pragma, value)

    def test_to_look_at_what_is_not_there_makes_nothing(
        self, tmp_path: Path, open_sqlite: OpenRegistry
    ) -> None:
        registry = open_sqlite()
        version = registration(simple_lock())
        assert list(registry.names()) == []
        assert list(registry.verify()) == []
        with pytest.raises(RefNotFoundError, match=r"registry\.db"):
            registry.versions(version.name)
        assert list(tmp_path.glob("registry*")) == []

    def test_a_file_of_another_kind_is_left_alone(
        self, tmp_path: Path, open_sqlite: OpenRegistry
    ) -> None:
        (tmp_path / "registry.db").write_text("[[artifact]]\n" * 100)
        error = refusal(open_sqlite().names)
        assert isinstance(error, TrackingError)
        assert "no SQLite database" in error.message
        assert (tmp_path / "registry.db").read_text() == "[[artifact]]\n" * 100

    def test_the_database_of_another_program_is_left_alone(
        self, tmp_path: Path, open_sqlite: OpenRegistry
    ) -> None:
        with closing(sqlite3.connect(tmp_path / "registry.db")) as there, there:
            there.execute("create table runs (id integer)")
        before = (tmp_path / "registry.db").read_bytes()
        error = refusal(lambda: register(open_sqlite()))
        assert "another program" in error.message
        assert (tmp_path / "registry.db").read_bytes() == before

    @pytest.mark.parametrize("keep", [100, 4096, 30_000])
    def test_a_damaged_file_is_said(
        self, tmp_path: Path, open_sqlite: OpenRegistry, keep: int
    ) -> None:
        registry = open_sqlite()
        registry.register(History(2000).registration())
        registry.close()
        path = tmp_path / "registry.db"
        data = path.read_bytes()
        path.write_bytes(data[:keep] + b"\xa5" * (len(data) - keep))
        again = open_sqlite()
        try:
            problems = again.verify()
        except TrackingError as error:
            assert "damaged" in error.message or "no SQLite" in error.message  # noqa: PT017 - either way will do
        else:
            assert problems

    @pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
    def test_what_is_no_file_is_refused(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / "registry.db"
        if kind == "folder":
            path.mkdir()
        elif kind == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to("/dev/null")
        registry = open_registry(path, context_at(tmp_path))
        for work in (lambda: register(registry), registry.names, registry.outbox.waiting):
            error = refusal(work)
            assert isinstance(error, ConfigError)
            assert error.hint is not None
        registry.close()

    @pytest.mark.skipif(mounts.problem("tmpfs") is not None, reason="no right to mount")
    def test_a_place_that_cannot_be_written_is_said_and_can_be_read(
        self, tmp_path: Path
    ) -> None:
        folder = tmp_path / "data"
        folder.mkdir()
        registry = open_registry(folder / "registry.db", context_at(tmp_path))
        register(registry)
        registry.close()
        with mounts.bound(folder, folder, read_only=True):
            for name in ("registry.db", "new.db"):
                registry = open_registry(folder / name, context_at(tmp_path))
                error = refusal(
                    lambda r=registry: r.register(registration(simple_lock("v-2")))  # type: ignore[misc]
                )
                assert isinstance(error, TrackerDeniedError)
                assert error.hint is not None
                registry.close()
            registry = open_registry(folder / "registry.db", context_at(tmp_path))
            (version,) = registry.versions("data")
            assert registry.fetch(version) == registration(simple_lock()).text
            assert registry.verify() == []
            registry.close()

    @pytest.mark.skipif(mounts.problem("tmpfs") is not None, reason="no right to mount")
    def test_what_cannot_be_written_and_has_a_log_is_not_read_without_it(
        self, tmp_path: Path
    ) -> None:
        folder = tmp_path / "data"
        folder.mkdir()
        registry = open_registry(folder / "registry.db", context_at(tmp_path))
        register(registry)
        other = folder / "copy.db"
        other.write_bytes((folder / "registry.db").read_bytes())
        log = folder / "registry.db-wal"
        (folder / "copy.db-wal").write_bytes(log.read_bytes())
        registry.close()
        with mounts.bound(folder, folder, read_only=True):
            registry = open_registry(other, context_at(tmp_path))
            assert isinstance(refusal(registry.names), TrackerDeniedError)
            registry.close()

    @pytest.mark.parametrize(
        "statement",
        [
            "create view v as select 1",
            "create trigger t after insert on artlock_tags begin select 1; end",
            "create virtual table f using fts5(a)",
        ],
    )
    def test_what_runs_by_itself_is_refused(
        self, tmp_path: Path, open_sqlite: OpenRegistry, statement: str
    ) -> None:
        registry = open_sqlite()
        register(registry)
        registry.close()
        with closing(sqlite3.connect(tmp_path / "registry.db")) as there, there:
            there.execute(statement)
        error = refusal(open_sqlite().names)
        assert isinstance(error, IntegrityError)
        assert "registry.db" in error.message

    def test_a_statement_that_does_not_end_is_stopped(self, tmp_path: Path) -> None:
        registry = open_registry(tmp_path / "registry.db", context_at(tmp_path, 0.3))
        register(registry)
        endless = (
            "with recursive n(i) as (select 1 union all select i + 1 from n)"
            " select count(*) from n"
        )
        began = time.monotonic()

        def run() -> None:
            with registry._database.reading() as connection:
                connection.exec_driver_sql(endless)

        assert isinstance(refusal(run), TrackerUnavailableError)
        assert time.monotonic() - began < 10
        assert len(registry.versions("data")) == 1
        registry.close()

    @pytest.mark.skipif(mounts.problem("tmpfs") is not None, reason="no right to mount")
    def test_a_full_disk_leaves_what_was_there(self, tmp_path: Path) -> None:
        with mounts.mounted("tmpfs", tmp_path, "size=2m") as folder:
            registry = open_registry(folder / "registry.db", context_at(tmp_path))
            register(registry)
            error = refusal(lambda: registry.register(History(40_000).registration()))
            assert isinstance(error, TrackingError)
            assert "no space" in error.message
            assert [v.number for v in registry.versions("data")] == [1]
            registry.close()
            registry = open_registry(folder / "registry.db", context_at(tmp_path))
            registry.register(registration(simple_lock("v-2")))
            assert registry.verify() == []
            registry.close()

    def test_who_holds_it_too_long_is_waited_for_no_longer(self, tmp_path: Path) -> None:
        path = tmp_path / "registry.db"
        registry = open_registry(path, context_at(tmp_path, 0.2))
        register(registry)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("begin immediate")
            assert len(registry.versions("data")) == 1  # readers do not wait
            error = refusal(lambda: registry.register(registration(simple_lock("v-2"))))
            assert isinstance(error, TrackerUnavailableError)
            assert "another process" in error.message
            other.execute("rollback")
        assert registry.register(registration(simple_lock("v-2"))).created
        registry.close()

    def test_a_network_file_system_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def on_nfs(folder: Path) -> str | None:
            return "nfs4" if folder == tmp_path else None

        monkeypatch.setattr(database, "network_file_system", on_nfs)
        registry = open_registry(tmp_path / "a" / "registry.db", context_at(tmp_path))
        error = refusal(lambda: register(registry))
        assert "nfs4" in error.message
        assert "postgresql://" in (error.hint or "")
        assert not (tmp_path / "a").exists()


class TestServers:
    def test_credentials_are_those_of_the_environment(
        self, postgresql: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = postgresql.create_database()
        monkeypatch.delenv("PGPASSWORD")
        error = refusal(lambda: register(opened(url, tmp_path)))
        assert isinstance(error, TrackerDeniedError)
        assert "PGPASSWORD" in (error.hint or "")
        monkeypatch.setenv("PGPASSWORD", "wrong-password")
        error = refusal(lambda: register(opened(url, tmp_path)))
        assert isinstance(error, TrackerDeniedError)
        assert "wrong-password" not in error.message
        monkeypatch.delenv("PGPASSWORD")
        file = tmp_path / "pgpass"
        file.write_text(f"*:*:*:*:{postgresql.environ['PGPASSWORD']}\n")
        file.chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(file))
        register(opened(url, tmp_path))

    def test_the_environment_of_the_run_comes_before_that_of_the_process(
        self, postgresql: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = postgresql.create_database()
        registry = opened(url, tmp_path)
        monkeypatch.setenv("PGPASSWORD", "wrong-password")
        register(registry)
        registry.close()

    def test_a_server_that_is_not_there_is_said(self, tmp_path: Path) -> None:
        (port,) = free_ports(1)
        error = refusal(
            lambda: register(opened(f"postgresql://127.0.0.1:{port}/art", tmp_path))
        )
        assert isinstance(error, TrackerUnavailableError)
        assert error.hint is not None

    def test_a_server_that_is_no_postgresql_is_said(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            url = f"postgresql://127.0.0.1:{port}/art?connect_timeout=2"
            error = refusal(lambda: register(opened(url, tmp_path)))
        assert isinstance(error, TrackerUnavailableError)

    def test_a_database_that_is_not_there_is_said(
        self, postgresql: PostgreSQL, tmp_path: Path
    ) -> None:
        error = refusal(lambda: register(opened(postgresql.url("nothing"), tmp_path)))
        assert isinstance(error, TrackingError)
        assert "no such database" in error.message
        assert "createdb" in (error.hint or "")

    def test_who_may_not_make_tables_is_told(
        self, postgresql: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = postgresql.create_database()
        postgresql.execute("drop role if exists reader")
        postgresql.execute("create role reader login password 'reader-password'")
        monkeypatch.setenv("PGUSER", "reader")
        monkeypatch.setenv("PGPASSWORD", "reader-password")
        error = refusal(lambda: register(opened(url, tmp_path)))
        assert isinstance(error, TrackerDeniedError)
        assert "may not be written" in error.message

    @pytest.mark.slow
    def test_the_rights_that_the_guide_grants_are_enough_and_no_more(
        self, postgresql: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = postgresql.create_database()
        name = url.rpartition("/")[2]
        opened(url, tmp_path).names()  # the owner looks into it first
        guide = Path(__file__).parents[4] / "docs" / "guides" / "share-a-registry.md"
        blocks = guide.read_text("utf-8").split("```sql\n")[1:]
        assert len(blocks) == 2
        grants = [
            one.strip() for block in blocks for one in block.split("```")[0].split(";")
        ]
        for role in ("data_team", "data_readers"):
            postgresql.execute(f"create role {role} login password '{role}-password'")
        for grant in filter(None, grants):
            postgresql.execute(grant, name)
        login_as(monkeypatch, "data_team")
        registry = opened(url, tmp_path)
        labels = Labels(aliases=("prod",), tags=("a",), meta=(("k", "v"),))
        for number in (1, 2):
            sent = registration(simple_lock(f"v-{number}"), labels=labels, run=RUN)
            registry.register(sent)
        version = registry.find(Ref(name="data"))
        registry.record_input(version, Run(id="eval"))
        registry.close()
        # Each of the rights that change something is needed, and there are no others.
        query = (
            "select privilege_type || ' ' || table_name from"
            " information_schema.table_privileges where grantee = 'data_team'"
        )
        login_as(monkeypatch, "postgres", postgresql.environ["PGPASSWORD"])
        with psycopg.connect(url) as owner:
            given = [str(right) for (right,) in owner.execute(query).fetchall()]
        assert len(given) == 11 + 10 + 3
        for number, right in enumerate(given):
            verb, table = right.split()
            postgresql.execute(f"revoke {verb} on {table} from data_team", name)
            login_as(monkeypatch, "data_team")
            registry = opened(url, tmp_path)
            use_all = all_uses(registry, version, f"r-{number}")
            assert isinstance(refusal(use_all), TrackerDeniedError)
            registry.close()
            postgresql.execute(f"grant {verb} on {table} to data_team", name)
        login_as(monkeypatch, "data_readers")
        registry = opened(url, tmp_path)
        assert registry.versions("data")[-1].number == 1
        assert registry.fetch(version) == registration(simple_lock("v-2")).text
        assert len(registry.lineage(version).consumed) == 1
        for work in (
            lambda: registry.register(registration(simple_lock("v-3"))),
            lambda: registry.record_input(version, Run(id="other")),
        ):
            assert isinstance(refusal(work), TrackerDeniedError)
        registry.close()

    def test_what_the_guide_does_not_grant_is_refused(
        self, granted: str, tmp_path: Path
    ) -> None:
        registry = opened(granted, tmp_path)

        def run(statement: str) -> None:
            with registry._database.writing() as connection:
                connection.exec_driver_sql(statement)

        for statement in (
            "update artlock_versions set digest = digest",
            "delete from artlock_versions",
            "update artlock_pieces set data = data",
            "delete from artlock_aliases",
            "insert into artlock_version values ('9')",
            "select * from artlock_outbox",
            "drop table artlock_tags",
            "create table public.artlock_more (id integer)",
        ):
            error = refusal(lambda statement=statement: run(statement))  # type: ignore[misc]
            assert isinstance(error, TrackerDeniedError), statement
            assert "owner" in (error.hint or "")
        registry.close()

    def test_who_meets_damage_and_may_not_mend_it_is_told(
        self, granted: str, postgresql: PostgreSQL, tmp_path: Path
    ) -> None:
        registry = opened(granted, tmp_path)
        register(registry)
        name = granted.rpartition("/")[2]
        postgresql.execute("update artlock_pieces set data = 'x'", name)
        error = refusal(lambda: register(registry))
        assert isinstance(error, TrackerDeniedError)
        assert "artlock_pieces" in error.message
        registry.close()

    def test_a_connection_that_is_lost_between_two_calls_is_made_again(
        self, postgresql: PostgreSQL, tmp_path: Path
    ) -> None:
        url = postgresql.create_database()
        registry = opened(url, tmp_path)
        register(registry)
        (version,) = registry.versions("data")
        works: tuple[Callable[[], object], ...] = (
            lambda: registry.versions("data"),
            lambda: registry.register(registration(simple_lock("v-2"))),
            lambda: registry.record_input(version, Run(id="eval")),
            registry.outbox.waiting,
        )
        for work in works:
            end_connections(postgresql)
            work()
        assert [v.number for v in registry.versions("data")] == [2, 1]
        registry.close()

    def test_a_connection_that_is_lost_within_a_call_is_said(
        self, postgresql: PostgreSQL, tmp_path: Path
    ) -> None:
        registry = opened(postgresql.create_database(), tmp_path)
        register(registry)

        def lose() -> None:
            with registry._database.writing() as connection:
                end_connections(postgresql)
                connection.exec_driver_sql("select 1")

        assert isinstance(refusal(lose), TrackerUnavailableError)
        assert len(registry.versions("data")) == 1
        registry.close()

    @pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
    def test_a_database_of_another_encoding_is_refused(
        self, postgresql: PostgreSQL, tmp_path: Path, encoding: str
    ) -> None:
        name = f"registry_{encoding.lower()}"
        postgresql.execute(
            f"create database {name} encoding '{encoding}' template template0"
            " lc_collate 'C' lc_ctype 'C'"
        )
        error = refusal(lambda: register(opened(postgresql.url(name), tmp_path)))
        assert isinstance(error, ConfigError)
        assert encoding in error.message
        assert "--encoding UTF8" in (error.hint or "")

    def test_text_arrives_whatever_encoding_a_client_is_set_to(
        self, postgresql: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
        labels = Labels(meta=(("note", "caf\u00e9 \U0001f600"),))
        registry = opened(postgresql.create_schema(), tmp_path)
        outcome = registry.register(registration(simple_lock(), labels=labels))
        assert outcome.version is not None
        assert outcome.version.labels == labels
        registry.close()

    def test_writers_see_what_was_written_while_they_waited_whatever_is_the_default(
        self, postgresql: PostgreSQL, tmp_path: Path
    ) -> None:
        url = postgresql.create_schema()
        url += "%20-cdefault_transaction_isolation%3Dserializable"
        with ThreadPoolExecutor(4) as threads:
            locks = [simple_lock(f"v-{number}") for number in range(4)]
            registries = [opened(url, tmp_path) for _ in locks]
            work = [
                threads.submit(registry.register, registration(lock))
                for registry, lock in zip(registries, locks, strict=True)
            ]
            assert all(one.result().created for one in work)
        with registries[0]._database.writing() as connection:
            found = connection.exec_driver_sql("show transaction_isolation").scalar()
        assert found == "read committed"
        assert [v.number for v in registries[0].versions("data")] == [4, 3, 2, 1]
        for registry in registries:
            registry.close()

    def test_who_opens_it_first_waits_for_who_is_making_its_tables(
        self, postgresql: PostgreSQL, tmp_path: Path
    ) -> None:
        url = postgresql.create_database()
        registry = open_registry(Uri.parse(url), context_at(tmp_path, 0.3))
        with psycopg.connect(url) as other:
            other.execute("select pg_advisory_xact_lock(%s)", (database.SCHEMA_MUTEX,))
            error = refusal(lambda: register(registry))
            assert isinstance(error, TrackerUnavailableError)
            found = other.execute("select to_regclass('artlock_version')").fetchone()
            assert found == (None,)
        register(registry)
        registry.close()

    def test_what_others_have_set_wins_over_what_is_set_here(
        self, postgresql: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def settings(url: str) -> tuple[str, dict[str, str]]:
            registry = opened(url, tmp_path)
            with registry._database.reading() as connection:
                query = "select current_setting('application_name')"
                name = str(connection.exec_driver_sql(query).scalar())
                driver = connection.connection.driver_connection
                assert isinstance(driver, psycopg.Connection)
                found = driver.info.get_parameters()
            registry.close()
            return name, found

        url = postgresql.create_schema()
        name, found = settings(url)
        assert (name, found["connect_timeout"]) == ("artlock", "10")
        assert found["keepalives_idle"] == "10"
        file = tmp_path / "services"
        file.write_text(
            f"[team]\nhost=127.0.0.1\nport={postgresql.port}\ndbname=postgres\n"
            "application_name=the-team\nconnect_timeout=7\nkeepalives_idle=99\n"
        )
        monkeypatch.setenv("PGSERVICEFILE", str(file))
        options = url.partition("?")[2]
        name, found = settings(f"postgresql:///?service=team&{options}")
        assert (name, found["connect_timeout"]) == ("the-team", "7")
        assert found["keepalives_idle"] == "99"
        monkeypatch.setenv("PGAPPNAME", "mine")
        monkeypatch.setenv("PGCONNECT_TIMEOUT", "8")
        name, found = settings(url)
        assert (name, found["connect_timeout"]) == ("mine", "8")

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("PGPORT", "many"),
            ("PGSSLMODE", "perhaps"),
            ("PGCONNECT_TIMEOUT", "soon"),
            ("PGSERVICE", "nobody"),
        ],
    )
    def test_a_setting_that_is_not_valid_is_no_server_that_is_down(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
    ) -> None:
        monkeypatch.setenv(variable, value)
        error = refusal(lambda: register(opened("postgresql:///art", tmp_path)))
        assert isinstance(error, ConfigError)
        assert value in error.message

    @pytest.mark.slow
    def test_a_server_that_is_killed_while_it_writes_leaves_no_half_version(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with PostgreSQL() as server:
            for name, value in server.environ.items():
                monkeypatch.setenv(name, value)
            registry = opened(server.create_database(), tmp_path)
            register(registry)
            with registry._database.reading() as connection:
                backend = connection.exec_driver_sql("select pg_backend_pid()").scalar()
            with pytest.raises(TrackerUnavailableError):
                _write_and_kill(registry, int(backend or 0))
            for _ in range(300):
                try:  # the server starts its other processes anew
                    assert len(registry.versions("data")) == 1
                    break
                except TrackerUnavailableError:
                    time.sleep(0.1)
            assert registry.verify() == []
            registry.close()

    def test_who_gives_a_number_waits_for_who_is_giving_one(
        self, postgresql: PostgreSQL, tmp_path: Path
    ) -> None:
        url = postgresql.create_database()
        register(opened(url, tmp_path))
        registry = open_registry(Uri.parse(url), context_at(tmp_path, 0.3))
        with psycopg.connect(url) as other:
            other.execute("select * from artlock_artifacts for no key update")
            error = refusal(lambda: registry.register(registration(simple_lock("v-2"))))
            assert isinstance(error, TrackerUnavailableError)
        assert registry.register(registration(simple_lock("v-2"))).created
        registry.close()

    def test_a_table_that_is_held_too_long_is_said(
        self, postgresql: PostgreSQL, tmp_path: Path
    ) -> None:
        url = postgresql.create_database()
        register(opened(url, tmp_path))
        registry = open_registry(Uri.parse(url), context_at(tmp_path, 0.3))
        with psycopg.connect(url) as other:
            other.execute("lock table artlock_artifacts")
            error = refusal(lambda: registry.register(registration(simple_lock("v-2"))))
            assert isinstance(error, TrackerUnavailableError)
        registry.close()


def opened(url: str, folder: Path) -> Registry:
    return open_registry(Uri.parse(url), context_at(folder))


def all_uses(
    registry: Registry, version: TrackerVersion, number: str
) -> Callable[[], object]:
    """Return what needs every right that somebody who pushes has."""
    labels = Labels(aliases=("prod",), tags=(number,), meta=(("k", number),))
    sent = registration(simple_lock(number), labels=labels, run=Run(id=number))

    def use() -> None:
        registry.lineage(version)
        registry.register(sent)

    return use


def login_as(
    monkeypatch: pytest.MonkeyPatch, role: str, password: str | None = None
) -> None:
    monkeypatch.setenv("PGUSER", role)
    monkeypatch.setenv("PGPASSWORD", password or f"{role}-password")


@pytest.fixture
def granted(
    postgresql: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Return the URL of a registry, for one who may push as the guide says."""
    url = postgresql.create_database()
    name = url.rpartition("/")[2]
    registry = opened(url, tmp_path)
    register(registry)
    registry.close()
    guide = Path(__file__).parents[4] / "docs" / "guides" / "share-a-registry.md"
    block = guide.read_text("utf-8").split("```sql\n")[1].split("```")[0]
    postgresql.execute(f"create role {name}_team login password '{name}_team-password'")
    for grant in block.replace("data_team", f"{name}_team").split(";"):
        if grant.strip():
            postgresql.execute(grant, name)
    login_as(monkeypatch, f"{name}_team")
    yield url
    login_as(monkeypatch, "postgres", postgresql.environ["PGPASSWORD"])


def end_connections(server: PostgreSQL) -> None:
    server.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where datname like 'registry_%' and pid <> pg_backend_pid()"
    )


def _write_and_kill(registry: Registry, backend: int) -> None:
    with registry._database.writing() as connection:
        connection.exec_driver_sql("insert into artlock_artifacts (name) values ('half')")
        os.kill(backend, signal.SIGKILL)
        connection.exec_driver_sql("select count(*) from artlock_versions")


@pytest.mark.parametrize("text", ["nul\0", "half \ud800"])
def test_text_that_no_database_keeps_is_refused(registry: Registry, text: str) -> None:
    from msgspec.structs import replace  # noqa: PLC0415 - only here

    sent = registration(simple_lock())
    odd = replace(sent, provenance=replace(sent.provenance, author=text))
    with pytest.raises(RegistrationRefusedError):
        registry.register(odd)
    assert list(registry.names()) == []
