import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

import artlock
from artlock.cli import commands
from artlock.cli.main import artlock as group
from artlock.cli.main import run
from artlock.errors import ConfigError

REPOSITORY = Path(__file__).parents[3]
HEAVY = ("boto3", "botocore", "google", "obstore", "rich", "tomlkit", "sqlite3", "urllib3")


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    (root / "source").mkdir(parents=True)
    (root / "source/a").write_text("1")
    (root / "artifacts.toml").write_text(
        '[artlock]\nversion = 1\n[artifacts.data]\nuri = "source/"\n'
    )
    monkeypatch.setenv("ARTLOCK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(root)
    return root


@pytest.mark.parametrize("name", list(commands.SUMMARIES))
def test_the_table_of_commands_begins_as_each_command_says_of_itself(name: str) -> None:
    command = commands.load(name)
    assert command is not None
    assert command.name == name
    summary, own = commands.SUMMARIES[name], command.get_short_help_str(200)
    assert own.split()[0] == summary.split()[0]
    assert own.endswith(("?", "."))
    assert len(summary) <= 65


def test_a_name_that_is_no_command_is_none() -> None:
    assert commands.load("frobnicate") is None


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["sync", "--help"]])
def test_help_and_version_load_nothing_heavy(arguments: list[str]) -> None:
    own = () if "sync" in arguments else ("msgspec", "tomllib")  # a command has values
    heavy = (*HEAVY, *own)
    code = (
        "import sys; from artlock.cli.main import run\n"
        "code = run(sys.argv[1:])\n"
        f"print([m for m in {heavy!r} if m in sys.modules], code)"
    )
    done = python(code, *arguments)
    assert done.stdout.splitlines()[-1] == "[] 0", done.stderr


def test_check_of_a_project_loads_no_client(project: Path) -> None:
    assert run(["resolve"]) == 0
    code = (
        "import sys; from artlock.cli.main import run\n"
        "code = run(['check'])\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules], code)"
    )
    done = python(code)
    assert done.stdout.splitlines()[-1] == "[] 0", done.stderr
    assert (project / "artifacts.lock").exists()


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"artlock, version {artlock.__version__}\n"


def test_no_arguments_are_help_and_a_usage_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run([]) == 2
    found = capsys.readouterr()
    assert "Usage: artlock" in found.out + found.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["snyc"], "there is no command `snyc`; did you mean `sync`?"),
        (["zzz"], "there is no command `zzz`"),
        (["sync", "--nonsense"], "no such option"),
        (["sync", "--link-mode", "teleport"], "'teleport' is not one of"),
        (["add"], "missing argument 'URI'"),
        (["--jobs", "0", "sync"], "0 is not in the range"),
        (["a\x1b[31mb"], "there is no command `a\\x1b[31mb`"),
    ],
)
def test_wrong_usage_is_2_and_says_what_and_where_to_look(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.startswith("error[config-error]: ")
    assert "--help`" in shown


def test_global_options_stand_before_or_after_the_command(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tmp_path / "before"
    for arguments in (
        ["--cache-dir", str(before), "cache", "dir"],
        ["cache", "dir", "--cache-dir", str(before)],
        ["--cache-dir", str(tmp_path / "x"), "cache", "dir", "--cache-dir", str(before)],
    ):
        assert run(arguments) == 0
        assert capsys.readouterr().out == f"{before}\n"
    run(["resolve"])
    capsys.readouterr()
    for arguments in (
        ["--json", "check"],
        ["check", "--json"],
        ["-C", str(project), "check", "--json"],
    ):
        assert run(arguments) == 0
        assert json.loads(capsys.readouterr().out)["ok"] is True
    for arguments in (["-q", "check"], ["check", "--quiet"]):
        assert run(arguments) == 0
        assert capsys.readouterr().err == ""


def test_each_flag_has_a_variable_and_what_is_typed_wins(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARTLOCK_DIRECTORY", str(project))
    assert run(["resolve"]) == 0
    monkeypatch.setenv("ARTLOCK_REQUIRE", "strong")
    assert run(["check"]) == 0
    monkeypatch.setenv("ARTLOCK_JSON", "1")
    capsys.readouterr()
    assert run(["check"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    assert run(["-C", str(tmp_path), "check"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "invalid-manifest"
    assert run(["check", "-C", str(tmp_path)]) == 2


_WITHOUT_VARIABLE = {"push": ["outbox", "drop"], "sync": ["ref"]}
"""They name what is read or done, as those of ``verify`` do."""


@pytest.mark.parametrize("name", sorted(set(commands.SUMMARIES) - {"cache"}))
def test_every_own_option_of_a_command_has_a_variable(name: str) -> None:
    command = commands.load(name)
    assert command is not None
    shared = {parameter.name for parameter in group.params}
    own = [
        p for p in command.params if isinstance(p, click.Option) and p.name not in shared
    ]
    lacking = [p.name for p in own if not p.envvar and name != "verify"]
    assert lacking == _WITHOUT_VARIABLE.get(name, [])


def test_a_defect_is_3_with_a_report_and_never_the_answer_no(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        message = "boom\x1b"
        raise RuntimeError(message)

    monkeypatch.setattr("artlock.ops.project.parse_manifest", broken)
    assert run(["check"]) == 3
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "error[internal-error]: a defect in artlock: RuntimeError: boom\\x1b" in shown
    assert f"artlock {artlock.__version__}: check" in shown
    assert "\x1b" not in shown
    assert (project / "artifacts.toml").exists()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, click.Abort])
def test_an_interruption_is_130(
    interruption: type[BaseException],
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise interruption

    monkeypatch.setattr("artlock.ops.project.parse_manifest", interrupted)
    assert run(["check"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert not (project / "artifacts.lock").exists()


def test_settings_that_are_not_valid_are_2_and_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Path(os.environ["XDG_CONFIG_HOME"]) / "artlock/config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text("jops = 3\n")
    assert run(["check"]) == 2
    shown = capsys.readouterr().err
    assert "jops" in shown
    assert str(settings) in shown
    assert project.exists()
    settings.write_bytes(b"\xff")
    assert run(["check"]) == 2
    assert ConfigError.code in capsys.readouterr().err


def test_a_closed_pipe_ends_quietly_and_leaves_the_exit_code_as_earned(
    project: Path,
) -> None:
    for number in range(3000):
        (project / f"source/{number:040}").write_text("x")
    assert run(["resolve"]) == 0
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    for command, earned in (("ls data", 0), ("status --porcelain", 1)):
        script = (
            f"{sys.executable} -m artlock {command} | head -n 1; exit ${{PIPESTATUS[0]}}"
        )
        done = subprocess.run(
            ["bash", "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (earned, "")
        assert done.stdout.count("\n") == 1


def test_an_interruption_is_a_document_too(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("artlock.ops.project.parse_manifest", interrupted)
    assert run(["check", "--json"]) == 130
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["exit_code"]) == ("interrupted", 130)
    assert project.exists()


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_told_to_end_ends_as_with_ctrl_c(
    project: Path, which: signal.Signals
) -> None:
    code = (
        "import os, signal, sys, artlock.ops.project as p\n"
        "from artlock.cli.main import main\n"
        f"p.parse_manifest = lambda _: os.kill(os.getpid(), {int(which)})\n"
        f"os.chdir({str(project)!r})\n"
        "sys.argv[1:] = ['check']\n"
        "main()"
    )
    done = python(code)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.strip().startswith("interrupted")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has this device")
@pytest.mark.parametrize("arguments", [["ls"], ["ls", "--json"], ["--help"]])
def test_output_that_cannot_be_written_is_an_error_and_no_defect(
    project: Path, arguments: list[str]
) -> None:
    assert run(["resolve"]) == 0
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "artlock", *arguments],
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        talk = subprocess.run(
            [sys.executable, "-m", "artlock", "check"],
            env=environment,
            stderr=full,
            check=False,
        )
    assert done.returncode == 3
    assert "the output cannot be written: no space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert talk.returncode == 0
    assert project.exists()
