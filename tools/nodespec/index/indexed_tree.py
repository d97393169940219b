"""One tree in the index: which fact is at which path, by the difference to what is known already.

One tree is the **base**: the newest that was asked about as the present. Of every other tree, the index holds what
differs from the base, path by path. So a commit a thousand back costs its difference once, and nothing the second time;
and a new commit moves the base by its own changes, however large the registry is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodespec.errors import RegistryError
from nodespec.index import queries
from nodespec.index.commit_trees import of_commit
from nodespec.index.facts import identify, pack
from nodespec.index.learning import Learning
from nodespec.index.store import OddError
from nodespec.question import Question
from nodespec.worktree import WorkTree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nodespec.commit import CommitTree
    from nodespec.index.store import Store
    from nodespec.reading import Unreadable
    from nodespec.spec import NodeSpec
    from nodespec.tree import Progress


class IndexedTree:
    """A tree that a store knows by this name. Its number may change at any time, so every answer looks it up."""

    def __init__(self, store: Store, name: str, tree: CommitTree | WorkTree) -> None:
        self.store = store
        self.name = name
        self.tree = tree

    def nodes(self, question: Question | None = None) -> Iterator[NodeSpec]:
        """Yield the nodes that pass a question, by default all, in order of path."""
        return queries.nodes(self.store, self.name, question or Question())

    def touching(self, signals: Sequence[str]) -> Iterator[NodeSpec]:
        """Yield the nodes that send or receive one of these signals, in order of path."""
        return queries.touching(self.store, self.name, signals)

    def at_paths(self, paths: Sequence[str]) -> Iterator[NodeSpec]:
        """Yield the nodes whose files are at these paths, in order of path."""
        return queries.at_paths(self.store, self.name, paths)

    def unreadable(self) -> list[Unreadable]:
        """Return the files that are no nodes, in order of path."""
        return queries.unreadable(self.store, self.name)

    def document(self, path: str, read: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the value of another document of the tree, which is ``read`` once ever."""
        entry = self.tree.entry(path)
        try:
            blob = (entry.blob or identify(self.tree, entry)) if entry else ""
        except OSError:
            blob = ""
        if not blob:
            return read()  # it will say what is wrong
        with self.store.using() as database:
            known = database.execute("SELECT value FROM document WHERE blob = ?", (blob,)).fetchone()
        if known is not None:
            return queries.unpacked(self.store, known[0])
        value = read()
        if not entry or (not entry.blob and identify(self.tree, entry) != blob):
            return value  # it changed meanwhile
        with self.store.writing() as database:
            database.execute("INSERT OR IGNORE INTO document VALUES (?, ?)", (blob, pack(value)))
        return value

    def signals(self) -> list[str]:
        """Return every signal that a node sends or receives, in order."""
        return queries.signals(self.store, self.name)

    def groups(self) -> dict[tuple[Any, ...], int]:
        """Return how many nodes have each (lane, tier, owner, type)."""
        return queries.groups(self.store, self.name)

    def one_sided(self) -> tuple[list[str], list[str]]:
        """Return the signals that nobody emits, and those that nobody subscribes to."""
        return queries.one_sided(self.store, self.name)

    def apart(self, other: IndexedTree) -> list[str] | None:
        """Return every path at which the two may differ; None when they are not of one index."""
        return queries.apart(self.store, self.name, other.name) if self.store is other.store else None


def indexed(
    store: Store,
    tree: CommitTree | WorkTree,
    *,
    present: Callable[[], CommitTree | None],
    jobs: int | None = None,
    progress: Progress | None = None,
) -> IndexedTree:
    """Make a tree known; raise :class:`UnusableError` when it is odd, or the store fails.

    ``present`` says which commit is checked out. It is asked for once, before a work tree is looked into for the first
    time, or when a commit is not known yet: the base moves there.
    """
    work = Learning(store, tree, jobs, progress)
    try:
        if isinstance(tree, WorkTree):
            from nodespec.index.work_trees import of_work_tree  # late: not everybody asks about files

            name = of_work_tree(work, tree, present)
        else:
            name = of_commit(work, tree, present)
    except RegistryError as error:  # an object is missing
        raise OddError(str(error)) from error
    return IndexedTree(store, name, tree)
