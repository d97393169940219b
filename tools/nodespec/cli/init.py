"""nodespec init."""

from __future__ import annotations

import os
import re
import shlex
import subprocess

import click

from nodespec import home, keyring
from nodespec.chain import record_path
from nodespec.cli.common import echo, note, passphrase
from nodespec.cli.trust import DEFAULT_LIFE, first_root, life, sealed_root
from nodespec.cli.workspace import now
from nodespec.edit import new_registry
from nodespec.encoding import printable, quoted
from nodespec.errors import UsageError
from nodespec.signing import FileWallet
from nodespec.tree import SEGMENT_PATTERN, TRUST
from nodespec.worktree import write_file

_ID = re.compile(rf"{SEGMENT_PATTERN}(?:\.{SEGMENT_PATTERN}){{0,7}}\Z")


@click.command("init")
@click.argument("folder", metavar="DIR")
@click.option("--id", "registry_id", metavar="ID", help="The registry's id.  [default: the folder's name]")
@click.option(
    "--key", "key_name", default="main", show_default=True, help="Your key; made when you have none of this name."
)
@click.option("--no-trust", is_flag=True, help="Write no trust root; nodespec trust init makes one later.")
def init_command(folder: str, registry_id: str | None, key_name: str, no_trust: bool) -> None:
    """Make a new, empty registry that passes its own gate.

    Writes registry/registry.yaml, schemas/ and a trust root that believes your key into DIR, and makes DIR a Git
    repository of its own when it is not the top of one. Existing files are never overwritten, and nothing is committed.
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
    if not no_trust:
        files |= _trust_root(name, key_name)
    try:
        for path, data in files.items():
            write_file(os.path.join(folder, path), data)
        os.makedirs(os.path.join(folder, "registry", "nodes"), exist_ok=True)
    except OSError as error:
        raise UsageError(f"{printable(folder)} cannot be written: {error.strerror}") from None
    _git_init(folder)
    shown = printable(folder)
    echo(f"made registry {name} in {shown}\n")
    steps = [
        (f"cd {shlex.quote(shown)}", ""),
        ("nodespec validate", "it passes its own gate"),
        ("git add . && git commit", "its first commit"),
        ('nodespec owner create "Your Name"', "who you are here; then nodespec register FILE"),
        ("nodespec checkpoint create HEAD", "what this commit holds, signed"),
    ]
    if no_trust:
        steps.insert(1, ("nodespec trust init", "whom it believes; it does not pass its gate before"))
    for number, (command, why) in enumerate(steps):
        echo(f"{'next:' if number == 0 else '     '} {f'{command:37}{why}'.rstrip()}\n")


def _trust_root(registry_id: str, key_name: str) -> dict[str, bytes]:
    """Return version 1 of a trust root that believes the user's key, making the key when there is none."""
    folder, moment = home.require(os.environ), now()
    secret = passphrase(confirm=not keyring.listing(folder))
    if not any(file.name == key_name for file in keyring.listing(folder)):
        keyring.create(folder, key_name, ("ml-dsa-44", "ed25519"), secret)
        note(f"made key {key_name} in {folder}")
    given: dict[str, tuple[str, ...]] = {"root": (key_name,), "checkpoint": (), "maintainer": ()}
    root = first_root(registry_id, given, dict.fromkeys(given), moment, life(DEFAULT_LIFE))
    if any(key.published for key in root.keys):
        raise UsageError(
            f"your key {key_name} is a published example key; anyone can sign with it", hint="choose another --key"
        )
    keys = FileWallet(keyring.listing(folder, key_name), lambda: secret)
    return {record_path(TRUST, 1): sealed_root(root, (), keys).dump()}


def _git_init(folder: str) -> None:
    asked = ["git", "-C", folder, "rev-parse", "--show-toplevel"]
    top = subprocess.run(asked, capture_output=True, check=False).stdout.decode(errors="surrogateescape").rstrip("\n")
    if top and os.path.realpath(top) == os.path.realpath(folder):
        return
    made = subprocess.run(["git", "init", "-q", "-b", "main", folder], capture_output=True, check=False)
    if made.returncode != 0:
        raise UsageError(f"git init failed: {printable(made.stderr.decode(errors='replace').strip())}")
