"""nodespec ci."""

from __future__ import annotations

import os

import click

from nodespec import ci
from nodespec.cli.common import echo, note, repo_option
from nodespec.encoding import printable
from nodespec.errors import UsageError
from nodespec.git import GitRepository
from nodespec.worktree import write_file

_LOCK = "put the tool and its hashes into {lock} (pip-compile --generate-hashes)"

_NEXT = {
    "github": (
        "list .github/** under protected in registry/registry.yaml, then: nodespec seal",
        'make the check "Registry gate" required, and an environment "checkpoint" for the keys (docs/deploy.md)',
    ),
    "gitlab": (
        "include it in .gitlab-ci.yml:  include: {local: .gitlab/nodespec.yml}",
        "list .gitlab/** and .gitlab-ci.yml under protected in registry/registry.yaml, then: nodespec seal",
    ),
}


@click.command("ci")
@click.argument("host", type=click.Choice(sorted(ci.FILES)))
@repo_option
@click.option("--force", is_flag=True, help="Replace files that are there.")
def ci_command(host: str, repo: str, force: bool) -> None:
    """Write the pipeline files of a host, so that it judges every pull request.

    They install the tool from the base with hashes, fetch what is proposed as objects, and run the gate. Files that are
    there already are left alone, unless --force is given.
    """
    top = GitRepository.open(repo).work_dir
    if top is None:
        raise UsageError("a bare repository has no files", hint="name a clone with --repo DIR")
    own = os.path.isfile(os.path.join(top, "tools", "nodespec", "__init__.py"))
    files = ci.files(host, ci.IN_TREE if own else ci.locked(host))
    for path, data in files.items():
        _require_free(top, path, None if force else data)
    for path, data in files.items():
        write_file(os.path.join(top, path), data)
        echo(f"wrote {printable(path)}\n")
    lock = () if own else (_LOCK.format(lock=ci.LOCKS[host]),)  # the tool's own repository needs no lock of it
    for number, line in enumerate((*lock, *_NEXT[host])):
        note(f"{'next:' if number == 0 else '     '} {line}")


def _require_free(top: str, path: str, data: bytes | None) -> None:
    """Raise ``UsageError`` where writing a file would lose one; ``data`` may be there, or for None anything."""
    target = os.path.join(os.path.realpath(top), path)
    if os.path.realpath(target) != target or os.path.isdir(target):
        raise UsageError(f"{printable(path)} is no plain file, or a link leads to it", hint="replace it by a file")
    if data is not None and os.path.exists(target):
        with open(target, "rb") as file:
            if file.read() != data:
                raise UsageError(f"{printable(path)} is there, and says something else", hint="--force replaces it")
