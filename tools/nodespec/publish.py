"""Files to the work tree, to a commit, to a branch, to a remote; whole or not at all.

**The work tree.** A change is several files, and no file system renames several at once. So the whole change is first
written to a journal in the Git folder, then applied file by file, then the journal is taken away. Whoever is
interrupted, at whatever moment, leaves either nothing or a journal; :func:`finish` completes it, and every command
that looks at a work tree calls it first.

**A commit** is made from Git's objects with an index of its own: neither the work tree nor the user's index is
touched, and the branch moves once, from the value that was read to the new commit (``git update-ref``).
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodespec.encoding import b64decode, b64encode, printable, strict_json
from nodespec.errors import RegistryError, UsageError
from nodespec.worktree import write_file

if TYPE_CHECKING:
    from collections.abc import Mapping

_JOURNAL = "nodespec/journal.json"
_NO_ID = "0" * 40


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Where a change went."""

    commit: str
    branch: str


def commit(root: str, files: Mapping[str, bytes | None], message: str, *, branch: str | None) -> Published:
    """Commit these files on top of HEAD: onto a new ``branch``, or onto the current one when None.

    Raises ``UsageError`` when there is nothing to commit onto, or the branch exists.
    """
    head = _git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", hint="commit something first: git commit")
    if branch is None:
        ref = _git(root, "symbolic-ref", "--quiet", "HEAD", hint="HEAD is on no branch; give one with --branch NAME")
        old = head
    else:
        ref, old = f"refs/heads/{branch}", _NO_ID
        _git(root, "check-ref-format", ref, hint=f"{branch} is not a name that a branch can have")
        if _try(root, "rev-parse", "--verify", "--quiet", ref).returncode == 0:
            raise UsageError(
                f"branch {printable(branch)} exists", hint="choose another with --branch NAME, or delete it"
            )
    tree = _write_tree(root, head, files)
    made = _git(root, "commit-tree", tree, "-p", head, "-m", message)
    _git(root, "update-ref", "-m", f"nodespec: {message}", ref, made, old)
    if branch is None:  # the user's index still describes the old commit for these paths
        _git(root, "reset", "--quiet", "--", *files)
    return Published(commit=made, branch=ref.removeprefix("refs/heads/"))


def _write_tree(root: str, head: str, files: Mapping[str, bytes | None]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        index = os.path.join(folder, "index")
        _git(root, "read-tree", head, index=index)
        for path, data in files.items():
            if data is None:
                _git(root, "update-index", "--force-remove", "--", path, index=index)
            else:
                blob = _git(root, "hash-object", "-w", "--stdin", stdin=data)
                _git(root, "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", index=index)
        return _git(root, "write-tree", index=index)


def push(root: str, remote: str, branch: str) -> str:
    """Push a branch and return the remote's address."""
    _git(root, "push", "--quiet", "--", remote, f"refs/heads/{branch}:refs/heads/{branch}")
    return _git(root, "remote", "get-url", "--push", "--", remote) if remote in _git(root, "remote").split() else remote


def _git(root: str, *words: str, stdin: bytes = b"", hint: str = "", index: str = "") -> str:
    done = _try(root, *words, stdin=stdin, index=index)
    if done.returncode != 0:
        said = printable(done.stderr.decode(errors="replace").strip()) or hint
        raise UsageError(f"git {words[0]} failed: {said}", hint=hint if said != hint else "")
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def _try(root: str, *words: str, stdin: bytes = b"", index: str = "") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, **({"GIT_INDEX_FILE": index} if index else {})}
    try:
        return subprocess.run(
            ["git", "-C", root, *words], input=stdin, capture_output=True, env=environment, check=False
        )
    except OSError as error:
        raise UsageError(f"git cannot be run: {error.strerror}", hint="install git") from None


def pull_request_address(remote: str, branch: str) -> str:
    """Return where a pull request from ``branch`` is opened, on hosts that have such an address; else nothing.

    >>> pull_request_address("git@github.com:acme/registry.git", "register/a")
    'https://github.com/acme/registry/compare/register/a?expand=1'
    """
    import re
    from urllib.parse import quote

    match = re.match(r"(?:https?://(?:[^@/]+@)?|ssh://git@|git@)([^/:]+)[:/](.+?)(?:\.git)?/?\Z", remote)
    if not match:
        return ""
    host, project = match[1], match[2]
    name = quote(branch)
    if host == "github.com":
        return f"https://{host}/{project}/compare/{name}?expand=1"
    if "gitlab" in host:
        return (
            f"https://{host}/{project}/-/merge_requests/new?merge_request%5Bsource_branch%5D={quote(branch, safe='')}"
        )
    if host == "codeberg.org" or "gitea" in host or "forgejo" in host:
        return f"https://{host}/{project}/compare/main...{name}"
    return ""
