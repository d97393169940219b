"""nodespec init."""

from __future__ import annotations

import os
import re
import subprocess

import click

from nodespec.cli.common import echo
from nodespec.edit import new_registry
from nodespec.encoding import printable, quoted
from nodespec.errors import UsageError
from nodespec.tree import SEGMENT_PATTERN
from nodespec.worktree import write_file

_ID = re.compile(rf"{SEGMENT_PATTERN}(?:\.{SEGMENT_PATTERN}){{0,7}}\Z")


@click.command("init")
@click.argument("folder", metavar="DIR")
@click.option("--id", "registry_id", metavar="ID", help="The registry's id.  [default: the folder's name]")
def init_command(folder: str, registry_id: str | None) -> None:
    """Make a new, empty registry that passes its own gate.

    Writes registry/registry.yaml and schemas/ into DIR, and makes DIR a Git repository of its own when it is
    not the top of one. Existing files are never overwritten, and nothing is committed.
    """
    name = registry_id or re.sub(r"[^a-z0-9_.-]+", "-", os.path.basename(os.path.abspath(folder)).lower()).strip("-._")
    if not _ID.match(name):
        hint = "give one with --id, such as --id acme.memory"
        raise UsageError(f"{quoted(name)} is not a registry id (a-z, 0-9, _ and -, in parts joined by dots)", hint=hint)
    files = new_registry(name)
    taken = next((path for path in files if os.path.lexists(os.path.join(folder, path))), None)
    if taken == ".gitattributes":
        files.pop(taken)
        taken = next((path for path in files if os.path.lexists(os.path.join(folder, path))), None)
    if taken is not None:
        hint = "choose an empty folder; nothing was written"
        raise UsageError(f"{printable(os.path.join(folder, taken))} exists and is never overwritten", hint=hint)
    try:
        for path, data in files.items():
            write_file(os.path.join(folder, path), data)
        os.makedirs(os.path.join(folder, "registry", "nodes"), exist_ok=True)
    except OSError as error:
        raise UsageError(f"{printable(folder)} cannot be written: {error.strerror}") from None
    _git_init(folder)
    shown = printable(folder)
    echo(
        f"made registry {name} in {shown}\n"
        f"next: cd {shown}\n"
        "      nodespec validate                 it passes its own gate\n"
        "      git add . && git commit           its first commit\n"
        "      nodespec keys new main            a key to sign checkpoints with\n"
        "      nodespec checkpoint create HEAD   what this commit holds, signed\n"
    )


def _git_init(folder: str) -> None:
    asked = ["git", "-C", folder, "rev-parse", "--show-toplevel"]
    top = subprocess.run(asked, capture_output=True, check=False).stdout.decode(errors="surrogateescape").rstrip("\n")
    if top and os.path.realpath(top) == os.path.realpath(folder):
        return
    made = subprocess.run(["git", "init", "-q", "-b", "main", folder], capture_output=True, check=False)
    if made.returncode != 0:
        raise UsageError(f"git init failed: {printable(made.stderr.decode(errors='replace').strip())}")
