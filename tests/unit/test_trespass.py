"""What lies in a folder, or in the data, never becomes code, a program or a command."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

import artlock as package
from artlock.cache.layout import VERSION, CacheLayout, default_root
from torture.inside import artlock

HOME = Path(package.__file__).parent
ARTLOCK = Path(sys.executable).with_name("artlock")
DESERIALISERS = {
    *("pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml", "numpy"),
    *("torch", "code", "importlib", "pkgutil", "runpy", "imp", "pkg_resources"),
}
EVALUATORS = {"eval", "exec", "compile", "__import__", "execfile", "input", "breakpoint"}


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(HOME.rglob("*.py")):
        yield path, ast.parse(path.read_bytes())


def imported(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or "").partition(".")[0])
    return names


def called(tree: ast.Module) -> set[str]:
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {func.id for func in calls if isinstance(func, ast.Name)}


def allowed_in(path: Path, tree: ast.Module) -> set[str]:
    """Return ``yaml`` for the reader that takes events, which are text and no objects."""
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    makes_objects = any("load" in name or "construct" in name for name in attributes)
    is_reader = path.parts[-2:] == ("imports", "yaml.py")
    return {"yaml"} if is_reader and not makes_objects else set()


def test_5_13_5_14_nothing_turns_data_or_names_into_code() -> None:
    # `python -m ruff` holds the rest of it: S301 (pickle), S506 (yaml), S307 (eval).
    seen = 0
    for path, tree in modules():
        seen += 1
        assert imported(tree) & DESERIALISERS <= allowed_in(path, tree), path
        assert called(tree) & EVALUATORS == set(), path
    assert seen > 80


def test_5_13_the_check_would_see_it() -> None:
    tree = ast.parse("from pickle import loads\nimport yaml.x\nprint(eval('1'))")
    assert imported(tree) == {"pickle", "yaml"}
    assert called(tree) == {"print", "eval"}


def test_5_15_no_program_is_run_through_a_shell() -> None:
    for path, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "shell":
                pytest.fail(f"{path}:{node.value.lineno}")
            if isinstance(node, ast.Attribute):
                assert node.attr not in {"system", "popen", "startfile"}, path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with its data beside it, resolved and synced."""
    root = tmp_path / "project"
    (root / "raw").mkdir(parents=True)
    (root / "raw/a").write_bytes(b"a")
    (root / "artifacts.toml").write_text('[artifacts.a]\nuri = "raw/"\n')
    assert artlock("resolve", "-C", root).code == 0
    assert artlock("sync", "-C", root).code == 0
    return root


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*arguments], cwd=project, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(not ARTLOCK.exists(), reason="artlock is not installed as a script")
def test_5_14_5_15_modules_plugins_and_programs_of_the_folder_are_not_run(
    project: Path,
) -> None:
    trap = f"open({str(project / 'trapped')!r}, 'w').close()\n"
    for name in ("click", "boto3", "sitecustomize", "usercustomize", "msgspec", "blake3"):
        (project / f"{name}.py").write_text(trap)
    for name in ("artlock_foo", "artlock", "rich"):
        (project / name).mkdir()
        (project / name / "__init__.py").write_text(trap)
    (project / "artlock_foo-1.dist-info").mkdir()
    (project / "artlock_foo-1.dist-info/entry_points.txt").write_text(
        "[artlock.plugins]\nfoo = artlock_foo\n[artlock.stores]\nfoo = artlock_foo\n"
    )
    (project / ".env").write_text("ARTLOCK_JSON=1\nAWS_PROFILE=evil\n")
    for program in ("git", "aws", "gcloud", "cp", "python"):
        (project / program).write_text(f"#!/bin/sh\ntouch '{project}/trapped'\n")
        (project / program).chmod(0o755)
    for command in ("check", "ls", "status", "sync", "resolve", "doctor", "diff"):
        done = run(project, str(ARTLOCK), command)
        assert "Traceback" not in done.stderr
        assert not done.stdout.startswith("{")
    assert not (project / "trapped").exists()


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.skipif(not ARTLOCK.exists(), reason="artlock is not installed as a script")
def test_5_16_check_opens_no_socket_and_writes_nothing(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    with (project / "artifacts.toml").open("a") as file:
        file.write('[artifacts.b]\nuri = "s3://bucket/k/"\nendpoint = "https://evil/"\n')
    log = tmp_path / "log"
    calls = "trace=socket,connect,openat,open,creat,unlink,rename,renameat,mkdir,mkdirat"
    done = run(project, "strace", "-f", "-o", str(log), "-e", calls, str(ARTLOCK), "check")
    assert done.returncode == 1, done.stderr  # `b` is declared, but not locked
    lines = log.read_text().splitlines()
    assert any(f"{project.name}/artifacts.lock" in line for line in lines)
    assert [line for line in lines if "AF_INET" in line] == []
    writing = ("O_WRONLY", "O_RDWR", "O_CREAT", "unlink", "rename", "mkdir", "creat(")
    # The calls, and not the names of files: a module may be called after one.
    asked = [re.sub(r'"[^"]*"', '""', line) for line in lines if "/dev/null" not in line]
    written = [line for line in asked if any(word in line for word in writing)]
    assert written == []


ESCAPES = ("\x1b[2J", "\x1b]0;owned\x07", "\x9b31m", "\u202egnp", "\u2028", "\x7f", "\r")


@pytest.mark.parametrize("escape", ESCAPES)
@pytest.mark.parametrize("options", [(), ("-v",), ("--json",), ("--color", "always")])
def test_2_5_5_30_a_key_with_a_command_for_the_terminal_is_shown_not_sent(
    project: Path, escape: str, options: tuple[str, ...]
) -> None:
    (project / f"raw/x{escape}y").write_bytes(b"x")
    ended = artlock("update", "-C", project, *options)
    assert ended.code == 4
    said = (ended.out + ended.err).replace("\x1b[0m", "")
    for style in ("\x1b[31m", "\x1b[36m", "\x1b[1m", "\x1b[33m"):
        said = said.replace(style, "")
    assert escape not in said
    shown = escape.encode("unicode_escape").decode()
    assert shown in said or json.dumps(escape)[1:-1] in said
    assert b"x" + escape.encode() not in (project / "artifacts.lock").read_bytes()


@pytest.mark.parametrize("escape", ["\u009b31m", "\u202egnp", "\u2028", "\u200b"])
def test_5_30_what_is_asked_to_trust_is_shown_as_it_is(project: Path, escape: str) -> None:
    (project / "artifacts.toml").write_text(
        f'[artifacts.a]\nuri = "s3://b/k/"\nprofile = "safe{escape}"\n', encoding="utf-8"
    )
    ended = artlock("trust", "--show", "-C", project)
    assert ended.code == 1
    assert escape not in ended.out + ended.err
    assert escape.encode("unicode_escape").decode() in ended.out


def test_3_26_what_another_version_keeps_in_the_cache_is_neither_read_nor_touched(
    project: Path,
) -> None:
    layout = CacheLayout(default_root(os.environ))
    later = layout.root / "v2" / "blobs" / "blake3"
    later.mkdir(parents=True)
    blob = later / blake3(b"a").hexdigest()
    blob.write_bytes(b"not what its name says")
    shutil.rmtree(layout.root / VERSION)
    shutil.rmtree(project / "data")
    assert artlock("sync", "-C", project).code == 0
    assert (project / "data/a/a").read_bytes() == b"a"
    assert artlock("cache", "prune", "--grace", "0h", "-C", project).code == 0
    assert blob.read_bytes() == b"not what its name says"


@pytest.mark.parametrize("command", ["sync", "check", "status", "resolve", "update"])
def test_3_26_a_lockfile_of_a_later_format_is_refused_and_stays(
    project: Path, command: str
) -> None:
    lockfile = project / "artifacts.lock"
    later = lockfile.read_bytes().replace(b"version = 1", b"version = 2", 1)
    lockfile.write_bytes(later)
    ended = artlock(command, "-C", project)
    assert ended.code == 2
    assert "format 2, later than this artlock can read" in ended.err
    assert lockfile.read_bytes() == later


def test_3_26_what_a_later_minor_version_added_survives_a_resolve(project: Path) -> None:
    lockfile = project / "artifacts.lock"
    text = lockfile.read_text().replace("revision = 0", "revision = 7", 1)
    text = text.replace('"tree"\n', '"tree"\nx-later = {"a" = [1,true]}\n', 1)
    lockfile.write_text(text)
    (project / "raw/b").write_bytes(b"b")
    assert artlock("update", "-C", project).code == 0
    after = lockfile.read_text()
    assert "revision = 7\n" in after
    assert 'x-later = {"a" = [1,true]}\n' in after
    assert '["b",1,' in after
