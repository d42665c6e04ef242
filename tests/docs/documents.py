"""Run every command with ``--json`` once, so that the reference can be held against it."""

import json
from pathlib import Path

from tests.docs.transcripts import Session

_COMMANDS = (
    "artlock init --json",
    'artlock add "${PWD%/*}/source/" --name numbers --json',
    "artlock add labelbox://project/42 --name board --frozen --json",
    "artlock resolve --json",
    "artlock sync --json",
    "artlock check --json",
    "git add . && git commit -q -m First",
    "printf three > ../source/one.txt",
    "artlock status --remote --json",
    "artlock check --remote --retention --json",
    "artlock check --changed-since HEAD --json",
    "artlock update --json",
    "artlock sync --dry-run --json",
    "artlock diff --json",
    "artlock why numbers/one.txt --json",
    "git commit -q -a -m Second; artlock why numbers/one.txt --json",
    "mv ../source/one.txt ../source/uno.txt && artlock update --json",
    "artlock diff --json; git commit -q -a -m Third; artlock log --json",
    "mv ../source/uno.txt ../source/one.txt && artlock update && git commit -q -a -m Back",
    "artlock ls --json",
    "artlock verify --json",
    "rm data/numbers/one.txt",
    "artlock verify --repair --json",
    "artlock digest --json",
    "artlock push --run train-1 --meta ticket=7 --allow-dirty --json",
    "artlock push --run train-1 --meta ticket=7 --allow-dirty --dry-run --json",
    "artlock push --allow-dirty --to postgresql://127.0.0.1:1/none --json",
    "artlock push --run mlflow:7 --meta ticket=7 --allow-dirty --offline "
    "--to postgresql://127.0.0.1:1/none --json",
    "artlock push --outbox --dry-run --json; artlock push --drop 1; artlock push --drop 2",
    "artlock sync --from project ../used --run eval-1 --json",
    "artlock versions --json; artlock lineage --json",
    "printf '[artifacts.more]\\nuri = \"labelbox://project/7\"\\n' >> artifacts.toml",
    "artlock pull project --force --json; git checkout -q artifacts.toml artifacts.lock",
    "artlock export csv --output ../rows.csv --json",
    "artlock export jsonl",
    "printf 'deps:\\n- path: s3://b/k\\n  size: 1\\nouts:\\n- path: k\\n  md5: '"
    "c4ca4238a0b923820dcc509a6f75849b'\\n  size: 1\\n  hash: md5\\n' > k.dvc",
    "artlock import k.dvc --dry-run --json; rm k.dvc",
    "artlock fmt --check --json",
    "artlock git install --json; artlock git install --hooks --json",
    "echo '# more' >> artifacts.toml; git add artifacts.toml",
    "mkdir bad; echo '[[' > bad/artifacts.toml; git add bad",
    "artlock git hook pre-commit --json; git checkout -q HEAD artifacts.toml",
    "git rm -rqf bad",
    "artlock git hook post-checkout HEAD~1 HEAD 1 --json",
    "artlock git uninstall --json",
    "git show HEAD~3:artifacts.lock > base.lock; : > none.lock",
    "artlock git merge-driver none.lock base.lock artifacts.lock --json; rm *.lock",
    "git checkout artifacts.lock",
    "artlock doctor --json",
    "artlock completion bash --json",
    "artlock cache dir --json",
    "artlock cache size --json",
    "artlock cache verify --json",
    "cp -r . ../gone && artlock -C ../gone sync --quiet; rm -r ../gone",
    "artlock cache prune --dry-run --json",
    "artlock gc --keep branches --dry-run --json",
    "artlock rm board --json",
    "artlock sync nothing --json",
    "rm -r ../source && mkdir ../source && ln -s / ../source/out",
    "artlock status --remote --json",
    'printf \'[artifacts.e]\\nuri = "s3://e/"\\nendpoint = "https://e.example"\\n\''
    " >> artifacts.toml",
    "artlock trust --show --json",
    "artlock check --remote --json",
    "rm data/numbers/one.txt",
    "artlock status --json",
)


def real_documents(folder: Path) -> list[dict[str, object]]:
    """Return what the commands print, in order, in a project that is made in ``folder``."""
    session = Session(folder / "project")
    session.run("mkdir ../source && printf one > ../source/one.txt")
    session.run("git init -q -b main .")
    found: list[dict[str, object]] = []
    for command in _COMMANDS:
        lines = session.run(command)
        found += [json.loads(line) for line in lines if line.startswith("{")]
    return found


def shapes(value: object, path: str = "") -> set[str]:
    """Return every key of a document with where it stands: ``changes[].path``."""
    if isinstance(value, dict):
        found = set()
        for key, inner in value.items():
            place = f"{path}.{key}" if path else str(key)
            found |= {place} | shapes(inner, place)
        return found
    if isinstance(value, list):
        return {shape for inner in value for shape in shapes(inner, f"{path}[]")}
    return set()
