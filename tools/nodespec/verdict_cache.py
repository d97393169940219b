"""A cache of validation reports, authenticated with a key of the user's own.

``validate`` stores its report of a commit in the index, and validates the next commit by what differs
(:mod:`nodespec.incremental`). The index itself is untrusted: it may be a copy of somebody's clone, or a cache that a
build restored. So each entry carries a tag, and only entries that this user's tool wrote are believed::

    tag  =  HMAC-SHA256(secret, "nodespec-verdict/v2" 0x00 circumstances 0x00 folders 0x00 body)

    secret          32 random bytes in the user's configuration folder (recall.key, mode 0600), made when first needed
    circumstances   digest of this tool, of what was asked for, and of all files but those in the folders
    folders         Git's ids of registry/nodes, tombstones and owners, a space between them; empty where there is none
    body            JSON: findings, files, specs

Whoever can read the secret can already run programs as this user. Without a secret (no home, a folder that cannot be
written, a file that others may read), nothing is cached and everything is judged.
"""

from __future__ import annotations

import hmac
import json
import os
import stat
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

from nodespec import home
from nodespec.errors import RegistryError
from nodespec.finding import Finding
from nodespec.frozen import frozen
from nodespec.incremental import FOLLOWED, MOST, Known, circumstances, rejudge
from nodespec.index.facts import rule_set
from nodespec.index.store import UnusableError
from nodespec.index.verdicts import Sealed, keep, newest
from nodespec.judge import judge
from nodespec.roster import Roster
from nodespec.text import MAX_BYTES
from nodespec.tree import NODES, REGULAR, TOMBSTONES, Overlay, changed_paths, is_tombstone_path
from nodespec.worktree import DRAFT, write_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from nodespec.commit import CommitTree
    from nodespec.examiner import Examined
    from nodespec.index.store import Store
    from nodespec.registry import Registry, Snapshot
    from nodespec.tree import Entry, Progress, Tree
    from nodespec.verdict import Report, Selection

MOST_FINDINGS = 1_000
"""A verdict with more is not kept: whoever mends so much has better things to wait for."""

_SECRET_BYTES = 32
_FOLLOWED = tuple(f"{folder}/" for folder in FOLLOWED)


def judge_anew(
    registry: Registry,
    snapshot: Snapshot,
    *,
    selection: Selection,
    now: datetime,
    jobs: int | None = None,
    progress: Progress | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Report:
    """Judge a tree by what differs from a commit that was judged before, where such a verdict is known.

    Every file of a work tree is read all the same: that it is what the commit holds is seen, and not assumed.
    """
    commit = cast("CommitTree", snapshot.tree) if snapshot.commit is not None else registry.present
    memory = _Memory.of(registry, commit, selection, environment) if commit is not None else None
    tree: CommitTree | Overlay | None = commit
    if memory is not None and snapshot.commit is None:
        tree = _upon(memory, snapshot.tree)
    if memory is None or tree is None:
        return judge(snapshot.tree, selection=selection, now=now, jobs=jobs, progress=progress)
    known = memory.newest()
    report = None
    if known is not None:
        roster = partial(known_roster, registry.index_path, environment)
        report = rejudge(known, tree, selection=selection, now=now, roster=roster)
    seen: list[tuple[Entry, Examined]] = []
    if report is None:  # the work tree is judged as it was read, not as it may have become since
        report = judge(tree, selection=selection, now=now, jobs=jobs, progress=progress, seen=seen)
    if not (isinstance(tree, Overlay) and tree.files):
        memory.keep(report)
        if seen and report.complete:
            keep_roster(registry.index_path, _roster(memory.tree, seen), environment)
    return report


def _roster(tree: CommitTree, seen: Sequence[tuple[Entry, Examined]]) -> Roster:
    """Return who sends and hears what in a commit of which every document was seen."""
    left = {entry.path: one.claimed for entry, one in seen if is_tombstone_path(entry.path) and one.claimed}
    ids = [tree.folder(folder.rstrip("/"))[0] for folder in (NODES, TOMBSTONES)]
    return Roster.of(ids[0], ids[1], [one.facts for _, one in seen if one.facts is not None], left)


def known_roster(index_path: str | None, environment: Mapping[str, str] = os.environ) -> Roster | None:
    """Return the roster that this user's tool keeps beside the index; None when there is none to be believed."""
    own = secret(home.find(environment)) if index_path is not None else None
    if index_path is None or own is None:
        return None
    try:
        with _plain_file(_beside(index_path)) as file:
            return Roster.parse(file.read(), own, rule_set())
    except OSError:
        return None


def keep_roster(index_path: str | None, roster: Roster, environment: Mapping[str, str] = os.environ) -> None:
    """Write a roster beside the index, where this user has a secret and no other file stands."""
    own = secret(home.find(environment)) if index_path is not None else None
    if index_path is not None and own is not None:
        with suppress(OSError):
            if _may_write(_beside(index_path)):
                write_file(_beside(index_path), roster.dump(own, rule_set()))


def _may_write(path: str) -> bool:
    """Say whether nothing stands at a path, or a roster, be it damaged."""
    if not os.path.lexists(path):
        return True
    with _plain_file(path) as file:
        return Roster.begins(file.read(64))


def _plain_file(path: str) -> BinaryIO:
    """Open a file to be read; raise ``OSError`` for what is none, such as a pipe, on which opening would wait."""
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115  # whoever asked closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(f"{path} is no plain file")
    return file


def _beside(index_path: str) -> str:
    return f"{index_path}.roster"


def _upon(memory: _Memory, tree: Tree) -> Overlay | None:
    """Return a work tree as what is written over the commit that is checked out; None when that says too little."""
    head = memory.tree
    if head.defects:
        return None
    files: dict[str, bytes | None] = {}
    try:
        for path in changed_paths(head, tree):
            entry = tree.entry(path)
            is_plain = entry is None or (entry.mode == REGULAR and tree.size(entry) <= MAX_BYTES)
            if not is_plain or not path.startswith(_FOLLOWED) or len(files) >= MOST:
                return None
            files[path] = None if entry is None else tree.read(entry)
    except (OSError, RegistryError):
        return None
    return Overlay(head, files, tree.label, beside=tree)


@frozen
class _Memory:
    """What is remembered in the circumstances of a commit, whose followed folders have these ids."""

    store: Store
    secret: bytes
    circumstances: str
    folders: tuple[str, ...]
    tree: CommitTree

    @classmethod
    def of(
        cls, registry: Registry, tree: CommitTree, selection: Selection, environment: Mapping[str, str]
    ) -> _Memory | None:
        found = circumstances(tree, selection) if registry.store is not None else None
        if found is None or registry.store is None or not registry.store.is_kept:
            return None
        own = secret(home.find(environment))
        if own is None:
            return None
        seen = f"{rule_set()} {found[0]}"
        return cls(store=registry.store, secret=own, circumstances=seen, folders=found[1], tree=tree)

    def newest(self) -> Known | None:
        """Return the last verdict in these circumstances, when it is one of ours."""
        with suppress(UnusableError):
            sealed = newest(self.store, self.circumstances)
            if sealed is not None and hmac.compare_digest(sealed.tag, self._tag(sealed)):
                return _unpacked(sealed)
        return None

    def keep(self, report: Report) -> None:
        """Write a verdict down, unless it is the one that is there, or none that could be built upon."""
        known = Known.of(self.folders, report)
        if known is None or len(known.findings) > MOST_FINDINGS:
            return
        sealed = Sealed(" ".join(known.folders), _packed(known), b"")
        with suppress(UnusableError):
            before = newest(self.store, self.circumstances)
            if before is None or before[:2] != sealed[:2]:
                keep(self.store, self.circumstances, sealed._replace(tag=self._tag(sealed)))

    def _tag(self, sealed: Sealed) -> bytes:
        parts = ("nodespec-verdict/v2", self.circumstances, sealed.folders)
        return hmac.digest(self.secret, "\0".join((*parts, "")).encode() + sealed.body, "sha256")


def _packed(known: Known) -> bytes:
    body = {
        "findings": [asdict(item) for item in known.findings],
        "files": known.files,
        "specs": known.specs,
    }
    return json.dumps(body, sort_keys=True).encode()


def _unpacked(sealed: Sealed) -> Known:
    body = json.loads(sealed.body)
    return Known(
        folders=tuple(sealed.folders.split(" ")),
        findings=tuple(Finding(**item) for item in body["findings"]),
        files=body["files"],
        specs=body["specs"],
    )


def secret(folder: str | None) -> bytes | None:
    """Return this user's secret, made when there is none; None where it cannot be kept, or not kept to oneself."""
    if folder is None:
        return None
    path = os.path.join(folder, "recall.key")
    try:
        if not os.path.lexists(path):
            _make_secret(path)
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(_SECRET_BYTES + 1)
    except OSError:
        return None
    own = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
    return data if own and len(data) == _SECRET_BYTES else None


def _make_secret(path: str) -> None:
    """Write a new secret whole or not at all, below a home that is there; the first of several makers wins."""
    import secrets
    import tempfile

    folder = os.path.dirname(path)
    for place in (os.path.dirname(folder) or ".", folder):
        with suppress(FileExistsError):
            os.mkdir(place, mode=0o700)
    descriptor, draft = tempfile.mkstemp(dir=folder, prefix=DRAFT)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_SECRET_BYTES))
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)
