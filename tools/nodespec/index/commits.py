"""A commit that was looked at before: opened only when somebody asks for more than the index holds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from nodespec.tree import NODES, REGULAR, SETTINGS_PATH, Defect, Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nodespec.git import CommitTree
    from nodespec.index.store import Store
    from nodespec.tree import Tree


@dataclass(frozen=True)
class KnownCommit:
    """The files of a commit, of which the ids of the nodes' folder and of registry.yaml are known.

    Anything else opens it, which costs more than most answers.
    """

    id: str
    nodes: str
    settings: str
    opener: Callable[[str], CommitTree]

    @cached_property
    def _opened(self) -> CommitTree:
        return self.opener(self.id)

    def open(self) -> CommitTree:
        """Return the commit's files."""
        return self._opened

    @property
    def label(self) -> str:
        """For people."""
        return f"commit {self.id[:10]}"

    @property
    def entries(self) -> Sequence[Entry]:
        """Every file, in byte order of the paths."""
        return self._opened.entries

    @property
    def defects(self) -> Sequence[Defect]:
        """Names that no honest writer puts into a tree."""
        return self._opened.defects

    def entry(self, path: str) -> Entry | None:
        """Return the file at ``path``."""
        return Entry(path, REGULAR, self.settings) if path == SETTINGS_PATH else self._opened.entry(path)

    def below(self, folder: str) -> Sequence[Entry]:
        """Return the files at any depth in ``folder``."""
        return self._opened.below(folder)

    def differing(self, base: Tree) -> Sequence[str] | None:
        """Return the paths whose file is another in ``base``."""
        return self._opened.differing(base.open() if isinstance(base, KnownCommit) else base)

    def folder(self, path: str) -> tuple[str, list[Defect]]:
        """Return the object id of the folder at ``path``, empty when there is none, and what is odd on the way."""
        return (self.nodes, []) if path == NODES.rstrip("/") else self._opened.folder(path)

    def changes(self, path: str, old: str, new: str) -> tuple[list[tuple[Entry | None, Entry | None]], list[Defect]]:
        """Return what differs between two folders that stand at ``path``."""
        return self._opened.changes(path, old, new)

    def size(self, entry: Entry) -> int:
        """Return the blob's length in bytes."""
        return self._opened.size(entry)

    def read(self, entry: Entry) -> bytes:
        """Return the blob's bytes."""
        return self._opened.read(entry)

    def __reduce__(self) -> str | tuple[object, ...]:
        """Cross to another process as what was opened."""
        return self._opened.__reduce__()


def known_commit(store: Store, repo: str, revision: str, opener: Callable[[str], CommitTree]) -> KnownCommit | None:
    """Return the commit that a revision names, when it was looked at before."""
    commit = _resolved(repo, revision)
    if commit is None:
        return None
    with store.using() as database:
        row = database.execute("SELECT nodes, settings FROM seen WHERE id = ?", (commit,)).fetchone()
    return KnownCommit(commit, row[0], row[1], opener) if row else None


def _resolved(repo: str, revision: str) -> str | None:
    """Return the id of the commit that git takes a revision for; None when it takes it for none, or is not there."""
    import subprocess

    if revision.startswith("-"):
        return None
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_NO_REPLACE_OBJECTS"] = "1"  # as libgit2, which reads everything else
    question = ["git", "-C", repo, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"]
    try:
        done = subprocess.run(question, capture_output=True, check=False, env=environment)
    except OSError:
        return None
    return done.stdout.decode("ascii", "replace").strip() if done.returncode == 0 else None
