"""nodespec completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from nodespec.cli.common import echo


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the completion script for your shell: commands, options, node ids and signals.

    \b
    bash:  eval "$(nodespec completion bash)"          in ~/.bashrc
    zsh:   eval "$(nodespec completion zsh)"           in ~/.zshrc
    fish:  nodespec completion fish > ~/.config/fish/completions/nodespec.fish
    """
    from nodespec.cli import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} is not supported")
    echo(kind(cli, {}, "nodespec", "_NODESPEC_COMPLETE").source() + "\n")
