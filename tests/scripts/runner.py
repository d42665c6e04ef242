"""Run transcripts: what a person types, and what must then be true.

A case is a text file. Lines run from the top; ``#`` begins a comment, which names a step.
After the first ``-- NAME --`` line come files that are written before the first step.
``$NAME`` stands for a variable; words are quoted as in a shell.

==================================== ======================================================
``artlock ARGS``                     runs in this process; its exit code must be 0
``exits N artlock ARGS``             the same, with another exit code
``process artlock ARGS``             runs in a process of its own; also ``exits N process``
``interrupts artlock ARGS``          the same, with SIGINT in the middle of its first read
``git ARGS``                         runs git; also ``exits N git``
``shell LINE``                       runs a line of shell; also ``exits N shell``
``needs aws``                        puts it on the path of ``shell``; skipped without it
``stdout has|lacks|is TEXT``         about the last command; ``stderr`` likewise
``stdout empty``                     likewise for ``stderr``
``stdout cmp FILE``                  is the text of the file, with variables in place
``json PATH = TEXT``                 a value of the JSON on stdout: ``files.0.state``
``exists|absent FILE``               a file or folder, or none
``file FILE is|has|lacks TEXT``      its content; ``is`` ignores the last newline
``same FILE FILE``                   two files of equal bytes
``tree FOLDER = FILES``              all files below it, sorted; none is an empty text
``keep FILE``, ``untouched FILE``    the file was not written since, not even alike
``write|append FILE = TEXT``         with a newline at the end; ``\\n`` breaks lines
``replace FILE OLD NEW``             wherever the text stands
``remove|mkdir FILE``, ``copy A B``  a folder goes with all that is in it
``symlink FILE = TARGET``
``mode FILE OCTAL``
``owner FILE UID``                   gives it to another user; skipped without the right
``damage GLOB``                      another last byte in each file, as a bad disk gives it
``put URI = TEXT``, ``put URI FILE`` writes an object; its version is ``$VERSION`` then
``delete URI``, ``forget URI VER``   deletes an object; deletes one version for good
``archive URI = TEXT``               writes an object into an archive class (S3)
``hold URI``                         protects what is there from being deleted (S3)
``settings URI FILE``                of its bucket until the case ends: lifecycle rules as
                                     ``aws`` reads them, or a bucket as GCS describes it
``fault PLACE KIND METHOD TEXT ...`` a fault of the testbed for requests to s3, gcs or http
                                     that have TEXT in path or query, with ``times=1`` and
                                     the like, ``headers=NAME:VALUE``, ``body=TEXT``
                                     or ``body=@FILE``;
                                     ``error`` with ``code=`` is S3's document;
                                     ``swap`` puts ``with=TEXT`` at ``at=URI`` just before
``heal PLACE``                       no more faults
``silence SECONDS``                  how long a store may be silent, from now on
``deny PERMISSIONS``                 what nobody may do at ``$HOSTILE``; none allows all
``archive URI``, ``restore URI``     an object of ``$HOSTILE``: whether it may be read
``requests PLACE METHOD TEXT = N``   how many came since ``heal`` or the start
``as NAME``                          from now on with the keys of that identity
``env NAME=TEXT``, ``unset NAME``
``let NAME = TEXT``, ``now NAME``    a variable of the case; ``now`` is the moment, in UTC
``cd FOLDER``                        from the folder above the project
``cache empty``                      forgets all blobs
``tmpfs FOLDER SIZE``                mounts a small file system; skipped without the right
==================================== ======================================================

Three laws are held beside what a case says:

* A command that does not end with 0 changes no file of the project, and makes none.
* Whatever happened, every blob in the cache has the digest that is its name, and no
  temporary file is left in the workspace.
* No output has a secret key.
"""

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
from blake3 import blake3

from artlock.cli.main import run
from artlock.stores.http import HttpStore
from artlock.stores.transfer import clients
from testbed.faults import Fault, s3_error
from tests.defaults import set_default
from tests.programs import REPOSITORY, path_with_artlock, tool
from tests.scripts.places import S3, Buckets, Places, interrupting

_SECTION = re.compile(r"^-- (\S+) --$", re.MULTILINE)
_VARIABLE = re.compile(r"\$([A-Z][A-Z0-9_]*)")
_NUMBERS = frozenset({"status", "after", "offset", "claims", "seconds"})
_TIMEOUT_S = 60.0
_STALL_S = 30.0


@dataclass(frozen=True, slots=True)
class Case:
    """A transcript as it is written."""

    path: Path
    steps: tuple[tuple[int, str], ...]
    files: tuple[tuple[str, str], ...]


def read_case(path: Path) -> Case:
    """Read a case; the part before the first section is its steps."""
    script, *sections = _SECTION.split(path.read_text("utf-8"))
    lines = enumerate(script.splitlines(), 1)
    steps = [(n, line.strip()) for n, line in lines if line.strip()]
    return Case(
        path,
        tuple((n, line) for n, line in steps if not line.startswith("#")),
        tuple(
            (name, text.removeprefix("\n"))
            for name, text in zip(sections[::2], sections[1::2], strict=True)
        ),
    )


@dataclass(slots=True)
class Result:
    """The last command."""

    command: str = ""
    code: int = 0
    stdout: str = ""
    stderr: str = ""

    def __str__(self) -> str:
        return (
            f"{self.command}\nexit code {self.code}\n--- stdout\n{self.stdout}"
            f"--- stderr\n{self.stderr}"
        )


@dataclass(slots=True)
class Transcript:
    """One run of a case in a folder of its own."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    places: Places
    result: Result = field(default_factory=Result)
    own: dict[str, str] = field(default_factory=dict)
    kept: dict[Path, os.stat_result] = field(default_factory=dict)
    mounts: list[Path] = field(default_factory=list)
    failure: str | None = None

    @property
    def work(self) -> Path:
        """The folder above the project."""
        return self.folder / "work"

    @property
    def cache(self) -> Path:
        return Path(os.environ["ARTLOCK_CACHE_DIR"])

    def run(self, case: Case) -> None:
        """Run every step, and hold the laws; ``failure`` tells the first that failed."""
        self._prepare(case)
        try:
            for number, line in case.steps:
                try:
                    self._step(line)
                except AssertionError as error:
                    place = f"{case.path.name}:{number}: {line}"
                    self.failure = f"{place}\n{error}\n{self.result}"
                    return
            self._hold_cache()
        finally:
            for mount in self.mounts:
                subprocess.run(["umount", "-l", mount], check=True)

    def _prepare(self, case: Case) -> None:
        project = self.work / "project"
        project.mkdir(parents=True)
        (self.folder / "files").mkdir()
        self.monkeypatch.chdir(project)
        self.monkeypatch.setenv("ARTLOCK_CACHE_DIR", str(self.folder / "cache"))
        self.monkeypatch.setenv("PATH", path_with_artlock(self.folder / "bin"))
        settings = Path(os.environ["XDG_CONFIG_HOME"]) / "artlock" / "config.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text('allow-private-hosts = ["127.0.0.1"]\n')
        self.own = {
            "CONFIG": os.environ["XDG_CONFIG_HOME"],
            "PYTHON": sys.executable,
            "FILES": (self.folder / "files").as_uri(),
            "FOLDER": str(self.folder),
            "HOME": os.environ["HOME"],
        }
        for name, text in case.files:
            path = project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._expanded(text), "utf-8")

    def _expanded(self, text: str) -> str:
        known: Mapping[str, Callable[[], str]] = self.places.variables()

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in self.own:
                return self.own[name]
            return known[name]() if name in known else match[0]

        return _VARIABLE.sub(value, text)

    def _step(self, line: str) -> None:
        line = self._expanded(line)
        verb, _, rest = line.partition(" ")
        if verb == "exits":
            code, _, rest = rest.partition(" ")
            verb, _, rest = rest.partition(" ")
            if verb in {"git", "shell"}:
                getattr(self, f"_do_{verb}")(rest, expected=int(code))
            else:
                self._command(verb, rest, expected=int(code))
        elif verb in {"artlock", "process"}:
            self._command(verb, rest, expected=0)
        elif verb in {"stdout", "stderr"}:
            self._stream(getattr(self.result, verb), rest)
        else:
            deed = getattr(self, f"_do_{verb}", None)
            assert deed is not None, f"there is no directive `{verb}`"
            deed(rest)

    # Commands.

    def _command(self, verb: str, rest: str, *, expected: int) -> None:
        arguments = shlex.split(rest)
        before = self._snapshot()
        if verb == "process":
            assert arguments.pop(0) == "artlock"
            self.result = self._in_process_of_its_own(arguments)
        else:
            assert verb == "artlock", f"`{verb}` is no command"
            self.result = _in_this_process(arguments)
        self._judge(before, expected)

    def _judge(self, before: Mapping[str, bytes], expected: int) -> None:
        print(self.result)  # noqa: T201 - for `pytest -rP`: to read what users read
        assert self.result.code == expected, f"exit code is not {expected}"
        for secret in self.places.secrets():
            assert secret not in self.result.stdout + self.result.stderr, "a secret is told"
        after = self._snapshot()
        if expected:
            assert after == before, "a command that did not succeed changed files: " + str(
                sorted(
                    k for k in before.keys() | after.keys() if before.get(k) != after.get(k)
                )
            )
        left = [p for p in self.work.rglob(".artlock-*") if p.is_file()]
        left += [p for p in self.work.glob("*/.artlock/tmp/*") if p.is_file()]
        assert not left, f"temporary files are left: {left}"

    def _in_process_of_its_own(
        self, arguments: list[str], *, on_start: Callable[[int], None] = lambda _: None
    ) -> Result:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        with subprocess.Popen(
            [sys.executable, "-m", "artlock", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            on_start(process.pid)
            stdout, stderr = process.communicate(timeout=_TIMEOUT_S)
        return Result(
            shlex.join(["artlock", *arguments]), process.returncode, stdout, stderr
        )

    def _do_interrupts(self, rest: str) -> None:
        arguments = shlex.split(rest)
        assert arguments.pop(0) == "artlock"
        before = self._snapshot()
        started = threading.Event()
        pid, sent = 0, 0.0

        def remember(number: int) -> None:
            nonlocal pid
            pid = number
            started.set()

        def interrupt() -> None:
            nonlocal sent
            started.wait(_TIMEOUT_S)
            sent = time.monotonic()
            os.kill(pid, signal.SIGINT)

        for name in ("s3", "gcs", "http"):
            if name in self.places.opened():
                self.places.place(name).forwarder.inject(*interrupting(interrupt, _STALL_S))
        self.result = self._in_process_of_its_own(arguments, on_start=remember)
        self._judge(before, 130)
        assert time.monotonic() - sent < _STALL_S / 2, "it waited for the body"

    def _do_git(self, rest: str, *, expected: int = 0) -> None:
        done = subprocess.run(
            ["git", *shlex.split(rest)], capture_output=True, text=True, check=False
        )
        self.result = Result(f"git {rest}", done.returncode, done.stdout, done.stderr)
        assert done.returncode == expected, f"exit code is not {expected}"

    def _do_shell(self, rest: str, *, expected: int = 0) -> None:
        done = subprocess.run(
            ["/bin/sh", "-c", rest], capture_output=True, text=True, check=False
        )
        self.result = Result(rest, done.returncode, done.stdout, done.stderr)
        assert done.returncode == expected, f"exit code is not {expected}"

    def _do_needs(self, rest: str) -> None:
        (self.folder / "bin" / rest).symlink_to(tool(rest))

    # What a command said.

    def _stream(self, said: str, rest: str) -> None:
        how, _, text = rest.partition(" ")
        flat = " ".join(said.split())
        if how == "has":
            assert " ".join(text.split()) in flat
        elif how == "lacks":
            assert " ".join(text.split()) not in flat
        elif how == "is":
            assert said.removesuffix("\n") == text
        elif how == "empty":
            assert said == ""
        else:
            assert how == "cmp", f"`{how}` is not known"
            assert said == Path(text).read_text("utf-8")

    def _do_json(self, rest: str) -> None:
        path, _, text = rest.partition(" = ")
        value = json.loads(self.result.stdout)
        for part in path.split("."):
            value = value[int(part)] if isinstance(value, list) else value[part]
        shown = value if isinstance(value, str) else json.dumps(value)
        assert shown == text, f"it is {shown}"

    # Files.

    def _do_exists(self, rest: str) -> None:
        assert Path(rest).exists()

    def _do_absent(self, rest: str) -> None:
        assert not os.path.lexists(rest)

    def _do_file(self, rest: str) -> None:
        name, how, text = _unescaped(rest).split(" ", 2)
        content = Path(name).read_text("utf-8")
        if how == "is":
            assert content.removesuffix("\n") == text, f"it is {content!r}"
        else:
            assert how in {"has", "lacks"}, f"`{how}` is not known"
            assert (text in content) == (how == "has"), f"it is {content!r}"

    def _do_same(self, rest: str) -> None:
        one, other = rest.split()
        assert Path(one).read_bytes() == Path(other).read_bytes()

    def _do_tree(self, rest: str) -> None:
        name, _, wanted = rest.partition(" =")
        folder = Path(name)
        found = sorted(
            p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()
        )
        assert found == wanted.split(), f"there is {found}"

    def _do_keep(self, rest: str) -> None:
        self.kept[Path(rest)] = Path(rest).stat()

    def _do_untouched(self, rest: str) -> None:
        now, then = Path(rest).stat(), self.kept[Path(rest)]
        assert (now.st_mtime_ns, now.st_ctime_ns) == (then.st_mtime_ns, then.st_ctime_ns)
        assert now.st_ino == then.st_ino

    def _do_write(self, rest: str) -> None:
        path, text = self._named(rest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text, "utf-8")

    def _do_append(self, rest: str) -> None:
        path, text = self._named(rest)
        path.write_text(path.read_text("utf-8") + text, "utf-8")

    def _do_replace(self, rest: str) -> None:
        name, old, new = map(_unescaped, shlex.split(rest))
        before = Path(name).read_text("utf-8")
        assert old in before, f"`{old}` is not in {before!r}"
        Path(name).write_bytes(before.replace(old, new).encode())

    @staticmethod
    def _named(rest: str) -> tuple[Path, str]:
        name, _, text = rest.partition(" = ")
        return Path(name.removeprefix("file://")), _unescaped(text) + "\n"

    def _do_remove(self, rest: str) -> None:
        path = Path(rest.removeprefix("file://"))
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def _do_mkdir(self, rest: str) -> None:
        Path(rest).mkdir(parents=True)

    def _do_copy(self, rest: str) -> None:
        one, other = rest.split()
        shutil.copyfile(one, other)

    def _do_damage(self, rest: str) -> None:
        root, pattern = Path(rest).anchor or ".", rest.lstrip("/")
        found = [path for path in Path(root).glob(pattern) if path.is_file()]
        assert found, f"there is no `{rest}`"
        for path in found:
            before = path.stat()
            path.chmod(0o600)
            data = path.read_bytes()
            path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
            path.chmod(before.st_mode)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def _do_symlink(self, rest: str) -> None:
        name, _, target = rest.partition(" = ")
        Path(name).symlink_to(target)

    def _do_mode(self, rest: str) -> None:
        name, mode = rest.split()
        Path(name).chmod(int(mode, 8))

    def _do_owner(self, rest: str) -> None:
        name, uid = rest.split()
        if os.geteuid() != 0:
            pytest.skip("only root may give files away")
        os.chown(name, int(uid), -1)

    # Places.

    def _do_put(self, rest: str) -> None:
        uri, equals, text = rest.partition(" = ")
        if equals:
            body = text.encode()
        else:
            uri, _, name = rest.rpartition(" ")
            body = Path(name).read_bytes()
        self.own["VERSION"] = self.places.of(uri).put(uri, body)

    def _do_delete(self, rest: str) -> None:
        self.places.of(rest).delete(rest)

    def _do_forget(self, rest: str) -> None:
        uri, version = rest.split()
        self.places.of(uri).forget(uri, version)

    def _do_archive(self, rest: str) -> None:
        uri, is_written, text = rest.partition(" = ")
        if not is_written:
            self.places.hostile().archive(uri)
            return
        place = self.places.of(uri)
        assert isinstance(place, S3), "only S3 has archive classes"
        place.archive(uri, text.encode())

    def _do_hold(self, rest: str) -> None:
        place = self.places.of(rest)
        assert isinstance(place, S3), "holds are put on objects of S3 only"
        place.hold(rest)

    def _do_settings(self, rest: str) -> None:
        uri, name = rest.split()
        self.places.set_up(uri, json.loads(Path(name).read_text("utf-8")))

    def _do_fault(self, rest: str) -> None:
        place, kind, method, text, *more = shlex.split(rest)
        facts = dict(item.split("=", 1) for item in more)

        def matches(asked: str, path: str, query: str) -> bool:
            return method in {asked, "*"} and text in f"{unquote(path)}?{query}"

        times = int(facts.pop("times")) if "times" in facts else None
        fault: Fault
        if kind == "error":
            fault = s3_error(
                int(facts["status"]), facts["code"], matches=matches, times=times
            )
        elif kind == "swap":
            at, body = facts["at"], facts["with"].encode()

            def swap() -> None:
                self.places.of(at).put(at, body)

            fault = Fault(kind="before", matches=matches, times=1, action=swap)
        else:
            settings = {k: _setting(k, v) for k, v in facts.items()}
            fault = Fault(kind=kind, matches=matches, times=times, **settings)  # type: ignore[arg-type] # a case names its fields
        self.places.place(place).forwarder.inject(fault)

    def _do_silence(self, rest: str) -> None:
        self.monkeypatch.setattr(clients, "READ_TIMEOUT", timedelta(seconds=float(rest)))
        set_default(self.monkeypatch, HttpStore, "read_timeout_s", float(rest))

    def _do_heal(self, rest: str) -> None:
        forwarder = self.places.place(rest).forwarder
        forwarder.heal()
        forwarder.clear()

    def _do_deny(self, rest: str) -> None:
        bucket = self.places.hostile().bucket
        bucket.policy = replace(bucket.policy, denied=frozenset(rest.split()))

    def _do_restore(self, rest: str) -> None:
        self.places.hostile().restore(rest)

    def _do_requests(self, rest: str) -> None:
        asked, _, number = rest.rpartition(" = ")
        place, method, text = asked.split(" ", 2)
        found = [
            f"{r.method} {r.path}?{r.query}"
            for r in self.places.place(place).forwarder.requests
            if method in {r.method, "*"} and text.strip() in f"{unquote(r.path)}?{r.query}"
        ]
        assert len(found) == int(number), f"there were {found}"

    # The machine.

    def _do_as(self, rest: str) -> None:
        self.places.act_as(rest)

    def _do_env(self, rest: str) -> None:
        name, _, text = rest.partition("=")
        self.monkeypatch.setenv(name, text)

    def _do_unset(self, rest: str) -> None:
        self.monkeypatch.delenv(rest)

    def _do_let(self, rest: str) -> None:
        name, _, text = rest.partition(" = ")
        self.own[name] = text

    def _do_now(self, rest: str) -> None:
        # Between two whole seconds, so that it is after what was and before what comes.
        time.sleep(1.1)
        self.own[rest] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        time.sleep(1.1)

    def _do_cd(self, rest: str) -> None:
        self.monkeypatch.chdir(self.work / rest)

    def _do_cache(self, rest: str) -> None:
        assert rest == "empty", f"`cache {rest}` is not known"
        shutil.rmtree(self.cache)

    def _do_tmpfs(self, rest: str) -> None:
        name, size = rest.split()
        folder = Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        options = f"size={size},mode=700"
        command = ["mount", "-t", "tmpfs", "-o", options, "artlock", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, check=False).returncode:
            pytest.skip("a tmpfs cannot be mounted here")
        self.mounts.append(folder)

    # Laws.

    def _snapshot(self) -> dict[str, bytes]:
        """Return every file of the work folder but git's and artlock's own memory."""
        found: dict[str, bytes] = {}
        for path in sorted(self.work.rglob("*")):
            parts = path.relative_to(self.work).parts
            if ".git" in parts or ".artlock" in parts:
                continue
            name = "/".join(parts)
            if path.is_symlink():
                found[name] = b"-> " + os.fsencode(path.readlink())
            elif path.is_file():
                found[name] = path.read_bytes()
            elif not path.is_dir():
                found[name] = b"special"
        return found

    def _hold_cache(self) -> None:
        blobs = self.cache / "v1" / "blobs" / "blake3"
        for path in blobs.rglob("*"):
            if path.is_file():
                name = path.parent.name + path.name
                assert blake3(path.read_bytes()).hexdigest() == name, f"{path} is damaged"


def _unescaped(text: str) -> str:
    return text.replace("\\r", "\r").replace("\\n", "\n")


def _setting(name: str, text: str) -> object:
    """Return a field of a fault as its type."""
    if name in _NUMBERS:
        return int(text)
    if name == "headers":
        key, _, value = text.partition(":")
        return {key: value}
    if name == "body":
        is_file = text.startswith("@")
        return Path(text[1:]).read_bytes() if is_file else text.encode()
    return text


def _in_this_process(arguments: list[str]) -> Result:
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        code = run(arguments)
    command = shlex.join(["artlock", *arguments])
    return Result(command, code, stdout.getvalue(), stderr.getvalue())


def run_case(
    case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch, buckets: Buckets
) -> None:
    """Run a case in an empty folder."""
    places = Places(buckets, monkeypatch.setenv)
    try:
        transcript = Transcript(folder, monkeypatch, places)
        transcript.run(case)
    finally:
        places.close()
    if transcript.failure is not None:
        pytest.fail(transcript.failure, pytrace=False)
