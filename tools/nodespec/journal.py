"""Several files, written whole or not at all.

A change to a registry is several files, and no file system renames several at once. So the whole change is first
written to a journal in the Git folder, then applied file by file, then the journal is taken away. Whoever is
interrupted takes everything back. Whoever is killed, at whatever moment, leaves either nothing or a journal;
:func:`finish` completes it, and whoever opens the work tree as a registry (:meth:`nodespec.registry.Registry.at`) calls
it first, and says so.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING

from nodespec import claims
from nodespec.encoding import b64decode, b64encode, printable, quoted, strict_json
from nodespec.errors import RegistryError, UsageError
from nodespec.worktree import DRAFT, write_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_JOURNAL = "nodespec/journal.json"


def apply(root: str, files: Mapping[str, bytes | None]) -> None:
    """Write (or, for None, remove) these files below ``root``, all of them or none.

    Raises ``RegistryError`` when one cannot be written; then all are as they were.
    """
    journal = _journal(root)
    with _locked(journal):
        _finish(root, journal)
        for path in files:
            _check_folders(root, path)
        entries = {
            path: {"before": _digest(root, path), "after": None if data is None else b64encode(data)}
            for path, data in files.items()
        }
        before = {path: _bytes(root, path) for path in files}
        try:
            write_file(journal, json.dumps({"head": _head(journal), "files": entries}).encode())
            _carry_out(root, files)
        except BaseException as error:  # an interrupt, too, leaves everything as it was
            _carry_out(root, {path: data for path, data in before.items() if _bytes(root, path) != data})
            with suppress(FileNotFoundError):
                os.unlink(journal)
            if isinstance(error, OSError):
                raise RegistryError(f"{_about(error)}; nothing was changed", hint="is the folder writable?") from None
            raise
        os.unlink(journal)


def finish(root: str) -> tuple[str, ...]:
    """Complete a change whose process was killed; return the files that it is about, or none.

    Raises ``RegistryError`` when another branch is checked out since, or somebody has changed one of its files:
    nothing of theirs is overwritten.
    """
    if not os.path.lexists(os.path.join(root, ".git")):
        return ()
    journal = _journal(root)
    if not os.path.lexists(journal):
        return ()
    with _locked(journal):  # a writer that is alive holds the lock, and takes its journal away itself
        return _finish(root, journal)


@contextmanager
def _locked(journal: str) -> Iterator[None]:
    """Hold the lock beside the journal; the system lets go of it when a process ends, however it ends."""
    folder = os.path.dirname(journal)
    try:
        os.makedirs(folder, exist_ok=True)
        descriptor = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise RegistryError(_about(error), hint="the Git folder must be writable") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _finish(root: str, journal: str) -> tuple[str, ...]:
    shown = printable(journal)
    try:
        with open(journal, "rb") as file:
            head, files, before = _read(file.read())
    except FileNotFoundError:
        return ()
    except (ValueError, OSError) as error:
        hint = "look at the files that git status names, then delete it"
        raise RegistryError(f"an interrupted change cannot be completed: {shown}: {error}", hint=hint) from None
    if head != _head(journal):
        hint = f"go back there and run any command to complete it; or give it up: delete {shown}"
        raise RegistryError(f"a change was interrupted while HEAD was {printable(head)}", hint=hint)
    for path, data in files.items():
        here = _digest(root, path)
        if here not in (before[path], None if data is None else sha256(data).hexdigest()):
            hint = f"keep the file as you want it, delete {shown}, and run the command again that was interrupted"
            message = f"a change was interrupted, and {printable(path)} was changed by somebody else since"
            raise RegistryError(message, hint=hint)
    try:
        _carry_out(root, files)
        _sweep(root, files)
    except OSError as error:
        hint = f"make it writable and run the command again; or give the change up: delete {shown}"
        raise RegistryError(f"an interrupted change cannot be completed: {_about(error)}", hint=hint) from None
    os.unlink(journal)
    return tuple(files)


def _sweep(root: str, files: Mapping[str, bytes | None]) -> None:
    """Take away the drafts that an interrupted writer left beside its files."""
    for folder in {os.path.join(root, os.path.dirname(path)) for path in files}:
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            if name.startswith(DRAFT):
                os.unlink(os.path.join(folder, name))


def _about(error: OSError) -> str:
    return f"{printable(str(error.filename or 'a file'))}: {error.strerror or error}"


def _head(journal: str) -> str:
    """Return what is checked out, as Git's own file has it: a branch, or a commit."""
    try:
        with open(os.path.join(os.path.dirname(os.path.dirname(journal)), "HEAD"), encoding="utf-8") as file:
            return file.read().strip().removeprefix("ref: ").removeprefix("refs/heads/")
    except (OSError, UnicodeDecodeError):
        return ""


def _read(data: bytes) -> tuple[str, dict[str, bytes | None], dict[str, str | None]]:
    value = claims.members(strict_json(data), ("head", "files"), "the journal")
    head, entries = claims.text(value["head"], "head"), value["files"]
    if not isinstance(entries, dict):
        raise ValueError("it is no journal")
    files: dict[str, bytes | None] = {}
    before: dict[str, str | None] = {}
    for path, entry in entries.items():
        if not path.startswith("registry/") or ".." in path.split("/") or "\0" in path:
            raise ValueError(f"{quoted(path)} is no file of a registry")
        fields = claims.members(entry, ("before", "after"), "an entry")
        files[path] = None if fields["after"] is None else b64decode(claims.text(fields["after"], "after"))
        before[path] = None if fields["before"] is None else claims.digest(fields["before"], "before")
    return head, files, before


def _bytes(root: str, path: str) -> bytes | None:
    target = os.path.join(root, path)
    if os.path.islink(target) or not os.path.isfile(target):
        return None
    with open(target, "rb") as file:
        return file.read()


def _digest(root: str, path: str) -> str | None:
    """Return the hex SHA-256 of a file; None when there is none, and for a link the digest of where it leads."""
    target = os.path.join(root, path)
    try:
        if os.path.islink(target):
            return sha256(b"link " + os.fsencode(os.readlink(target))).hexdigest()
        with open(target, "rb") as file:
            return sha256(file.read()).hexdigest()
    except FileNotFoundError:
        return None


def _journal(root: str) -> str:
    git = os.path.join(root, ".git")
    if os.path.isdir(git):
        return os.path.join(git, _JOURNAL)
    if os.path.isfile(git):  # a linked work tree: its own Git folder is named in the file
        with open(git, encoding="utf-8") as file:
            return os.path.join(root, file.read().removeprefix("gitdir:").strip(), _JOURNAL)
    raise UsageError(f"{printable(root)} is not the top of a Git repository", hint="make it one: git init")


def _carry_out(root: str, files: Mapping[str, bytes | None]) -> None:
    for path in files:
        _check_folders(root, path)
    for path, data in files.items():
        target = os.path.join(root, path)
        if data is not None:
            write_file(target, data)
        elif os.path.lexists(target):
            os.unlink(target)
            _prune(root, os.path.dirname(target))


def _check_folders(root: str, path: str) -> None:
    """Refuse to write through a symbolic link: it would lead out of the registry."""
    folder = os.path.dirname(path)
    while folder:
        if os.path.islink(os.path.join(root, folder)):
            raise UsageError(f"{printable(folder)} is a symbolic link, and nothing is written through one")
        folder = os.path.dirname(folder)


def _prune(root: str, folder: str) -> None:
    """Take away folders that are empty now, as git does."""
    top = os.path.join(root, "registry", "nodes")
    while folder.startswith(top + os.sep) and not os.listdir(folder):
        os.rmdir(folder)
        folder = os.path.dirname(folder)
