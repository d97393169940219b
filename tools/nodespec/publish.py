"""Files to a commit, to a branch, to a remote; the work tree is for :mod:`nodespec.journal`.

**A commit** is made from Git's objects with an index of its own: neither the work tree nor the user's index is
touched, and the branch moves once, from the value that was read to the new commit (``git update-ref``).
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from typing import TYPE_CHECKING

from nodespec.encoding import printable
from nodespec.errors import UsageError
from nodespec.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

_NO_ID = "0" * 40

_ELSEWHERE = frozenset(
    f"GIT_{name}"
    for name in ("DIR", "WORK_TREE", "INDEX_FILE", "OBJECT_DIRECTORY", "COMMON_DIR", "NAMESPACE", "PREFIX")
)
"""Variables by which a hook's surroundings would turn git to another repository than the one that was asked for."""


@frozen
class Prepared:
    """A commit that no branch holds yet; ``old`` is where the branch is, or zeros when it is new."""

    commit: str
    ref: str
    old: str
    files: tuple[str, ...]
    message: str


def prepare(root: str, files: Mapping[str, bytes | None], message: str, *, branch: str | None) -> Prepared:
    """Make a commit of these files on top of HEAD, for a new ``branch`` or the current one (None); move nothing yet.

    Raises ``UsageError`` when there is nothing to commit onto, nobody to commit as, or the branch exists.
    """
    head = _git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", hint="commit something first: git commit")
    if branch is None:
        ref = _git(root, "symbolic-ref", "--quiet", "HEAD", hint="HEAD is on no branch; give one with --branch NAME")
        old = head
        lock = os.path.join(root, _git(root, "rev-parse", "--git-path", "index.lock"))
        if os.path.exists(lock):
            hint = "wait until it is done; if none is running, delete the file"
            raise UsageError(f"another git process holds {printable(lock)}", hint=hint)
    else:
        _git(root, "check-ref-format", "--branch", branch, hint="not a name that a branch can have")
        ref, old = f"refs/heads/{branch}", _NO_ID
        if branch == "HEAD" or _try(root, "rev-parse", "--verify", "--quiet", ref).returncode == 0:
            raise UsageError(
                f"branch {printable(branch)} exists", hint="choose another with --branch NAME, or delete it"
            )
    made = _git(root, "commit-tree", _write_tree(root, head, files), "-p", head, "-m", message)
    return Prepared(commit=made, ref=ref, old=old, files=tuple(files), message=message)


def land(root: str, prepared: Prepared) -> str:
    """Move the branch to the prepared commit; return the branch's name."""
    name = prepared.ref.removeprefix("refs/heads/")
    hint = f"somebody committed to {printable(name)} meanwhile; look with git status, and run the command again"
    _git(
        root,
        "update-ref",
        "-m",
        f"nodespec: {prepared.message}",
        prepared.ref,
        prepared.commit,
        prepared.old,
        hint=hint,
    )
    if prepared.old != _NO_ID:  # the user's index still describes the old commit for these paths
        _git(root, "reset", "--quiet", "--", *prepared.files)
    return name


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
    try:
        _git(root, "push", "--quiet", "--", remote, f"refs/heads/{branch}:refs/heads/{branch}")
    except UsageError as error:
        hint = f"the branch is committed here: git push {printable(remote)} {printable(branch)}"
        raise UsageError(f"{error}; {printable(branch)} was not pushed", hint=hint) from None
    return _git(root, "remote", "get-url", "--push", "--", remote) if remote in _git(root, "remote").split() else remote


def _git(root: str, *words: str, stdin: bytes = b"", hint: str = "", index: str = "") -> str:
    done = _try(root, *words, stdin=stdin, index=index)
    if done.returncode != 0:
        said = "; ".join(map(printable, done.stderr.decode(errors="replace").split("\n"))).strip("; ") or hint
        raise UsageError(f"git {words[0]} failed: {said}", hint=hint if said != hint else "")
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def _try(root: str, *words: str, stdin: bytes = b"", index: str = "") -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    environment |= {"GIT_INDEX_FILE": index} if index else {}
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
