"""A registry in numbers: who holds what, which signals lead nowhere, and how much changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from nodespec.frozen import frozen
from nodespec.tree import NODES, is_node_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodespec.commit import Commit, CommitTree
    from nodespec.registry import Registry, Snapshot
    from nodespec.tree import Progress

COUNTED: Final = ("lane", "tier", "owner", "type")


@dataclass(slots=True, kw_only=True)
class Month:
    """How many nodes were added, changed and removed in a month of UTC."""

    month: str
    commits: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0


@frozen
class Stats:
    """``counts`` are by lane, tier, owner and type; signals are those without an emitter, without a subscriber."""

    nodes: int
    counts: dict[str, dict[Any, int]]
    unheard: Sequence[str]
    unsent: Sequence[str]


def of(snapshot: Snapshot) -> Stats:
    """Count the nodes of a tree."""
    counts = {by: snapshot.counts(by) for by in COUNTED}
    unsent, unheard = snapshot.one_sided()
    return Stats(nodes=sum(counts["lane"].values()), counts=counts, unheard=unheard, unsent=unsent)


def churn(
    registry: Registry, revision: str, *, months: int | None = None, progress: Progress | None = None
) -> list[Month]:
    """Count the changes of each of the newest ``months`` with a commit, newest first, on the first-parent line.

    Folders that did not change are not read, and no node is.
    """
    found: dict[str, Month] = {}
    start = registry.at(revision).commit
    assert start is not None
    line = registry.git.first_parents(start)
    commit: Commit | None = next(line)
    done = 0
    while commit is not None:
        parent = next(line, None)
        month = f"{commit.time.astimezone(UTC):%Y-%m}"
        if months is not None and month not in found and len(found) == months:
            break
        if parent is not None or not registry.git.is_edge(commit):
            before = registry.git.tree(parent) if parent is not None else None
            _count(found.setdefault(month, Month(month=month)), registry.git.tree(commit), before)
        commit = parent
        done += 1
        if progress is not None and done % 100 == 0:
            progress(done, done + 100)
    return list(found.values())


def _count(month: Month, tree: CommitTree, before: CommitTree | None) -> None:
    top = NODES.rstrip("/")
    old = before.folder(top)[0] if before is not None else ""
    pairs, _ = tree.changes(top, old, tree.folder(top)[0])
    month.commits += 1
    for was, now in pairs:
        if was is not None and now is not None:
            month.changed += is_node_path(now.path)
        elif now is not None:
            month.added += is_node_path(now.path)
        elif was is not None:
            month.removed += is_node_path(was.path)
