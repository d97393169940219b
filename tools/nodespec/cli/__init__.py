"""The terminal. Each command reads its options, calls one function, prints, and ends with a documented code.

0 clean · 1 findings · 2 usage or configuration · 3 could not judge · 4 nothing matched
(130 interrupted; ended by SIGPIPE, which a shell shows as 141, when the reader of a pipe went away)
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from nodespec import __version__
from nodespec.errors import NodespecError

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMANDS = {
    "validate": ("validate", "Judge node specs: the work tree, a commit, or standard input."),
    "gate": ("gate", "Judge a pull request by what it changes, against the branch it is to enter."),
    "hooks": ("hooks", "Install Git hooks: the gate before a commit or a push, a checkpoint after it."),
    "ci": ("ci", "Write the pipeline files of a host."),
    "fmt": ("fmt", "Repair what can be repaired without changing the meaning."),
    "register": ("register", "Add a node: judge it, put it in its place, sign it."),
    "update": ("register", "Sign a changed node."),
    "transfer": ("register", "Hand a node over to another owner."),
    "deregister": ("register", "Take a node out, and lock its name."),
    "verify": ("sign", "Verify who stands behind nodes, step by step."),
    "sign": ("sign", "Add your signature to what others began."),
    "cosign": ("sign", "Sign a node as its verifier."),
    "seal": ("sign", "Sign the protected files as a maintainer."),
    "query": ("query", "Find nodes by signal, capability, owner, lane, tier …"),
    "show": ("query", "Show one node."),
    "log": ("history", "List the versions of a node through history."),
    "diff": ("history", "Compare two revisions, node by node, in words."),
    "policy": ("policy", "Check, test and list governance policies."),
    "stats": ("stats", "Count nodes, idle signals, and how much changes."),
    "graph": ("query", "Draw who emits what to whom."),
    "checkpoint": ("checkpoint", "Make and verify signed checkpoints of commits."),
    "trust": ("trust", "Make, show, change and pin the trust root."),
    "owner": ("owner", "Make, change and show owners."),
    "keys": ("keys", "Make and show your signing keys."),
    "rules": ("rules", "List every rule."),
    "explain": ("rules", "Explain one rule: why it exists and how to fix it."),
    "init": ("init", "Make a new, empty registry."),
    "completion": ("completion", "Print the completion script for your shell."),
}
"""Each command's module and one-line help: ``nodespec --help`` imports none of them."""


_LITTER = 100_000
"""Objects beyond which garbage is looked for. By default it is after 700, dozens of times while modules are loaded."""


class _Commands(click.Group):
    """A group that imports a command when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"nodespec.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], _COMMANDS, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 clean, 1 findings, 2 usage, 3 could not judge, 4 nothing matched.",
)
@click.version_option(__version__, prog_name="nodespec", message="%(prog)s %(version)s")
def cli() -> None:
    """A Git repository as the registry of an AI system's nodes.

    Specs are YAML files under registry/nodes. A pull request that adds one registers it; these commands
    judge the files, answer questions at any commit, and sign what a commit holds.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    gc.set_threshold(_LITTER)
    _prepare_streams()
    try:
        result = cli.main(args=arguments, prog_name="nodespec", standalone_mode=False)
        sys.stdout.flush()
        code = result if isinstance(result, int) else 0
    except click.exceptions.Exit as end:
        code = end.exit_code
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        code = 2
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        code = 130
    except NodespecError as error:
        _say(f"error: {error}")
        if error.hint:
            _say(f"hint: {error.hint}")
        code = error.exit_code
    except OSError as error:
        _say(f"error: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
        code = 3
    except Exception as error:  # the last line of defence: a crash must read "not judged", not "findings"
        if os.environ.get("NODESPEC_DEBUG"):
            raise
        _say(f"internal error: {type(error).__name__}. This is a bug in nodespec; nothing was judged.")
        _say("hint: run again with NODESPEC_DEBUG=1 and report what it prints")
        code = 3
    sys.exit(code)


def _prepare_streams() -> None:
    """Print UTF-8 whatever the locale; end quietly, by the signal, when the reader of a pipe goes away.

    A stream that was closed before we started is replaced by nothing.
    """
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # it lives as long as we do
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _say(text: str) -> None:
    from nodespec.encoding import printable

    with suppress(OSError):  # nobody can read it; the exit code says the same
        click.echo(printable(text), err=True)
