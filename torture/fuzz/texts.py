"""Targets: what stands in the files of a project and of a user."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from artlock.errors import ArtlockError, ConfigError, ManifestError
from artlock.formats.lockfile import format_lockfile, parse_lockfile, read_lockfile
from artlock.formats.lockfile_faults import Spot
from artlock.formats.lockfile_parts import Frame, _quick_frame, _slow_frame, join
from artlock.formats.lockfile_read import _check, _read_slowly
from artlock.formats.lockfile_survey import survey_lockfile
from artlock.formats.manifest import parse_manifest
from artlock.formats.manifest_edit import add_artifact, format_manifest, remove_artifact
from artlock.formats.settings import parse_settings
from artlock.formats.trust import format_trust, parse_trust, parse_trust_rules
from artlock.model.lock import (
    Kind,
    LockedArtifact,
    Lockfile,
    content_digest,
    pin_digest,
)
from artlock.model.tally import Tally
from artlock.model.trust import sensitive_settings
from artlock.ops.repair import read_with_markers

_GOLDEN = Path(__file__).parents[2] / "tests" / "golden" / "format-1-parts"
PARTS = tuple(path.read_bytes() for path in sorted(_GOLDEN.rglob("*.rows")))
"""What there is of parts, for every frame."""


def lockfile(data: bytes) -> bool:
    """All readers give one value or one refusal; canonical text is what is written."""
    quick, slow = _outcome(data), _slow_outcome(data)
    assert quick == slow
    if isinstance(quick, str):
        assert _survey_outcome(data) == quick
        return False
    written = format_lockfile(quick)
    assert read_lockfile(data).is_canonical == (written == data)
    tallies = tuple(Tally.of(artifact.objects) for artifact in quick.artifacts)
    assert _survey_outcome(data) == (tallies, written == data)
    _check_written(quick)
    return True


def markers(data: bytes) -> bool:
    """What is kept of a merge with conflicts is a lockfile."""
    try:
        repaired = read_with_markers(data)
    except ArtlockError:
        return False
    _check_written(repaired.lock)
    return True


def frame(data: bytes) -> bool:
    """Both readers of frames give one value, whose rows are those of the parts."""
    quick = _joined(_quick_frame, data)
    slow = _joined(_slow_frame, data)
    assert quick is None or quick == slow
    if not isinstance(slow, Lockfile):
        return False
    _check_written(slow)
    return True


def _joined(
    reader: Callable[[bytes, Spot], Frame | None], data: bytes
) -> Lockfile | str | None:
    try:
        parsed = reader(data, Spot("artifacts.lock"))
        if parsed is None:
            return None
        return parse_lockfile(join(parsed, lambda _: PARTS).data)
    except ArtlockError as error:
        return type(error).__name__


def _outcome(data: bytes) -> Lockfile | str:
    try:
        return parse_lockfile(data)
    except ArtlockError as error:
        return f"{type(error).__name__}: {error}"


def _survey_outcome(data: bytes) -> tuple[tuple[Tally, ...], bool] | str:
    try:
        survey = survey_lockfile(data)
    except ArtlockError as error:
        return f"{type(error).__name__}: {error}"
    return survey.tallies, survey.is_canonical


def _slow_outcome(data: bytes) -> Lockfile | str:
    spot = Spot("artifacts.lock")
    try:
        lock, _ = _read_slowly(data, spot)
        _check(lock.artifacts, spot)
    except ArtlockError as error:
        return f"{type(error).__name__}: {error}"
    return lock


def _check_written(lock: Lockfile) -> None:
    again = read_lockfile(format_lockfile(lock))
    assert again.lock == lock
    assert again.is_canonical
    pin_digest(lock)
    content_digest(lock)


def manifest(data: bytes) -> bool:
    """A manifest is read or refused; edits keep it readable; a lockfile can hold it."""
    text = data.decode(errors="replace")
    for edit in (
        format_manifest,
        lambda t: add_artifact(t, "new-one", {"uri": "s3://b/k/"}),
        lambda t: remove_artifact(t, "a"),
    ):
        with suppress(ManifestError):
            edit(text)
    try:
        read = parse_manifest(text)
    except ManifestError:
        return False
    sensitive_settings(read)
    formatted = format_manifest(text)
    assert parse_manifest(formatted) == read
    assert format_manifest(formatted) == formatted
    for artifact in read.artifacts:
        with suppress(ManifestError):  # some spellings cannot be cut out, and say so
            left = parse_manifest(remove_artifact(text, artifact.name))
            assert left.artifacts == tuple(a for a in read.artifacts if a != artifact)
        # A tree may have no rows, so it holds a declaration alone; a web address is none.
        is_web = artifact.uri.scheme in {"http", "https"}
        kind = Kind.LINK if artifact.is_link or is_web else Kind.TREE
        locked = LockedArtifact(name=artifact.name, declared=artifact.declared, kind=kind)
        written = format_lockfile(Lockfile(artifacts=(locked,)))
        (again,) = parse_lockfile(written).artifacts
        assert again.declared == artifact.declared
    return True


def settings(data: bytes) -> bool:
    """The user's own settings are read, or refused with all faults told."""
    try:
        parse_settings(data.decode(errors="replace"))
    except ConfigError:
        return False
    return True


def trust(data: bytes) -> bool:
    """The trust file is what is written, in meaning; so are the rules of CI."""
    text = data.decode(errors="replace")
    taken = False
    with suppress(ConfigError):
        parse_trust_rules(text)
        taken = True
    try:
        store = parse_trust(text)
    except ConfigError:
        return taken
    assert parse_trust(format_trust(store)) == store
    return True
