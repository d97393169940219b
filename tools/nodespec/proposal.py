"""What a pull request would make of a branch: the base, what head proposes, and the tree that merging gives.

Git merges line by line, by strategies, drivers and attributes that a change can bring along, and hosts differ in which
of them they heed. A registry needs none of that: every file has one author at a time, and a signature covers all of its
bytes. So the merge that is judged is the plain one, file by file: what one side changed is taken from that side, and
what both changed, each in its own way, is a conflict, even where Git would find a text that pleases both. Whatever Git
merges differently, it merges into something that this refuses.

Everything is read by object id, nothing is written, and no work tree is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from nodespec.errors import RegistryError
from nodespec.tree import NODES, ROOTS, SETTINGS_PATH, Defect, Entry, is_listed, path_bytes, within

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nodespec.commit import Commit, CommitTree, Pair
    from nodespec.git import GitRepository
    from nodespec.tree import Tree


@dataclass(frozen=True)
class MergedTree:
    """A commit with some files of another written over it, or taken out (None)."""

    under: CommitTree
    files: Mapping[str, Entry | None]
    defects: Sequence[Defect]
    label: str

    @cached_property
    def entries(self) -> Sequence[Entry]:
        """Every file, in byte order of the paths."""
        return _in_order([*self._kept(self.under.entries), *self._come(tuple(f"{root}/" for root in ROOTS))])

    def entry(self, path: str) -> Entry | None:
        """Return the file at ``path``."""
        return self.files[path] if path in self.files else self.under.entry(path)

    def below(self, folder: str) -> Sequence[Entry]:
        """Return the files at any depth in ``folder``."""
        if "entries" in vars(self) and is_listed(folder):
            return within(self.entries, folder)
        return _in_order([*self._kept(self.under.below(folder)), *self._come((folder,))])

    def _kept(self, entries: Sequence[Entry]) -> list[Entry]:
        return [entry for entry in entries if entry.path not in self.files]

    def _come(self, folders: tuple[str, ...]) -> list[Entry]:
        whole = tuple(folder.rstrip("/") for folder in folders)
        return [new for path, new in self.files.items() if new and (path.startswith(folders) or path in whole)]

    def differing(self, base: Tree) -> Sequence[str] | None:
        """Return the paths whose file is another in ``base``, when that is the commit below."""
        if base is not self.under:
            return None
        return sorted((path for path in self.files if is_listed(path)), key=path_bytes)

    def size(self, entry: Entry) -> int:
        """Return the blob's length in bytes."""
        return self.under.size(entry)

    def read(self, entry: Entry) -> bytes:
        """Return the blob's bytes."""
        return self.under.read(entry)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A change of a branch, from what it holds now to what it would hold.

    ``changes`` are (before, after) of every path of the repository that would differ, in order of path; ``conflicts``
    are paths that both sides changed, and then ``tree`` is what head proposes where they collide.
    """

    base: Commit
    head: Commit
    before: CommitTree
    tree: CommitTree | MergedTree
    changes: tuple[Pair, ...]
    defects: tuple[Defect, ...]
    conflicts: tuple[str, ...] = ()

    @property
    def is_merge(self) -> bool:
        """Whether base has moved on since head branched off."""
        return isinstance(self.tree, MergedTree)

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Every path that would differ, in order."""
        return tuple(path_of(pair) for pair in self.changes)

    @property
    def outside(self) -> tuple[str, ...]:
        """The paths that are neither of the registry nor of its contracts."""
        return tuple(path for path in self.paths if not is_listed(path))

    @property
    def inside(self) -> tuple[str, ...]:
        """The paths of the registry and its contracts among them."""
        return tuple(path for path in self.paths if is_listed(path))


def path_of(pair: Pair) -> str:
    """Return the path at which something differs."""
    entry = pair[1] or pair[0]
    assert entry is not None
    return entry.path


def holds_registry(tree: CommitTree) -> bool:
    """Say whether a commit holds a registry, and not only a folder of that name."""
    return tree.entry(SETTINGS_PATH) is not None or bool(tree.children(NODES.rstrip("/")))


def propose(git: GitRepository, base: Commit, head: Commit) -> Proposal:
    """Return what ``head`` proposes to ``base``; raise ``RegistryError`` where that cannot be known."""
    before = git.tree(base)
    if not holds_registry(before):
        hint = "a registry begins with a commit that is judged as a whole: nodespec validate --at HEAD"
        raise RegistryError(f"{base.short} holds no registry, so there is nothing to believe", hint=hint)
    if git.descends(head, base.id):
        changes, defects = _between(before, git.tree(head))
        return Proposal(
            base=base,
            head=head,
            before=before,
            tree=git.tree(head),
            changes=_sorted(changes),
            defects=tuple(defects),
        )
    fork = git.fork(base, head)
    if fork is None:
        hint = "is this clone shallow? git fetch --unshallow; else the two have no history in common"
        raise RegistryError(f"{head.short} and {base.short} share no commit that is here", hint=hint)
    ours, _ = _between(git.tree(fork), before)
    theirs, defects = _between(git.tree(fork), git.tree(head))
    return _merged(base, head, before, ours, theirs, defects)


def propose_tree(git: GitRepository, base: Commit, tree: str) -> Proposal:
    """Return what a tree, given by its object id, would make of ``base`` if it were committed on top of it."""
    before, after = git.tree(base), git.staged(tree)
    changes, defects = _between(before, after)
    return Proposal(
        base=base,
        head=after.commit,
        before=before,
        tree=after,
        changes=_sorted(changes),
        defects=tuple(defects),
    )


def _merged(
    base: Commit, head: Commit, before: CommitTree, ours: list[Pair], theirs: list[Pair], defects: list[Defect]
) -> Proposal:
    taken = {path_of(pair): pair[1] for pair in ours}
    files = {path_of(pair): pair[1] for pair in theirs}
    files = {path: new for path, new in files.items() if path not in taken or taken[path] != new}
    conflicts = {path for path in files if path in taken}
    come = {path for path, new in files.items() if new is not None}
    conflicts |= {path for path in come if _is_blocked(path, before, files) or _is_folder(path, before, files)}
    changes = [(before.entry(path), new) for path, new in files.items()]
    label = f"commit {head.short} merged into {base.short}"
    return Proposal(
        base=base,
        head=head,
        before=before,
        tree=MergedTree(before, files, tuple(defects), label),
        changes=_sorted(changes),
        defects=tuple(defects),
        conflicts=tuple(sorted(conflicts, key=path_bytes)),
    )


def _is_blocked(path: str, before: CommitTree, files: Mapping[str, Entry | None]) -> bool:
    """Say whether a file of base stands where a folder on the way to ``path`` would be."""
    above = path.rpartition("/")[0]
    while above:
        if above not in files and before.entry(above) is not None:
            return True
        above = above.rpartition("/")[0]
    return False


def _is_folder(path: str, before: CommitTree, files: Mapping[str, Entry | None]) -> bool:
    """Say whether base has files in a folder where a file would be."""
    return any(files.get(entry.path, entry) is not None for entry in before.below(f"{path}/"))


def _between(old: CommitTree, new: CommitTree) -> tuple[list[Pair], list[Defect]]:
    return new.changes("", old.commit.tree, new.commit.tree)


def _sorted(changes: Sequence[Pair]) -> tuple[Pair, ...]:
    return tuple(sorted(changes, key=lambda pair: path_bytes(path_of(pair))))


def _in_order(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: path_bytes(entry.path))
