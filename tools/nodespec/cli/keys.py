"""nodespec keys."""

from __future__ import annotations

import json
import os

import click

from nodespec import home, keyring
from nodespec.cli.common import color_option, colored, echo, note, passphrase
from nodespec.cli.terminal import table
from nodespec.encoding import printable
from nodespec.keys import SCHEMES

_DEFAULT_SCHEMES = ("ml-dsa-44", "ed25519")


@click.group("keys")
def keys_command() -> None:
    """Make and show your signing keys.

    They live in NODESPEC_HOME (by default ~/.config/nodespec), encrypted. Without a terminal,
    NODESPEC_PASSPHRASE_FILE names a file whose first line is the passphrase.
    """


@keys_command.command("new")
@click.argument("name", default="main")
@click.option(
    "--scheme", "schemes", type=click.Choice(SCHEMES), multiple=True, default=_DEFAULT_SCHEMES, show_default=True
)
def new_command(name: str, schemes: tuple[str, ...]) -> None:
    """Make a key pair for each scheme, called NAME (by default: main)."""
    made = keyring.create(home.require(os.environ), name, list(dict.fromkeys(schemes)), passphrase(confirm=True))
    for file in made:
        echo(f"{file.name} {file.public.scheme} {file.public.key_id}\n  public:  {printable(file.path)}\n")
        echo(f"  private: {printable(file.private_path)} (encrypted)\n")
    note("keep the passphrase apart from the files; publish the public halves only")


@keys_command.command("show")
@click.argument("name", required=False)
@click.option("--format", "form", type=click.Choice(["table", "json", "pem"]), default="table", show_default=True)
@color_option
def show_command(name: str | None, form: str, color: str) -> int:
    """Show your public keys: all, or those called NAME."""
    folder = home.require(os.environ)
    files = keyring.listing(folder, name)
    if not files:
        note(f"no keys in {printable(folder)}; make one with: nodespec keys new")
        return 4
    if form == "pem":
        echo("".join(file.public.pem.decode() for file in files))
    elif form == "json":
        rows = [
            {
                "name": file.name,
                "scheme": file.public.scheme,
                "key_id": file.public.key_id,
                "public": file.path,
                "private": file.is_whole,
            }
            for file in files
        ]
        echo(json.dumps(rows, indent=2) + "\n")
    else:
        rows_ = [
            (file.name, file.public.scheme, file.public.key_id, "yes" if file.is_whole else "no") for file in files
        ]
        echo(table(("name", "scheme", "key id", "private half"), rows_, color=colored(color)))
    return 0
