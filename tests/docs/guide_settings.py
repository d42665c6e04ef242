"""Where each guide's commands run: what is there before, what happens meanwhile."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from testbed.seaweedfs import SeaweedFS
from tests.docs.transcripts import Session
from tests.programs import TOOLS

_STARTED = ("git init -q -b main .", "artlock init --name project")
_LOCAL = (
    "mkdir -p ../source",
    "printf one > ../source/one.txt",
    "printf two > ../source/two.txt",
    *_STARTED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What surrounds a guide.

    Attributes:
        before: Commands that run first.
        put: Bucket to objects that are put into it first.
        meanwhile: Deeds that happen right before a command of the page.
        others: Commands of somebody else, right before a command of the page.
        signed: Whether the environment has credentials for S3.
        versioning: Of the buckets.
        needs: Programs of ``make tools`` that the page uses.
    """

    before: tuple[str, ...] = _STARTED
    put: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    meanwhile: Mapping[str, Callable[[SeaweedFS], object]] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
    signed: bool = True
    versioning: Literal["Enabled"] | None = None
    needs: tuple[str, ...] = ()

    def variables(self, s3: SeaweedFS) -> dict[str, str]:
        """Return the environment of the page's reader."""
        keys = {
            "AWS_ACCESS_KEY_ID": s3.admin.access_key,
            "AWS_SECRET_ACCESS_KEY": s3.admin.secret_key,
            "AWS_REGION": "us-east-1",
        }
        return {"ENDPOINT": s3.endpoint} | (keys if self.signed else {})


def _overwrite(s3: SeaweedFS) -> None:
    s3.client().put_object(Bucket="team-scratch", Key="eval/easy.jsonl", Body=b"{}\n")


def _retrain(s3: SeaweedFS) -> None:
    s3.client().put_object(Bucket="models", Key="minilm/model.bin", Body=b"retrained")


def _write_anew(s3: SeaweedFS) -> None:
    s3.client().put_object(Bucket="team-numbers", Key="two.txt", Body=b"2222")


_DVC = (
    "frozen: true\\ndeps:\\n- hash: md5\\n  path: s3://faces/v1\\n  files:\\n"
    "  - relpath: a.png\\n    etag: 8b04d5e3775d298e78455efc5ca404d5\\n    size: 5\\n"
    "    version_id: %s\\nouts:\\n- path: faces\\n"
)


def _repaint(s3: SeaweedFS) -> None:
    s3.client().put_object(Bucket="faces", Key="v1/a.png", Body=b"second")


def _relabel(s3: SeaweedFS) -> None:
    client = s3.client()
    client.put_object(Bucket="labels", Key="v1/cats.json", Body=b'["tabby", "tiger"]\n')
    client.delete_object(Bucket="labels", Key="v1/dogs.json")


def _expire_old(s3: SeaweedFS) -> None:
    s3.client().put_bucket_lifecycle_configuration(
        Bucket="team-models",
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "expire-old",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                }
            ]
        },
    )


def _keep_old(s3: SeaweedFS) -> None:
    s3.client().delete_bucket_lifecycle(Bucket="team-models")


ROOT = Path(__file__).parents[2]
PAGES = {
    page.name: page
    for page in (ROOT / "README.md", *(ROOT / "docs" / "guides").glob("*.md"))
}
_BRANCH = (
    *_LOCAL,
    'artlock add "${PWD%/*}/source/" --name numbers',
    "git add .",
    "git commit -q -m First",
    "git checkout -q -b change",
    "mv ../source/one.txt ../source/uno.txt",
    "printf 2222 > ../source/two.txt",
    "artlock update",
    "git commit -q -a -m Change",
)
_TOOLS = f'export PATH="$PATH:{Path(sys.executable).parent}"'
"""Programs of the environment of the tests: pre-commit and prek."""
_HOOKS = (
    # Found on the path, for making an environment needs a package index.
    f"mkdir ../hooks && sed 's/language: python/language: system/' "
    f"'{ROOT}/.pre-commit-hooks.yaml' > ../hooks/.pre-commit-hooks.yaml",
    "git -C ../hooks init -q && git -C ../hooks add . && git -C ../hooks commit -qm hooks",
    "git -C ../hooks tag v1.0",
    "printf 'repos:\n- repo: ../hooks\n  rev: v1.0\n  hooks: [{id: artlock-check}]\n' "
    "> .pre-commit-config.yaml",
)
SETTINGS = {
    "register-in-comet.md": Setting(),
    "register-in-wandb.md": Setting(),
    "README.md": Setting(
        before=('export AWS_ENDPOINT_URL_S3="$ENDPOINT"', "git init -q -b main ."),
        put={
            "models": {
                "minilm/config.json": b'{"layers": 6}\n',
                "minilm/model.bin": b"weights" * 1000,
            }
        },
        meanwhile={"artlock status --remote": _retrain},
        versioning="Enabled",
    ),
    "pin-a-bucket-without-versioning.md": Setting(
        before=('export AWS_ENDPOINT_URL_S3="$ENDPOINT"', *_STARTED),
        put={
            "team-scratch": {
                "eval/easy.jsonl": b'{"question": "1 + 1"}\n',
                "eval/hard.jsonl": b'{"question": "Why?"}\n',
            }
        },
        meanwhile={"artlock status --remote": _overwrite},
    ),
    "how-long-a-version-stays.md": Setting(
        before=(
            'export AWS_ENDPOINT_URL_S3="$ENDPOINT"',
            *_STARTED,
            "artlock add s3://team-models/encoder/ --name encoder",
        ),
        put={"team-models": {"encoder/config.json": b"{}\n", "encoder/w.bin": b"w" * 9000}},
        meanwhile={
            "artlock check --retention": _expire_old,
            "artlock check --retention && echo safe": _keep_old,
        },
        versioning="Enabled",
    ),
    "register-and-reproduce.md": Setting(
        before=(
            "mkdir -p ../source",
            "printf one > ../source/one.txt",
            "printf two > ../source/two.txt",
            "git init -q -b main .",
            "artlock init --name numbers",
            'artlock add "${PWD%/*}/source/" --name numbers',
        )
    ),
    "register-in-mlflow.md": Setting(
        before=(
            "mkdir -p ../source",
            "printf one > ../source/one.txt",
            "printf two > ../source/two.txt",
            "git init -q -b main .",
            "artlock init --name image-classifier",
            'artlock add "${PWD%/*}/source/" --name numbers',
        )
    ),
    "share-a-cache-in-ci.md": Setting(
        before=(
            *_LOCAL,
            'artlock add "${PWD%/*}/source/" --name numbers',
        )
    ),
    "keep-the-cache-small-and-sound.md": Setting(
        before=(
            "export ARTLOCK_CACHE_DIR=${PWD%/*}/cache",
            *_LOCAL,
            'artlock add "${PWD%/*}/source/" --name numbers',
            "git add .",
            "git commit -q -m First",
            "git checkout -q -b change",
            "printf 2222 > ../source/two.txt",
            "artlock update",
            "git commit -q -a -m Change",
        )
    ),
    "private-endpoints-and-trust.md": Setting(
        before=(
            *_STARTED,
            "echo '[artifacts.frames]' >> artifacts.toml",
            "echo 'uri = \"s3://camera/frames/\"' >> artifacts.toml",
            'echo "endpoint = \\"$ENDPOINT\\"" >> artifacts.toml',
        ),
        put={"camera": {"frames/1.raw": b"\x00" * 64}},
    ),
    "share-a-registry.md": Setting(
        before=(
            *_STARTED,
            "echo '[trackers]' >> artifacts.toml",
            "echo 'team = \"postgresql://db.internal/artlock?sslmode=verify-full\"'"
            " >> artifacts.toml",
        ),
    ),
    "public-buckets.md": Setting(
        before=(
            'export AWS_ENDPOINT_URL_S3="$ENDPOINT"',
            *_STARTED,
            'printf \'[artifacts.stations]\\nuri = "s3://public/stations/"\\n'
            "anonymous = true\\n' >> artifacts.toml",
        ),
        put={"public": {"stations/list.csv": b"station\n1\n"}},
        signed=False,
    ),
    "adopt-other-pins.md": Setting(
        before=(
            'export AWS_ENDPOINT_URL_S3="$ENDPOINT"',
            *_STARTED,
            "artlock add s3://faces/v1/ --name now",
            "artlock ls now --long > rows",
            "artlock rm now",
            f"printf '{_DVC}' \"$(grep a.png rows | cut -f 4)\" > faces.dvc",
            "rm rows",
            "echo /faces >> .gitignore",
        ),
        put={"faces": {"v1/a.png": b"first"}},
        meanwhile={"cat faces.dvc": _repaint},
        versioning="Enabled",
    ),
    "leave-artlock.md": Setting(
        before=(
            'export AWS_ENDPOINT_URL_S3="$ENDPOINT"',
            *_STARTED,
            "artlock add s3://leaving/minilm/ --name encoder --hash",
            "git add .",
            "git commit -q -m First",
            "artlock sync",
        ),
        put={
            "leaving": {
                "minilm/config.json": b'{"layers": 6}\n',
                "minilm/model.bin": b"weights" * 1000,
            }
        },
        versioning="Enabled",
        needs=("aws",),
    ),
    "lock-the-past.md": Setting(
        before=(
            'export AWS_ENDPOINT_URL_S3="$ENDPOINT"',
            *_STARTED,
            "sleep 1.1",
            "export THEN=$(date -u +%Y-%m-%dT%H:%M:%SZ)",
            "sleep 1.1",
        ),
        put={
            "labels": {
                "v1/cats.json": b'["tabby"]\n',
                "v1/dogs.json": b'["pug"]\n',
            }
        },
        meanwhile={"artlock add s3://labels/v1/ --name labels": _relabel},
        versioning="Enabled",
    ),
    "merge-two-branches.md": Setting(
        before=(
            *_LOCAL,
            'artlock add "${PWD%/*}/source/" --name numbers',
            "git add .",
            "git commit -q -m First",
            "git checkout -q -b other",
            "printf three > ../source/three.txt",
            "artlock update",
            "git commit -q -a -m Three",
            "git checkout -q main",
            "git checkout -q -b rival",
            "rm ../source/three.txt",
            "printf 33333 > ../source/two.txt",
            "artlock update",
            "git commit -q -a -m Rival",
            "git checkout -q main",
            "printf 2222 > ../source/two.txt",
            "artlock update",
            "git commit -q -a -m Mine",
        )
    ),
    "check-before-each-commit.md": Setting(
        before=(
            _TOOLS,
            *_LOCAL,
            'artlock add "${PWD%/*}/source/one.txt" --name first',
            *_HOOKS,
            "git add .",
            "git commit -q -m First",
            "pre-commit run --all-files; prek run --all-files",
        )
    ),
    "check-in-github-actions.md": Setting(
        before=(
            'export AWS_ENDPOINT_URL_S3="$ENDPOINT"',
            *_STARTED,
            "artlock add s3://team-numbers/ --name numbers",
            "git add .",
            "git commit -q -m First",
        ),
        put={"team-numbers": {"one.txt": b"one", "two.txt": b"two"}},
        meanwhile={"artlock update": _write_anew},
        versioning="Enabled",
    ),
    "check-in-gitlab-ci.md": Setting(before=_BRANCH),
    "join-a-project.md": Setting(
        before=(
            *_LOCAL,
            'artlock add "${PWD%/*}/source/" --name numbers',
            "git add .",
            "git commit -q -m First",
            "git clone -q --bare . ../origin.git",
            "mkdir ../you",
            "cd ../you",
        ),
        others={
            "artlock status --remote": "printf three > ../../source/three.txt; "
            "printf 2222 > ../../source/two.txt",
            "git merge -q origin/main": "rm ../../source/three.txt; "
            "printf 33333 > ../../source/two.txt; "
            "cd ../../project; artlock update -q; git commit -q -a -m Theirs; "
            "git push -q ../origin.git main; cd ../you/project; git fetch -q; "
            "printf three > ../../source/three.txt",
        },
    ),
    "review-a-lockfile-change.md": Setting(
        before=(
            *_LOCAL,
            'artlock add "${PWD%/*}/source/" --name numbers',
            "git add .",
            "git commit -q -m First",
            "git checkout -q -b other",
            "printf three > ../source/three.txt",
            "artlock update",
            "git commit -q -a -m Three",
            "git checkout -q main",
            "git checkout -q -b change",
            "printf 2222 > ../source/two.txt",
            "rm ../source/one.txt",
            "artlock update",
            "git commit -q -a -m Change",
        )
    ),
}
"""By the name of the page; the README has a tour that is run too."""


def prepared(
    setting: Setting, session: Session, s3: SeaweedFS
) -> Callable[[str], list[str]]:
    """Do what comes before the first command of a page.

    Returns:
        Runs a command of the page, after what happens right before it.
    """
    client = s3.client()
    have = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    for bucket, objects in setting.put.items():
        if bucket not in have:
            s3.create_bucket(bucket, setting.versioning)
        for key, body in objects.items():
            client.put_object(Bucket=bucket, Key=key, Body=body)
    for name in setting.needs:
        session.run(f"ln -s {TOOLS / name} ../bin/{name}")
    for command in setting.before:
        session.run(command)

    def run(command: str) -> list[str]:
        deed = setting.meanwhile.get(command)
        if deed is not None:
            deed(s3)
        if command in setting.others:
            session.run(setting.others[command])
        return session.run(command)

    return run
