"""A checkout's files to a tree, without Git: what would be committed if all were added.

Symbolic links are never followed. A folder that is a repository of its own counts as a submodule.
"""

from __future__ import annotations

import os
import stat
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from nodespec.tree import (
    ATTESTATION_SUFFIX,
    EXECUTABLE,
    MAX_FOLDER_DEPTH,
    NODES,
    REGULAR,
    ROOTS,
    SETTINGS_PATH,
    SPECIAL,
    SUBMODULE,
    SYMLINK,
    UNREADABLE,
    Defect,
    Entry,
    is_listed,
    path_bytes,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nodespec.tree import Tree

FileState = tuple[str, int, int, int, int, int, int]
"""Name, mode, size, mtime and ctime in nanoseconds, inode, and how many names the file has."""

_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""O_NONBLOCK: opening a named pipe that was swapped in must not hang."""

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class WorkTree:
    """The files below ``registry/`` and ``schemas/`` of the folder ``root``."""

    label = "the work tree"

    def __init__(self, root: str) -> None:
        self.root = root

    @cached_property
    def entries(self) -> list[Entry]:
        """Every file, in byte order of the paths."""
        entries: list[Entry] = []
        for name in ROOTS:
            path = os.path.join(self.root, name)
            if os.path.isdir(path) and not os.path.islink(path):
                _scan_folder(path, name, entries)
            elif os.path.lexists(path):
                entries.append(Entry(name, _mode(os.lstat(path))))
        entries.sort(key=lambda entry: path_bytes(entry.path))
        return entries

    def entry(self, path: str) -> Entry | None:
        """Return the file at ``path``, when no folder on the way is a link or a repository of its own."""
        if "entries" in vars(self) and is_listed(path):
            return self._by_path.get(path)
        place = self.root
        for name in path.split("/")[:-1]:
            place = os.path.join(place, name)
            if self._is_apart(place):
                return None
        try:
            status = os.lstat(os.path.join(self.root, path))
        except OSError:
            return None
        return None if stat.S_ISDIR(status.st_mode) else Entry(path, _mode(status))

    @cached_property
    def _by_path(self) -> dict[str, Entry]:
        return {entry.path: entry for entry in self.entries}

    def below(self, folder: str) -> Sequence[Entry]:
        """Return the files at any depth in ``folder``, which ends in ``/``, in byte order."""
        if "entries" in vars(self) and is_listed(folder):
            return within(self.entries, folder)
        found: list[Entry] = []
        path = os.path.join(self.root, folder)
        if os.path.isdir(path) and not any(map(self._is_apart, upwards(path.rstrip("/"), self.root))):
            _scan(path.rstrip("/"), folder, found)
        return sorted(found, key=lambda entry: path_bytes(entry.path))

    def differing(self, base: Tree) -> Sequence[str] | None:  # noqa: ARG002  # nothing is known of either
        """Return None: only looking at each file tells."""
        return None

    def _is_apart(self, folder: str) -> bool:
        """Say whether a folder is a link, or a repository of its own."""
        return os.path.islink(folder) or os.path.lexists(os.path.join(folder, ".git"))

    def state(self, folder: str) -> tuple[FileState, ...]:
        """Return the state of the files in one folder; raise ``OSError`` when it cannot be read."""
        for found in self.states(folder, depth=0):
            return found.files
        raise FileNotFoundError(f"{folder} is gone")

    @property
    def defects(self) -> tuple[Defect, ...]:
        """A file system cannot hold what these describe."""
        return ()

    def size(self, entry: Entry) -> int:
        """Return the file's length in bytes."""
        return os.lstat(os.path.join(self.root, entry.path)).st_size

    def read(self, entry: Entry) -> bytes:
        """Return the file's bytes, as they are on disk."""
        descriptor = os.open(os.path.join(self.root, entry.path), _READ_FLAGS)
        try:
            size = os.fstat(descriptor).st_size
            parts = [os.read(descriptor, size + 1)]
            while parts[-1] and sum(map(len, parts)) < size:
                parts.append(os.read(descriptor, size))
            return b"".join(parts)
        finally:
            os.close(descriptor)

    def states(self, top: str, *, depth: int = MAX_FOLDER_DEPTH, cut: list[str] | None = None) -> Iterator[FolderState]:
        """Yield every folder at and below ``top``, a path from the root, with the state of its files.

        Attestations are left out: no question is about them. Folders ``depth`` levels down are not looked into, but
        appended to ``cut``. Raises ``OSError`` when a folder cannot be read.
        """
        path = os.path.join(self.root, top)
        if any(map(os.path.islink, upwards(path, self.root))):
            raise NotADirectoryError(f"{top} is reached through a link")
        for above in upwards(path, self.root):  # what cannot be listed may hide something
            if os.path.lexists(os.path.join(above, ".git")):
                raise NotADirectoryError(f"{top} is in a repository of its own")
            if os.path.lexists(above):
                os.close(os.open(above, _FOLDER_FLAGS))
        if os.path.lexists(path):
            yield from _states(None, path, top, depth, [] if cut is None else cut)


class FolderState(NamedTuple):
    """A folder, without opening a file: each file's name, mode, size, mtime and ctime (ns), and inode.

    ``mode`` is the file system's. A folder that is no part of the registry (a repository of its own, one nested too
    deeply) counts as a file whose mode says that it is none.
    """

    path: str
    files: tuple[FileState, ...]


def upwards(path: str, root: str = "") -> Iterator[str]:
    """Yield a path and those above it, the nearest first, up to ``root`` and without it."""
    while len(path) > len(root):
        yield path
        above = os.path.dirname(path)
        path = above if above != path else root


def _states(parent: int | None, name: str, path: str, depth: int, cut: list[str]) -> Iterator[FolderState]:
    """Walk by descriptors: the system looks a name up in an open folder faster than it follows a long path."""
    descriptor = os.open(name, _FOLDER_FLAGS, dir_fd=parent)
    try:
        files: list[FileState] = []
        below: list[str] = []
        with os.scandir(descriptor) as children:
            for child in children:
                if child.name.endswith(ATTESTATION_SUFFIX) and child.is_file(follow_symlinks=False):
                    continue
                if child.is_dir(follow_symlinks=False) and not _is_foreign(descriptor, child.name, path):
                    below.append(child.name)
                    continue
                status = child.stat(follow_symlinks=False)
                times = status.st_mtime_ns, status.st_ctime_ns
                files.append((child.name, status.st_mode, status.st_size, *times, status.st_ino, status.st_nlink))
        yield FolderState(path, tuple(files))
        if depth == 0:
            cut += [f"{path}/{child_name}" for child_name in below]
            return
        for child_name in below:
            yield from _states(descriptor, child_name, f"{path}/{child_name}", depth - 1, cut)
    finally:
        os.close(descriptor)


def _is_foreign(folder: int, name: str, path: str) -> bool:
    """Say whether a folder is no part of the registry: a repository of its own, or one nested too deeply."""
    if path.count("/") >= MAX_FOLDER_DEPTH:
        return True
    try:
        os.stat(f"{name}/.git", dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _scan(folder: str, prefix: str, entries: list[Entry]) -> None:
    try:
        if prefix.count("/") > MAX_FOLDER_DEPTH:
            raise OSError("nested too deeply")
        children = list(os.scandir(folder))
    except OSError:
        entries.append(Entry(prefix.rstrip("/"), UNREADABLE))
        return
    for child in children:
        path = prefix + child.name
        if child.is_dir(follow_symlinks=False):
            _scan_folder(child.path, path, entries)
        else:
            entries.append(Entry(path, _mode_of(child)))


def _scan_folder(folder: str, path: str, entries: list[Entry]) -> None:
    if os.path.lexists(os.path.join(folder, ".git")):
        entries.append(Entry(path, SUBMODULE))
    else:
        _scan(folder, path + "/", entries)


def _mode_of(child: os.DirEntry[str]) -> int:
    try:
        return _mode(child.stat(follow_symlinks=False))
    except OSError:  # a folder that may be listed but not entered
        return UNREADABLE


def _mode(status: os.stat_result) -> int:
    if stat.S_ISREG(status.st_mode):
        return EXECUTABLE if status.st_mode & stat.S_IXUSR else REGULAR
    return SYMLINK if stat.S_ISLNK(status.st_mode) else SPECIAL


def absolute(path: str) -> str:
    """Return an absolute path without ``..``: behind a link, that leads where the system goes, and not the text."""
    return os.path.realpath(path) if os.pardir in path.split(os.sep) else os.path.abspath(path)


def find_root(start: str) -> str | None:
    """Return the folder at or above ``start`` that holds a registry, looking no further than one Git repository.

    Beyond the top of a repository, or inside a bare one, begins what belongs to somebody else.
    """
    for folder in upwards(absolute(start)):
        if os.path.exists(os.path.join(folder, SETTINGS_PATH)) or os.path.isdir(os.path.join(folder, NODES)):
            return folder
        if _is_bare(folder) or os.path.exists(os.path.join(folder, ".git")):
            return None
    return None


def _is_bare(folder: str) -> bool:
    """Say whether a folder is a Git folder itself (gitrepository-layout)."""
    inside = (os.path.join(folder, name) for name in ("objects", "refs"))
    return os.path.isfile(os.path.join(folder, "HEAD")) and all(map(os.path.isdir, inside))


def git_folder(start: str) -> str | None:
    """Return the Git folder of the repository around ``start``, the one that all its work trees share; None without."""
    try:
        return next(filter(None, map(_git_folder_at, upwards(absolute(start)))), None)
    except (OSError, UnicodeDecodeError):
        return None


def _git_folder_at(folder: str) -> str | None:
    """Return the shared Git folder of the repository whose top this is; None when it is none."""
    place = own_git_folder(folder)
    if place is None:
        return None
    shared = os.path.join(place, "commondir")
    return os.path.normpath(os.path.join(place, _line_in(shared) if os.path.isfile(shared) else "."))


def own_git_folder(folder: str) -> str | None:
    """Return the Git folder of the work tree, or bare repository, whose top this is; None when it is none.

    A linked work tree has one of its own, inside the one that all share (gitrepository-layout).
    """
    place = os.path.join(folder, ".git")
    if os.path.isfile(place):  # a linked work tree, or a submodule
        word, _, target = _line_in(place).partition(": ")
        place = os.path.join(folder, target) if word == "gitdir" else place
    elif not os.path.exists(place) and _is_bare(folder):
        place = folder
    if os.path.isdir(place):
        return place
    if os.path.lexists(os.path.join(folder, ".git")):
        raise FileNotFoundError(f"{folder} has a .git that leads nowhere")
    return None


def _line_in(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


DRAFT = ".nodespec-"
"""How the name of a file begins that is not whole yet."""


def write_file(path: str, data: bytes) -> None:
    """Write a file whole or not at all: to a neighbour first, which then takes its name. Keeps the mode."""
    import tempfile

    mode = stat.S_IMODE(os.stat(path).st_mode) if os.path.exists(path) else 0o644
    folder = os.path.dirname(path) or "."
    os.makedirs(folder, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=folder, prefix=DRAFT)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, mode)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
