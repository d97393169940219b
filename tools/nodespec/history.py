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
    from nodespec.git import Step
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
    git = registry.git
    for step in git.steps(git.resolve(revision), node_path(identifier)):
        if step.parent is not None:
            yield _version(registry, identifier, step)
        elif step.after is not None:
            yield replace(_version(registry, identifier, step), edge=git.is_edge(step.commit))


def _version(registry: Registry, identifier: str, step: Step) -> Version:
    old = _read(registry, step.parent, step.before)
    new = _read(registry, step.commit, step.after)
    broken = next((item for item in (new, old) if isinstance(item, Unreadable)), None)
    change = difference.change(
        identifier,
        old if not isinstance(old, Unreadable) else None,
        new if not isinstance(new, Unreadable) else None,
    )
    return Version(commit=step.commit, change=change, problem=broken.reason if broken else "")


def _read(registry: Registry, commit: Commit | None, entry: Entry | None) -> NodeSpec | Unreadable | None:
    return load(registry.git.tree(commit), entry) if commit is not None and entry is not None else None
