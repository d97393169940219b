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
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Unpack

from nodespec import document, journal, schema, settings, spec, text, tombstone
from nodespec.encoding import printable, quoted
from nodespec.errors import RegistryError, UsageError
from nodespec.question import ask
from nodespec.tree import (
    EXECUTABLE,
    NODE_SCHEMA_PATH,
    NODES,
    REGULAR,
    SETTINGS_PATH,
    SETTINGS_SCHEMA_PATH,
    TOMBSTONE_SCHEMA_PATH,
    Entry,
    is_node_path,
    node_id,
    node_path,
    tombstone_path,
)
from nodespec.worktree import WorkTree, find_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypedDict

    from nodespec.git import Commit, GitRepository
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


_STEP = 100
"""Files between two reports of progress: some 50 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A file that should be a NodeSpec and is not; ``reason`` is its first problem."""

    path: str
    line: int
    reason: str


@dataclass(frozen=True)
class Registry:
    """A registry in a folder, in a clone, or in a bare repository. Made by :meth:`open`."""

    path: str
    root: str | None

    @classmethod
    def open(cls, path: str | os.PathLike[str] = ".") -> Registry:
        """Open the registry at or above ``path``; raise ``UsageError`` when there is none."""
        start = os.fspath(path)
        if not os.path.isdir(start):
            raise UsageError(f"{printable(start)} is not a folder", hint="name a clone or a bare repository")
        registry = cls(start, find_root(start))
        if registry.root is None:
            _ = registry.git  # without files there must at least be commits
        return registry

    @cached_property
    def git(self) -> GitRepository:
        """The Git repository behind it; raises ``UsageError`` when there is none."""
        from nodespec.git import GitRepository

        return GitRepository.open(self.root or self.path)

    def at(self, revision: str | None = None, *, progress: Progress | None = None) -> Snapshot:
        """Return the registry at a commit (a Git revision or a date); by default the work tree, or HEAD when bare.

        ``progress`` is told how many of how many files were read, while the nodes are. A change of the work tree that
        was interrupted half-way is completed first (:mod:`nodespec.journal`).
        """
        if revision is None and self.root is not None:
            journal.finish(self.root)
            return Snapshot(WorkTree(self.root), progress=progress)
        if revision is None and self.git.work_dir is not None:
            hint = "make one with: nodespec init DIR; or name a commit that holds one with --at"
            raise UsageError(f"{printable(self.path)} holds no registry (no registry/registry.yaml)", hint=hint)
        top = self.git.work_dir
        if self.root is not None and (top is None or os.path.realpath(top) != os.path.realpath(self.root)):
            hint = "make it a repository of its own (git init), or ask without --at"
            raise UsageError(f"the registry in {printable(self.root)} is not the top of its Git repository", hint=hint)
        commit = self.git.resolve("HEAD" if revision is None else revision)
        return Snapshot(self.git.tree(commit), commit, progress)


@dataclass(frozen=True)
class Snapshot:
    """A frozen view of one tree. Iterating yields every node, in order of path."""

    tree: Tree
    commit: Commit | None = None
    progress: Progress | None = field(default=None, compare=False, repr=False)

    def __iter__(self) -> Iterator[NodeSpec]:
        return iter(self._loaded[0].values())

    def __len__(self) -> int:
        return len(self._loaded[0])

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._loaded[0]

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """The files under ``registry/nodes`` that are not NodeSpecs."""
        return self._loaded[1]

    @cached_property
    def settings(self) -> Settings:
        """registry.yaml; raises ``RegistryError`` when it is missing or broken."""
        value = read_checked(self.tree, SETTINGS_PATH, SETTINGS_SCHEMA_PATH)
        return settings.from_value(value)

    def ids(self) -> list[str]:
        """Return the ids that the paths stand for, without reading a file."""
        return [node_id(entry.path) for entry in self.tree.entries if is_node_path(entry.path)]

    def get(self, identifier: str) -> NodeSpec:
        """Return one node, reading only its file; raise ``UsageError`` when it is not there."""
        path = node_path(identifier)
        entry = next((entry for entry in self.tree.entries if entry.path == path), None)
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
        path = tombstone_path(identifier)
        if not any(entry.path == path for entry in self.tree.entries):
            raise UsageError(f"no tombstone of {quoted(identifier)} stands in {self.tree.label}")
        return load_tombstone(self.tree, path)

    def _near(self, identifier: str) -> str:
        from difflib import get_close_matches

        ids = self.ids()
        by_name = [known for known in ids if known.rpartition("/")[2] == identifier.rpartition("/")[2]]
        near = by_name or get_close_matches(identifier, ids, n=3, cutoff=0.5)
        return f"did you mean {' or '.join(near[:3])}?" if near else "nodespec query lists every node"

    def query(self, **filters: Unpack[Filters]) -> tuple[NodeSpec, ...]:
        """Return the nodes that pass every filter, in order of path; see :mod:`nodespec.question`."""
        question = ask(**filters)
        return tuple(node for node in self if question.matches(node))

    def require_complete(self) -> None:
        """Raise ``RegistryError`` when a file could not be read as a node, so that an answer may lack it."""
        if self.unreadable:
            first = self.unreadable[0]
            more = f" (and {len(self.unreadable) - 1} more)" if len(self.unreadable) > 1 else ""
            message = f"the answer may be incomplete: {printable(first.path)}:{first.line}: {first.reason}{more}"
            raise RegistryError(message, hint="run: nodespec validate")

    @cached_property
    def _loaded(self) -> tuple[dict[str, NodeSpec], tuple[Unreadable, ...]]:
        nodes: dict[str, NodeSpec] = {}
        unreadable = [Unreadable(path=item.path, line=1, reason=item.what) for item in self.tree.defects]
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


def may_hold_nodes(entry: Entry) -> bool:
    """Say whether an entry is a node, or may hide one: a link, a submodule, a closed folder, another suffix."""
    if entry.mode not in (REGULAR, EXECUTABLE):
        return entry.path.startswith(NODES) or entry.path in _ABOVE_NODES
    return entry.path.startswith(NODES) and not entry.path.endswith(".dsse.json")


_ABOVE_NODES = ("registry", "registry/nodes")


def read_document(tree: Tree, entry: Entry) -> document.Document:
    """Parse one file, without reading what is too large; raises ``OSError`` when it cannot be read."""
    size = tree.size(entry)
    if size > text.MAX_BYTES:
        return document.Document(None, (text.too_large(size),), None)
    return document.parse(tree.read(entry))


def read_checked(tree: Tree, path: str, contract_path: str) -> dict[str, Any]:
    """Return the value of a document that fulfils the built-in contract; raise ``RegistryError`` otherwise."""
    entry = next((entry for entry in tree.entries if entry.path == path), None)
    if entry is None:
        raise RegistryError(f"{path} is missing in {tree.label}", hint="nodespec init DIR writes one")
    found = _read_value(tree, entry, contract_path)
    if isinstance(found, Unreadable):
        raise RegistryError(f"{path}:{found.line}: {found.reason}", hint="run: nodespec validate")
    return found


def load(tree: Tree, entry: Entry) -> NodeSpec | Unreadable:
    """Read one node's file."""
    value = _read_value(tree, entry, NODE_SCHEMA_PATH)
    if isinstance(value, Unreadable):
        return value
    node = spec.from_value(value, entry.path)
    if node_path(node.id) != entry.path:
        return Unreadable(path=entry.path, line=1, reason=f"its id is {node.id}, which belongs at another path")
    return node


def load_tombstone(tree: Tree, path: str) -> Tombstone:
    """Read one tombstone; raise ``RegistryError`` when it is none, or belongs at another path."""
    stone = tombstone.from_value(read_checked(tree, path, TOMBSTONE_SCHEMA_PATH), path)
    if tombstone_path(stone.id) != path:
        raise RegistryError(
            f"{path}: its id is {stone.id}, which belongs at another path", hint="run: nodespec validate"
        )
    return stone


def _read_value(tree: Tree, entry: Entry, contract_path: str) -> dict[str, Any] | Unreadable:
    if entry.mode not in (REGULAR, EXECUTABLE):
        return Unreadable(path=entry.path, line=1, reason="it is not a regular file that can be read")
    if contract_path == NODE_SCHEMA_PATH and not is_node_path(entry.path):
        return Unreadable(path=entry.path, line=1, reason="a node's file ends in .yaml")
    try:
        read = read_document(tree, entry)
    except OSError as error:
        return Unreadable(path=entry.path, line=1, reason=error.strerror or str(error))
    if read.value is None or read.problems:
        problem = read.problems[0]
        return Unreadable(path=entry.path, line=problem.span.line, reason=problem.message)
    contract = schema.builtin(contract_path)
    if not contract.accepts(read.value):
        hit = contract.violations(read.value)[0]
        line = read.locate(hit.at or (), on_key=hit.on_key).line
        return Unreadable(path=entry.path, line=line, reason=hit.message)
    return read.value
