"""The Python API: open a registry, stand at a commit, ask.

>>> from nodespec import Registry                                       # doctest: +SKIP
>>> registry = Registry.open(".")                                       # doctest: +SKIP
>>> [node.id for node in registry.at("HEAD").query(signal="memory_stored")]   # doctest: +SKIP

A snapshot is a frozen view of one tree: a commit, or the work tree. Its nodes are read when first
asked for. What cannot be read as a NodeSpec is never silently left out: it is in
:attr:`Snapshot.unreadable`, and :meth:`Snapshot.require_complete` raises.

Nodes are typed by the contract that this version of the tool was built with. A registry may carry a
narrower one under ``schemas/`` (``nodespec validate`` applies both); it cannot widen what code relies on.
"""

from __future__ import annotations

import os
from collections import Counter
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack

from nodespec import journal, settings
from nodespec.encoding import printable, quoted
from nodespec.errors import NodespecError, RegistryError, UsageError
from nodespec.reading import Unreadable, concerns_nodes, load, load_tombstone, may_hold_nodes, read_checked
from nodespec.tree import SETTINGS_PATH, SETTINGS_SCHEMA_PATH, is_node_path, node_id, node_path, tombstone_path
from nodespec.worktree import WorkTree, find_root, git_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from typing import TypedDict

    from nodespec.cat_file import CatFile
    from nodespec.commit import Commit, CommitTree, Objects
    from nodespec.git import GitRepository
    from nodespec.index.indexed_tree import IndexedTree
    from nodespec.index.store import Store
    from nodespec.question import Words
    from nodespec.settings import Settings
    from nodespec.spec import NodeSpec
    from nodespec.tombstone import Tombstone
    from nodespec.tree import Progress, Tree

    class Filters(TypedDict, total=False):
        """The filters of :func:`nodespec.question.ask`."""

        signal: Words
        emits: Words
        subscribes: Words
        capability: Words
        role: Words
        owner: str | None
        lane: str | None
        tier: str | int | None
        type: str | None
        text: str | None


_COUNTED = ("lane", "tier", "owner", "type")

_STEP = 100
"""Files between two reports of progress: some 50 ms."""


Answer = TypeVar("Answer")


def _through_libgit2(place: str) -> Objects:
    """Open the objects of a Git folder."""
    from nodespec.git import GitRepository

    return GitRepository.open(place).objects


def _silent(_notice: str) -> None:
    """Tell nobody."""


def _unknown() -> None:
    """Know nothing."""


class Registry:
    """A registry in a folder, in a clone, or in a bare repository. Made by :meth:`open`; closed by ``with``."""

    def __init__(
        self, path: str, root: str | None, index: bool | str = True, notice: Callable[[str], None] = _silent
    ) -> None:
        self.path = path
        self.root = root
        self.index = index
        self.notice = notice

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] = ".",
        *,
        index: bool | str = True,
        notice: Callable[[str], None] = _silent,
    ) -> Registry:
        """Open the registry at or above ``path``; raise ``UsageError`` when there is none.

        ``index`` says where the index (:mod:`nodespec.index`) is: in the Git folder (True), in another file, or nowhere
        (False). ``notice`` is told, in a line, when it cannot be used as it should be; answers are the same all the
        same.
        """
        start = os.fspath(path)
        if not os.path.isdir(start):
            raise UsageError(f"{printable(start)} is not a folder", hint="name a clone or a bare repository")
        registry = cls(start, find_root(start), index, notice)
        if isinstance(index, str):
            _ = registry.index_path  # a file that cannot be an index is a mistake, whether it is needed or not
        if registry.root is None:
            _ = registry.git  # without files there must at least be commits
        return registry

    def without_index(self) -> Registry:
        """Return the same registry, answering from the files."""
        return Registry(self.path, self.root, index=False, notice=self.notice)

    @cached_property
    def git(self) -> GitRepository:
        """The Git repository behind it; raises ``UsageError`` when there is none."""
        from nodespec.git import GitRepository

        return GitRepository.open(self.root or self.path)

    def at(self, revision: str | None = None, *, progress: Progress | None = None, index: bool = True) -> Snapshot:
        """Return the registry at a commit (a Git revision or a date); by default the work tree, or HEAD when bare.

        ``progress`` is told how many of how many files were read, while the nodes are. Without ``index``, the snapshot
        answers from its files alone. A change of the work tree that was interrupted half-way is completed first
        (:mod:`nodespec.journal`).
        """
        if revision is None and self.root is not None:
            completed = journal.finish(self.root)
            if completed:
                names = ", ".join(map(printable, completed))
                self.notice(f"note: a change had been interrupted, and is completed now: {names}")
            files = WorkTree(self.root)
            return Snapshot(files, progress, partial(self._indexed, files, progress) if index else _unknown)
        if revision is None and self.git.work_dir is not None:
            hint = "make one with: nodespec init DIR; or name a commit that holds one with --at"
            raise UsageError(f"{printable(self.path)} holds no registry (no registry/registry.yaml)", hint=hint)
        revision = "HEAD" if revision is None else revision
        tree = self._commit(revision)
        return Snapshot(tree, progress, partial(self._indexed, tree, progress) if index else _unknown)

    def _commit(self, revision: str) -> CommitTree:
        found = self._quick.commit(revision) if self._quick is not None else None
        if self._quick is not None and found is not None:
            return self._quick.tree(found)
        if not self._is_top:
            hint = "make it a repository of its own (git init), or ask without --at"
            where = printable(self.root or "")
            raise UsageError(f"the registry in {where} is not the top of its Git repository", hint=hint)
        return self.git.tree(self.git.resolve(revision))

    @cached_property
    def _quick(self) -> CatFile | None:
        """The objects of the repository that the registry is the top of, read without loading libgit2.

        None where it is loaded already, and where it could see something else: what is being pushed, or a history that
        was cut off or mended.
        """
        from nodespec.cat_file import CatFile

        if self.root is None or "git" in vars(self):
            return None
        git_folder_here = os.path.join(self.root, ".git")
        if os.path.islink(git_folder_here) or not os.path.lexists(git_folder_here):
            return None
        place = git_folder(self.root)
        if place is None or os.environ.get("GIT_QUARANTINE_PATH"):
            return None
        if any(os.path.lexists(os.path.join(place, name)) for name in ("shallow", os.path.join("info", "grafts"))):
            return None
        return CatFile(self.root, place, _through_libgit2)

    @property
    def _is_top(self) -> bool:
        """Whether the registry's files, where there are any, are at the top of the Git repository."""
        top = self.git.work_dir
        return self.root is None or (top is not None and os.path.realpath(top) == os.path.realpath(self.root))

    # The index.

    @cached_property
    def index_path(self) -> str | None:
        """Where the index is; None when there is to be none."""
        from nodespec.index.store import UnusableError, place_of

        if self.index is False:
            return None
        try:
            return place_of(self.root or self.path, None if self.index is True else self.index)
        except UnusableError:
            return None

    @cached_property
    def store(self) -> Store | None:
        """The open index; None when there is to be none."""
        from nodespec.index.store import Store

        return Store(self.index_path, self.notice) if self.index_path is not None else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the index go; its file is whole without its log (SQLite's ``-wal``) from then on."""
        opened = vars(self).pop("store", None)
        if opened is not None:
            opened.close()
        quick = vars(self).get("_quick")
        if quick is not None:
            quick.close()

    def _indexed(self, tree: CommitTree | WorkTree, progress: Progress | None) -> IndexedTree | None:
        """Return what the index knows of a tree, after letting it know; None when it does not serve."""
        from nodespec.index.indexed_tree import indexed
        from nodespec.index.store import OddError, UnusableError

        if self.store is None:
            return None
        try:
            return indexed(self.store, tree, present=lambda: self.present, progress=progress)
        except OddError as error:
            self.notice(f"note: answered from the files, without the index: {error}")
        except UnusableError:
            pass
        return None

    @cached_property
    def present(self) -> CommitTree | None:
        """The commit that is checked out; None without one."""
        try:
            return self._commit("HEAD")
        except NodespecError:
            return None


class Snapshot:
    """A view of one tree. Iterating yields every node, in order of path."""

    def __init__(
        self,
        tree: Tree,
        progress: Progress | None = None,
        known: Callable[[], IndexedTree | None] = _unknown,
    ) -> None:
        self.tree = tree
        self.progress = progress
        self.known = known

    @property
    def commit(self) -> Commit | None:
        """The commit; None for a work tree."""
        return getattr(self.tree, "commit", None)

    def __iter__(self) -> Iterator[NodeSpec]:
        return iter(self._loaded[0].values())

    def __len__(self) -> int:
        return len(self._loaded[0])

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._loaded[0]

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """The files under ``registry/nodes`` that are not NodeSpecs."""
        return self._asked(lambda known: tuple(known.unreadable()), lambda: self._loaded[1])

    @property
    def signals(self) -> tuple[str, ...]:
        """Every signal that a node sends or receives, in order."""

        def read() -> tuple[str, ...]:
            return tuple(sorted({signal for node in self for signal in node.signals}))

        return self._asked(lambda known: tuple(known.signals()), read)

    @cached_property
    def settings(self) -> Settings:
        """registry.yaml, as it stands there; raises ``RegistryError`` when it is missing or broken."""
        return settings.from_value(self._read_settings())

    @property
    def example(self) -> str:
        """The registry's id when it says that it is an example, else empty. For telling people; nothing relies on it.

        Raises ``RegistryError`` as :attr:`settings` does.
        """
        value = self._asked(lambda known: known.document(SETTINGS_PATH, self._read_settings), self._read_settings)
        return str(value.get("registry_id", "")) if value.get("example") is True else ""

    def _read_settings(self) -> dict[str, Any]:
        return read_checked(self.tree, SETTINGS_PATH, SETTINGS_SCHEMA_PATH)

    def ids(self) -> list[str]:
        """Return the ids that the paths stand for, without reading a file."""
        return [node_id(entry.path) for entry in self.tree.entries if is_node_path(entry.path)]

    def get(self, identifier: str) -> NodeSpec:
        """Return one node, reading only its file; raise ``UsageError`` when it is not there."""
        path = node_path(identifier)
        entry = self.tree.entry(path)
        if entry is None:
            raise UsageError(
                f"no node is called {quoted(identifier)} in {self.tree.label}", hint=self._near(identifier)
            )
        found = load(self.tree, entry)
        if isinstance(found, Unreadable):
            raise RegistryError(f"{found.path}:{found.line}: {found.reason}", hint=f"run: nodespec validate {path}")
        return found

    def tombstone(self, identifier: str) -> Tombstone:
        """Return the tombstone of a node that is gone; raise ``UsageError`` when there is none."""
        entry = self.tree.entry(tombstone_path(identifier))
        if entry is None:
            raise UsageError(f"no tombstone of {quoted(identifier)} stands in {self.tree.label}")
        return load_tombstone(self.tree, entry)

    def _near(self, identifier: str) -> str:
        from difflib import get_close_matches

        ids = self.ids()
        by_name = [known for known in ids if known.rpartition("/")[2] == identifier.rpartition("/")[2]]
        near = by_name or get_close_matches(identifier, ids, n=3, cutoff=0.5)
        return f"did you mean {' or '.join(near[:3])}?" if near else "nodespec query lists every node"

    def query(self, **filters: Unpack[Filters]) -> tuple[NodeSpec, ...]:
        """Return the nodes that pass every filter, in order of path; see :mod:`nodespec.question`."""
        return self.each(lambda node: node, **filters)

    def each(self, read: Callable[[NodeSpec], Answer], **filters: Unpack[Filters]) -> tuple[Answer, ...]:
        """Return what ``read`` makes of each node that passes every filter; no more of it is kept."""
        from nodespec.question import ask

        question = ask(**filters)
        return self._asked(
            lambda known: tuple(map(read, known.nodes(question))),
            lambda: tuple(read(node) for node in self if question.matches(node)),
        )

    def counts(self, by: Literal["lane", "tier", "owner", "type"]) -> dict[Any, int]:
        """Return how many nodes have each lane, tier, owner or type; raise ``UsageError`` for anything else."""
        if by not in _COUNTED:
            raise UsageError(f"nodes are not counted by {quoted(by)}", hint="expected lane, tier, owner or type")
        place, found = _COUNTED.index(by), Counter[Any]()
        for group, nodes in self._groups.items():
            found[group[place]] += nodes
        return dict(found)

    @cached_property
    def _groups(self) -> dict[tuple[Any, ...], int]:
        """How many nodes have each (lane, tier, owner, type)."""

        def read() -> dict[tuple[Any, ...], int]:
            return Counter((node.lane, node.tier, node.owner, node.node_type) for node in self)

        return self._asked(lambda known: known.groups(), read)

    def one_sided(self) -> tuple[list[str], list[str]]:
        """Return the signals that nobody emits, and those that nobody subscribes to, each in order."""

        def read() -> tuple[list[str], list[str]]:
            emitted = {emit.name for node in self for emit in node.emits}
            heard = {item.signal for node in self for item in node.subscribes}
            return sorted(heard - emitted), sorted(emitted - heard)

        return self._asked(lambda known: known.one_sided(), read)

    def apart(self, other: Snapshot) -> frozenset[str] | None:
        """Return the paths at which nodes may differ between the two snapshots; None when that is not known."""
        for mine in self._indexed:
            for theirs in other._indexed:
                found = self._asked(lambda _: mine.apart(theirs), lambda: None)  # noqa: B023  # asked at once
                return None if found is None else frozenset(found)
        return None

    def at_paths(self, paths: Collection[str]) -> tuple[NodeSpec, ...]:
        """Return the nodes whose files are at these paths, in order of path."""
        return self._asked(
            lambda known: tuple(known.at_paths(sorted(paths))),
            lambda: tuple(node for node in self if node.path in paths),
        )

    def touching(self, node: NodeSpec) -> tuple[NodeSpec, ...]:
        """Return the nodes that send or receive a signal which this one does, and itself, in order of path."""
        names = sorted(node.signals)

        def read() -> tuple[NodeSpec, ...]:
            return tuple(other for other in self if other.id == node.id or node.signals & other.signals)

        found = self._asked(lambda known: tuple(known.touching(names)), read)
        return found if node.signals else (node,)

    def require_complete(self) -> None:
        """Raise ``RegistryError`` when a file could not be read as a node, so that an answer may lack it."""
        if self.unreadable:
            first = self.unreadable[0]
            more = f" (and {len(self.unreadable) - 1} more)" if len(self.unreadable) > 1 else ""
            message = f"the answer may be incomplete: {printable(first.path)}:{first.line}: {first.reason}{more}"
            raise RegistryError(message, hint="run: nodespec validate")

    @cached_property
    def _indexed(self) -> list[IndexedTree]:
        """What the index knows of this tree; empty when it does not serve."""
        found = self.known()
        return [] if found is None else [found]

    def _asked(self, of_index: Callable[[IndexedTree], Answer], of_files: Callable[[], Answer]) -> Answer:
        """Return an answer of the index, or, where that fails, of the files; they are the same."""
        from nodespec.index.store import UnusableError

        for known in self._indexed:
            try:
                return of_index(known)
            except UnusableError:
                self._indexed.clear()
        return of_files()

    @cached_property
    def _loaded(self) -> tuple[dict[str, NodeSpec], tuple[Unreadable, ...]]:
        """Every node by id, and every file that is none."""
        return self._asked(
            lambda known: ({node.id: node for node in known.nodes()}, tuple(known.unreadable())),
            self._read_all,
        )

    def _read_all(self) -> tuple[dict[str, NodeSpec], tuple[Unreadable, ...]]:
        nodes: dict[str, NodeSpec] = {}
        defects = (item for item in self.tree.defects if concerns_nodes(item.path))
        unreadable = [Unreadable(path=item.path, line=1, reason=item.what) for item in defects]
        entries = [entry for entry in self.tree.entries if may_hold_nodes(entry)]
        for done, entry in enumerate(entries, 1):
            found = load(self.tree, entry)
            if self.progress is not None and (done % _STEP == 0 or done == len(entries)):
                self.progress(done, len(entries))
            if isinstance(found, Unreadable):
                unreadable.append(found)
            else:
                nodes[found.id] = found
        return nodes, tuple(unreadable)
