"""The Python API beyond queries: each function is what the command of the same name does, without a terminal.

>>> from nodespec import Registry, api                                                # doctest: +SKIP
>>> api.validate(Registry.open(".").at("HEAD")).findings                              # doctest: +SKIP
()
>>> api.gate(".", base="main", head="topic").exit_code()                              # doctest: +SKIP
0
>>> api.verify(Registry.open(".").at(), "matriz.kernel/pulse_v1").held                # doctest: +SKIP
True

Every result is a value that says what did not run; nothing is printed, and nothing is written. ``now`` is the moment at
which an expiry is judged, by default this one. None of these functions believes an index or looks at the user's pins:
which trust root a registry has is for the caller to compare (:func:`nodespec.trust.fingerprint`).
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from nodespec.gate import gate as judge_proposal
from nodespec.git import GitRepository
from nodespec.judge import judge
from nodespec.proposal import propose
from nodespec.provenance import Provenance
from nodespec.tree import node_path, tombstone_path
from nodespec.verdict import Selection
from nodespec.vouch import verify_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nodespec.gate import Judgement
    from nodespec.registry import Snapshot
    from nodespec.verdict import Report
    from nodespec.verification import Verification


def validate(
    snapshot: Snapshot,
    *,
    base: Snapshot | None = None,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    now: datetime | None = None,
    jobs: int | None = None,
) -> Report:
    """Judge a snapshot by every rule, or by those selected (codes, slugs or family letters).

    With ``base``, the snapshot that this one follows, family C runs as well. ``jobs`` are processes; None is as many as
    the work is worth.

    Raises ``UsageError`` for a rule that does not exist.
    """
    return judge(
        snapshot.tree,
        selection=Selection.parse(select, ignore),
        base=base.tree if base is not None else None,
        now=now,
        jobs=jobs,
    )


def gate(
    repository: str | os.PathLike[str],
    *,
    base: str,
    head: str,
    now: datetime | None = None,
    jobs: int | None = None,
) -> Judgement:
    """Judge a pull request of a clone or a bare repository: what merging ``head`` into ``base`` would change.

    Raises ``UsageError`` for a revision that does not exist, and ``RegistryError`` where nothing can be judged: base
    holds no registry, or the histories have nothing in common.
    """
    git = GitRepository.open(os.fspath(repository))
    proposal = propose(git, git.resolve(base), git.resolve(head))
    return judge_proposal(proposal, now=now or datetime.now(UTC), jobs=jobs)


def verify(snapshot: Snapshot, identifier: str, *, now: datetime | None = None) -> Verification:
    """Verify who stands behind a node, or behind its tombstone, step by step.

    Raises ``UsageError`` when there is neither, and ``RegistryError`` where the registry has no settings.
    """
    provenance = Provenance(snapshot.tree, snapshot.settings, now or datetime.now(UTC))
    stone = tombstone_path(identifier)
    if snapshot.tree.entry(node_path(identifier)) is None and snapshot.tree.entry(stone) is not None:
        return verify_file(provenance, stone)
    return verify_file(provenance, snapshot.get(identifier).path)
