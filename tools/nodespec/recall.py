"""What this user's own tool found before, so that it need not find it again.

``validate`` writes its verdict on a commit into the index, and judges the next commit by what differs from it
(:mod:`nodespec.rejudge`). The index is derived and may be anybody's: a copy of a clone, a cache that a build restored.
So a verdict carries a tag, and only one that this user's tool wrote is believed::

    tag  =  HMAC-SHA256(secret, "nodespec-verdict/v1" 0x00 circumstances 0x00 nodes 0x00 tombstones 0x00 body)

    secret          32 random bytes in the user's configuration folder (recall.key, mode 0600), made when first needed
    circumstances   digest of this tool, of what was asked for, and of all files but nodes and tombstones
    nodes           Git's id of registry/nodes; likewise tombstones; empty where there is none
    body            canonical JSON: findings, files, specs, claimed

Whoever can read the secret can already run programs as this user. Where there is no secret (no home, a folder that
cannot be written, a file that others may read), nothing is remembered and everything is judged.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, cast

from nodespec.errors import RegistryError
from nodespec.finding import Finding
from nodespec.index import Sealed, UnusableError, keep, newest, rule_set
from nodespec.judge import judge
from nodespec.keyring import home
from nodespec.rejudge import MOST, Known, circumstances, rejudge
from nodespec.text import MAX_BYTES
from nodespec.tree import NODES, REGULAR, TOMBSTONES, Overlay, changed_paths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from nodespec.git import CommitTree
    from nodespec.index import Store
    from nodespec.registry import Registry, Snapshot
    from nodespec.spec import NodeSpec
    from nodespec.tree import Entry, Progress, Tree
    from nodespec.verdict import Report, Selection

MOST_FINDINGS = 1_000
"""A verdict with more is not kept: whoever mends so much has better things to wait for."""

_SECRET_BYTES = 32


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
    tree = snapshot.tree if snapshot.commit is not None or memory is None else _upon(memory.tree, snapshot.tree)
    known = memory.newest() if memory is not None and tree is not None else None
    report = None
    if known is not None and memory is not None:

        def read(entries: Sequence[Entry]) -> list[NodeSpec]:
            return registry.nodes_in(memory.tree, entries)

        report = rejudge(known, cast("CommitTree | Overlay", tree), snapshot, read, selection=selection, now=now)
    if report is None:
        report = judge(snapshot.tree, selection=selection, now=now, jobs=jobs, progress=progress)
    if memory is not None and (snapshot.commit is not None or (isinstance(tree, Overlay) and not tree.files)):
        memory.keep(report)
    return report


def _upon(head: CommitTree, tree: Tree) -> Overlay | None:
    """Return a work tree as what is written over the commit that is checked out; None when that says too little."""
    files: dict[str, bytes | None] = {}
    try:
        for path in changed_paths(head, tree):
            entry = tree.entry(path)
            is_plain = entry is None or (entry.mode == REGULAR and tree.size(entry) <= MAX_BYTES)
            if not is_plain or not path.startswith((NODES, TOMBSTONES)) or len(files) >= MOST:
                return None
            files[path] = None if entry is None else tree.read(entry)
    except (OSError, RegistryError):
        return None
    return Overlay(head, files, tree.label)


@dataclass(frozen=True)
class _Memory:
    store: Store
    secret: bytes
    circumstances: str
    tree: CommitTree

    @classmethod
    def of(
        cls, registry: Registry, tree: CommitTree, selection: Selection, environment: Mapping[str, str]
    ) -> _Memory | None:
        if registry.store is None:
            return None
        found = secret(home(environment))
        return cls(registry.store, found, f"{rule_set()} {circumstances(tree, selection)}", tree) if found else None

    def newest(self) -> Known | None:
        """Return the last verdict in these circumstances, when it is one of ours."""
        with suppress(UnusableError):
            sealed = newest(self.store, self.circumstances)
            if sealed is not None and hmac.compare_digest(sealed.tag, self._tag(sealed)):
                return _unpacked(sealed)
        return None

    def keep(self, report: Report) -> None:
        """Write a verdict down, unless it is the one that is there, or none that could be built upon."""
        known = Known.of(self.tree, report)
        if known is None or len(known.findings) > MOST_FINDINGS:
            return
        sealed = Sealed(*known.folders, _packed(known), b"")
        with suppress(UnusableError):
            before = newest(self.store, self.circumstances)
            if before is None or before[:3] != sealed[:3]:
                keep(self.store, self.circumstances, sealed._replace(tag=self._tag(sealed)))

    def _tag(self, sealed: Sealed) -> bytes:
        parts = ("nodespec-verdict/v1", self.circumstances, sealed.nodes, sealed.tombstones)
        return hmac.digest(self.secret, "\0".join((*parts, "")).encode() + sealed.body, "sha256")


def _packed(known: Known) -> bytes:
    body = {
        "findings": [asdict(item) for item in known.findings],
        "claimed": sorted(known.claimed),
        "files": known.files,
        "specs": known.specs,
    }
    return json.dumps(body, sort_keys=True).encode()


def _unpacked(sealed: Sealed) -> Known:
    body = json.loads(sealed.body)
    return Known(
        folders=(sealed.nodes, sealed.tombstones),
        findings=tuple(Finding(**item) for item in body["findings"]),
        claimed=frozenset(body["claimed"]),
        files=body["files"],
        specs=body["specs"],
    )


def secret(folder: Path) -> bytes | None:
    """Return this user's secret, made when there is none; None where it cannot be kept, or not kept to oneself."""
    path = folder / "recall.key"
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(_SECRET_BYTES))
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(_SECRET_BYTES + 1)
    except OSError:
        return None
    own = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
    return data if own and len(data) == _SECRET_BYTES else None
