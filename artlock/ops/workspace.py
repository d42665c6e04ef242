"""What stands in the workspace, judged against the rows that should be there.

Files that did not change since artlock last looked are known by their stat alone; all
others are read. So a question that changes nothing costs a stat for each file.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from blake3 import blake3

from artlock.engine.threads import Stop, each
from artlock.errors import IntegrityError, WorkspaceError
from artlock.fs.problems import raising
from artlock.fs.walk import stat_many, walk
from artlock.model.digest import Digest
from artlock.model.paths import fold
from artlock.model.plan import FileState
from artlock.model.tokens import Trust
from artlock.model.verification import Verification
from artlock.ops.blobs import known_digests
from artlock.ops.placements import one_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from artlock.cache.statindex import Entry, WorkspaceIndex
    from artlock.fs.root import Root
    from artlock.model.plan import Placement
    from artlock.ops.blobs import Pinned
    from artlock.ops.vault import Vault

_PIECE = 2**20
_PATIENCE_S = 2.0
"""How long an interruption waits for a file that is being read."""


class Survey:
    """Looks at a workspace, once.

    Attributes:
        states: Of every target; those that are not in it are absent.
        leftovers: Of every file that artlock wrote and no placement wants any more.
        digests: Of regular files at targets, by target, as far as they were learnt.
        stats: Of files at targets and of leftovers, from before they were read.
        known: Blobs that satisfy placements, by target, as far as that was asked and is
            known.
        damaged: Blobs that were met and are not what their names say.
        folders: Targets at which there are folders that hold nothing but leftovers.

    Args:
        root: The project's folder.
        index: What artlock remembers of files that it wrote or read.
        pinned: What identifies each placement.
        vault: The cache: blobs that satisfy rows, and copies of what would be replaced.
        jobs: Files to read at once.
        only_look: Whether damaged blobs stay where they are: links lead to them.
    """

    def __init__(
        self,
        root: Root,
        index: WorkspaceIndex,
        pinned: Pinned,
        vault: Vault,
        *,
        jobs: int,
        only_look: bool,
    ) -> None:
        self._root = root
        self._index = index
        self._pinned = pinned
        self._vault = vault
        self._jobs = jobs
        self._puts_aside = not only_look
        self.states: dict[str, FileState] = {}
        self.leftovers: dict[str, FileState] = {}
        self.digests: dict[str, Digest] = {}
        self.stats: dict[str, os.stat_result] = {}
        self.known: dict[str, Digest] = {}
        self.damaged: set[Digest] = set()
        self.folders: list[str] = []
        self._only_read: list[str] = []
        self._rotten: AbstractSet[str] = frozenset()
        self._stop = Stop()

    def look(
        self,
        placements: Sequence[Placement],
        *,
        in_scope: Callable[[str], bool],
        rotten: AbstractSet[str] = frozenset(),
    ) -> None:
        """Look at every target, and at what artlock wrote that nothing wants any more.

        Args:
            placements: What should be there.
            in_scope: Tells of an artifact's name whether its leftovers count.
            rotten: Targets that were read and are not what is locked. Where they look as
                they did when their bytes were right, nobody changed them: the disk did.

        Raises:
            WorkspaceError: Something cannot be looked at or read.
        """
        self._rotten = rotten
        with raising(WorkspaceError, "cannot look at the workspace"):
            described = stat_many(self._root, [p.target for p in placements])
        others: list[tuple[Placement, os.stat_result | None]] = []
        for placement, status in zip(placements, described, strict=True):
            entry = None if status is None else self._trusted(placement.target, status)
            fits = entry is not None and self._fits(placement, entry)
            if fits and placement.target not in rotten:
                self.states[placement.target] = FileState.CURRENT
            else:
                others.append((placement, status))
        self.known = known_digests([p for p, _ in others], self._pinned, self._vault)
        self._judge(others)
        with raising(WorkspaceError, "cannot look at the workspace"):
            self._look_for_leftovers({p.target for p in placements}, in_scope)
            self._unblock()
            self._find_obstructions([p for p, status in others if status is None])
        found = {p.target: s for p, s in zip(placements, described, strict=True) if s}
        self._refuse_shared(found, [p.target for p, status in others if status])
        self._find_respelled(found)

    def vanished(self) -> list[str]:
        """Return what to forget: unwanted, and not there any more or never artlock's."""
        absent = [p for p, state in self.leftovers.items() if state is FileState.ABSENT]
        return absent + self._only_read

    def _trusted(self, target: str, status: os.stat_result) -> Entry | None:
        entry = self._index.get(target)
        return entry if entry is not None and entry.matches(status) else None

    def _fits(self, placement: Placement, entry: Entry) -> bool:
        """Tell whether a file, as it is remembered, is what the row locks."""
        if entry.size != placement.row.size:
            return False
        digest = placement.row.blake3
        if digest is not None:
            return digest.hex == entry.digest.hex()
        return entry.pin == self._pinned.key(placement)

    def _judge(self, others: Sequence[tuple[Placement, os.stat_result | None]]) -> None:
        doubtful: list[Placement] = []
        for placement, status in others:
            target = placement.target
            if status is None:
                continue
            entry = self._trusted(target, status)
            if (
                entry is not None
                and target in self._rotten
                and self._fits(placement, entry)
            ):
                self.states[target] = FileState.OURS
                self.stats[target] = status
            elif entry is not None:
                digest = Digest.blake3(entry.digest)
                same = self.known.get(target) == digest and entry.size == placement.row.size
                self.states[target] = (
                    FileState.CURRENT if same else self._other(digest, entry)
                )
                self.digests[target] = digest
                self.stats[target] = status
            elif stat.S_ISREG(status.st_mode):
                self.stats[target] = status
                doubtful.append(placement)
            else:
                self.states[target] = self._special(target, status)
        workers = max(1, min(self._jobs, len(doubtful)))
        looks = each(
            self._read, doubtful, workers=workers, stop=self._stop, patience_s=_PATIENCE_S
        )
        for outcome in looks:
            if outcome.error is not None:
                raise outcome.error
            if outcome.result is not None:
                target = outcome.item.target
                self.states[target], self.digests[target] = outcome.result

    def _read(self, placement: Placement) -> tuple[FileState, Digest]:
        digest, size, proves = self._read_file(placement)
        target = placement.target
        known = self.known.get(target)
        fits = known == digest if known is not None else proves
        if fits and size == placement.row.size:
            return FileState.CURRENT, digest
        return self._other(digest, self._index.get(target)), digest

    def _read_file(self, placement: Placement) -> tuple[Digest, int, bool]:
        """Return a file's digest and size, and whether its tokens prove it to be the row's.

        An etag proves it only where it is the MD5 of the bytes; otherwise the store has to
        be asked, and the file is not believed.
        """
        tokens = placement.row.tokens
        check = Verification(tokens, size=None, subject=placement.target, etag_is_md5=True)
        with (
            raising(WorkspaceError, f"cannot read `{placement.target}`"),
            self._root.open_file(placement.target) as fd,
        ):
            while data := os.read(fd, _PIECE):
                self._stop.check()
                check.update(data)
        try:
            verified = check.finish()
        except IntegrityError:
            return check.digest, check.seen, False
        proves = tokens.trust in {Trust.STRONG, Trust.STORE} or (
            tokens.etag_like_md5 is not None and not verified.etag_differs
        )
        return verified.digest, verified.size, proves

    def _other(self, digest: Digest, entry: Entry | None) -> FileState:
        """Judge a file with other bytes than the row's: may they be replaced?"""
        if entry is not None and entry.artifact and entry.digest.hex() == digest.hex:
            return FileState.OURS
        # Read, not only looked at: these may be the last bytes of somebody's work.
        blobs = self._vault.blobs
        kept = blobs.has(digest) and blobs.verify(digest, quarantine=self._puts_aside)
        return FileState.KEPT_ELSEWHERE if kept else FileState.FOREIGN

    def _look_for_leftovers(
        self, wanted: AbstractSet[str], in_scope: Callable[[str], bool]
    ) -> None:
        unwanted = [e for e in self._index.entries() if e.path not in wanted]
        self._only_read = [e.path for e in unwanted if not e.artifact]
        entries = [e for e in unwanted if e.artifact and in_scope(e.artifact)]
        described = stat_many(self._root, [entry.path for entry in entries])
        for entry, status in zip(entries, described, strict=True):
            self.leftovers[entry.path] = self._leftover(entry, status)
            if status is not None:
                self.stats[entry.path] = status

    def _leftover(self, entry: Entry, status: os.stat_result | None) -> FileState:
        if status is None:
            return FileState.ABSENT
        if entry.matches(status):
            return FileState.OURS
        if not stat.S_ISREG(status.st_mode):
            state = self._special(entry.path, status)
            return FileState.OURS if state is FileState.CURRENT else state
        try:
            with self._root.open_file(entry.path) as fd:
                digest = _digest_of(fd)
        except FileNotFoundError:
            return FileState.ABSENT
        same = digest == Digest.blake3(entry.digest)
        return FileState.OURS if same else FileState.FOREIGN

    def _special(self, target: str, status: os.stat_result) -> FileState:
        """Judge what is no regular file: a link into the cache is what artlock made."""
        if not stat.S_ISLNK(status.st_mode):
            return FileState.BLOCKED
        with raising(WorkspaceError, f"cannot look at `{target}`"):
            linked = self._vault.layout.digest_of(Path(self._root.read_link(target)))
        if linked is None:
            return FileState.BLOCKED
        # Whoever writes through the link changes the blob: such bytes are put aside, where
        # nothing removes them, before the link goes.
        is_intact = self._vault.blobs.is_intact(linked, quarantine=self._puts_aside)
        if not is_intact:
            self.damaged.add(linked)
        current = is_intact and linked == self.known.get(target)
        return FileState.CURRENT if current else FileState.OURS

    def _unblock(self) -> None:
        """Let a file replace a folder that holds nothing but leftovers (hazard 2.24)."""
        for target, state in self.states.items():
            status = self._root.lstat(target) if state is FileState.BLOCKED else None
            if status is None or not stat.S_ISDIR(status.st_mode):
                continue
            inside = [path for path, _ in walk(self._root, target)]
            if all(self.leftovers.get(path) is FileState.OURS for path in inside):
                self.states[target] = FileState.OURS
                self.folders.append(target)

    def _find_obstructions(self, absent: Sequence[Placement]) -> None:
        """Find files and links that are where absent targets need a folder."""
        folders = {p.target.rpartition("/")[0] for p in absent}
        obstructed = {folder: self._root.obstruction(folder) for folder in folders}
        for placement in absent:
            obstacle = obstructed[placement.target.rpartition("/")[0]]
            if obstacle is not None and self.leftovers.get(obstacle) is not FileState.OURS:
                self.states[placement.target] = FileState.BLOCKED

    def _refuse_shared(
        self, found: Mapping[str, os.stat_result], doubtful: Sequence[str]
    ) -> None:
        """Refuse two targets that are one file without links (hazard 2.7).

        The rules for paths know how file systems fold names, but not all of them.
        """
        once = {t for t in doubtful if found[t].st_nlink == 1}
        asked = {(found[t].st_dev, found[t].st_ino) for t in once}
        seen: dict[tuple[int, int], str] = {}
        for target, status in found.items() if asked else ():
            identity = status.st_dev, status.st_ino
            if identity in asked and (other := seen.setdefault(identity, target)) != target:
                raise one_name(other, target)

    def _find_respelled(self, found: Mapping[str, os.stat_result]) -> None:
        """Find targets that are leftovers: on a file system that folds names (hazard 2.7).

        What goes there is written anew, under its new spelling, when the old one is gone.
        """
        ours = {
            fold(path): self.stats[path]
            for path, state in self.leftovers.items()
            if state is FileState.OURS and path in self.stats
        }
        for target, status in found.items() if ours else ():
            old = ours.get(fold(target))
            if old is not None and os.path.samestat(old, status):
                self.states[target] = FileState.OURS
                self.stats[target] = status


def _digest_of(fd: int) -> Digest:
    hasher = blake3()
    while data := os.read(fd, _PIECE):
        hasher.update(data)
    return Digest.blake3(hasher.digest())
