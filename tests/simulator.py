"""Real Git repositories, built in a temporary folder with the git command and raw objects.

Nothing here is a stand-in: the repositories are what ``git`` itself makes, apart from its user's settings,
and :meth:`Repository.raw_tree` writes the tree objects that no honest writer would.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DATE = "2026-03-14T12:00:00+00:00"
NO_ID = "0" * 40

_ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


def git(folder: Path | str, *words: str, stdin: bytes = b"", date: str = DATE) -> bytes:
    """Run one git command and return what it printed; its complaint becomes the error's text."""
    environment = {**_ENVIRONMENT, "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    done = subprocess.run(["git", *words], cwd=folder, input=stdin, capture_output=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"git {' '.join(words)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


class Repository:
    """A repository at ``path``, with a work tree unless it is bare."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def init(cls, path: Path, *options: str) -> Repository:
        """Make a new repository whose branch is ``main``."""
        path.mkdir(parents=True, exist_ok=True)
        git(path, "init", "--quiet", "--initial-branch=main", *options)
        return cls(path)

    def git(self, *words: str, stdin: bytes = b"", date: str = DATE) -> str:
        """Run git here and return its output without the last newline."""
        return git(self.path, *words, stdin=stdin, date=date).decode("utf-8", "surrogateescape").removesuffix("\n")

    def write(self, path: str, content: str | bytes, *, mode: int = 0o644) -> Path:
        """Write a file into the work tree, with the folders above it."""
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        file.chmod(mode)
        return file

    def link(self, path: str, target: str) -> Path:
        """Make a symbolic link in the work tree."""
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.symlink_to(target)
        return file

    def remove(self, path: str) -> None:
        """Remove a file or a folder, from the index as well."""
        self.git("rm", "-r", "-q", "--", path)

    def commit(self, message: str = "change", date: str = DATE) -> str:
        """Commit everything in the work tree and return the commit's id."""
        self.git("add", "--all", "--force", ".")
        self.git("commit", "--quiet", "--allow-empty", "--message", message, date=date)
        return self.head

    @property
    def head(self) -> str:
        """The id that HEAD stands for."""
        return self.git("rev-parse", "HEAD")

    def clone(self, path: Path, *options: str) -> Repository:
        """Clone over ``file://``, as from another machine."""
        git(path.parent, "clone", "--quiet", *options, f"file://{self.path}", str(path))
        return Repository(path)

    def blob(self, content: bytes) -> str:
        """Store a blob and return its id."""
        return self.git("hash-object", "-w", "--stdin", stdin=content)

    def raw_tree(self, *entries: tuple[str, bytes, str]) -> str:
        """Store a tree object of exactly these (mode, name, id), in this order, and return its id."""
        body = b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries)
        return self.git("hash-object", "-t", "tree", "--literally", "-w", "--stdin", stdin=body)

    def commit_tree(self, tree: str, message: str = "change", date: str = DATE) -> str:
        """Commit a tree by its id, move ``main`` there, and return the commit's id."""
        commit = self.git("commit-tree", tree, "-m", message, date=date)
        self.git("update-ref", "refs/heads/main", commit)
        return commit

    def commit_registry(self, *entries: tuple[str, bytes, str]) -> str:
        """Commit a hand-made tree as the folder ``registry``."""
        return self.commit_tree(self.raw_tree(("40000", b"registry", self.raw_tree(*entries))))
