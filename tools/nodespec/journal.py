"""Several files, written whole or not at all.

A change to a registry is several files, and no file system renames several at once. So the whole change is first
written to a journal in the Git folder, then applied file by file, then the journal is taken away. Whoever is
interrupted, at whatever moment, leaves either nothing or a journal; :func:`finish` completes it, and whoever opens the
work tree as a registry (:meth:`nodespec.registry.Registry.at`) calls it first.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from nodespec.encoding import b64decode, b64encode, printable, strict_json
from nodespec.errors import RegistryError, UsageError
from nodespec.worktree import write_file

if TYPE_CHECKING:
    from collections.abc import Mapping

_JOURNAL = "nodespec/journal.json"


def apply(root: str, files: Mapping[str, bytes | None]) -> None:
    """Write (or, for None, remove) these files below ``root``, all of them or none."""
    journal = _journal(root)
    finish(root)
    for path in files:
        _check_folders(root, path)
    entries = {path: None if data is None else b64encode(data) for path, data in files.items()}
    write_file(journal, json.dumps(entries).encode())
    _carry_out(root, files)
    os.unlink(journal)


def finish(root: str) -> bool:
    """Complete a change that was interrupted; return whether there was one."""
    if not os.path.lexists(os.path.join(root, ".git")):
        return False
    journal = _journal(root)
    try:
        with open(journal, "rb") as file:
            entries = strict_json(file.read())
        files = {path: None if text is None else b64decode(text) for path, text in entries.items()}
    except FileNotFoundError:
        return False
    except (ValueError, AttributeError, OSError) as error:
        hint = "look at the files that git status names, then delete it"
        raise RegistryError(
            f"an interrupted change cannot be completed: {printable(journal)}: {error}", hint=hint
        ) from None
    if any(not path.startswith("registry/") or ".." in path.split("/") for path in files):
        raise RegistryError(f"{printable(journal)} is not a journal of a registry", hint="delete it")
    _carry_out(root, files)
    os.unlink(journal)
    return True


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
