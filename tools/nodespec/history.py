"""The versions of a node, along the first-parent line of history.

The first-parent line is what was admitted, in order: on a main branch that takes pull requests, each step is
one merge. Only commits in which the node's file differs from the parent's are read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nodespec import difference
from nodespec.frozen import frozen
from nodespec.reading import Unreadable, load
from nodespec.tree import node_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodespec.commit import Commit
    from nodespec.difference import NodeChange
    from nodespec.registry import Registry
    from nodespec.spec import NodeSpec
    from nodespec.tree import Entry


@frozen
class Version:
    """What one commit did to a node.

    ``problem`` says why the file could not be read there, if it could not; ``edge`` that history was cut off
    here, so that what came before is not known.
    """

    commit: Commit
    change: NodeChange
    problem: str = ""
    edge: bool = False


def versions(registry: Registry, identifier: str, revision: str = "HEAD") -> Iterator[Version]:
    """Yield the versions of a node, newest first, back to the root or the edge of a shallow clone."""
    git, path = registry.git, node_path(identifier)
    line = git.first_parents(git.resolve(revision))
    commit = next(line)
    entry = git.entry(commit, path)
    for parent in line:
        before = git.entry(parent, path)
        if before != entry:
            yield _version(registry, identifier, commit, (parent, before), entry)
        commit, entry = parent, before
    if entry is not None:
        first = _version(registry, identifier, commit, None, entry)
        yield replace(first, edge=git.is_edge(commit))


def _version(
    registry: Registry, identifier: str, commit: Commit, before: tuple[Commit, Entry | None] | None, after: Entry | None
) -> Version:
    old = _read(registry, *before) if before and before[1] else None
    new = _read(registry, commit, after) if after else None
    broken = next((item for item in (new, old) if isinstance(item, Unreadable)), None)
    change = difference.change(
        identifier,
        old if not isinstance(old, Unreadable) else None,
        new if not isinstance(new, Unreadable) else None,
    )
    return Version(commit=commit, change=change, problem=broken.reason if broken else "")


def _read(registry: Registry, commit: Commit, entry: Entry | None) -> NodeSpec | Unreadable | None:
    return load(registry.git.tree(commit), entry) if entry else None
