"""What commands share: options, colours, opening a registry, completing ids."""

from __future__ import annotations

import functools
import os
import sys
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

import click

from nodespec.cli.terminal import Progress
from nodespec.encoding import printable
from nodespec.errors import NodespecError, RegistryError, UsageError
from nodespec.registry import Registry
from nodespec.text import MAX_BYTES
from nodespec.tree import ATTESTATION_SUFFIX, ROOTS, read_path
from nodespec.worktree import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from click.shell_completion import CompletionItem

    from nodespec.commit import CommitTree
    from nodespec.gate import Judgement
    from nodespec.registry import Snapshot
    from nodespec.scorecard import Gate
    from nodespec.tree import Tree
    from nodespec.verdict import Report

_STYLES: dict[str, dict[str, Any]] = {
    "error": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow", "bold": True},
    "ok": {"fg": "green", "bold": True},
    "strong": {"bold": True},
    "dim": {"dim": True},
}

repo_option = click.option(
    "--repo", default=".", metavar="DIR", help="A clone or a bare repository.  [default: the current folder]"
)
at_option = click.option("--at", metavar="REV|DATE", help="A commit: any Git revision, or a date such as 2026-03-14.")
color_option = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colour the text; auto means on a terminal, unless NO_COLOR is set.",
)


def index_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --index and --no-index; :func:`open_registry` heeds them."""
    command = click.option(
        "--no-index", is_flag=True, expose_value=False, callback=_remember, help="Read the files, without the index."
    )(command)
    return click.option(
        "--index",
        metavar="PATH",
        expose_value=False,
        callback=_remember,
        help="Keep the index in this file.  [default: NODESPEC_INDEX, or in the Git folder]",
    )(command)


def _remember(ctx: click.Context, param: click.Parameter, value: str | bool | None) -> None:
    if value:
        ctx.meta[f"{__name__}.{param.name}"] = value


def open_registry(repo: str) -> Registry:
    """Open a registry, until the command ends, with the index that the options or NODESPEC_INDEX name."""
    context = click.get_current_context()
    if context.meta.get(f"{__name__}.no_index"):
        return Registry.open(repo, index=False)
    chosen = context.meta.get(f"{__name__}.index") or os.environ.get("NODESPEC_INDEX")
    registry = Registry.open(repo, index=chosen or True, notice=functools.cache(note))  # each once
    context.call_on_close(registry.close)
    return registry


def colored(choice: str) -> bool:
    """Say whether to colour, from the option, NO_COLOR (no-color.org) and the terminal."""
    if choice != "auto":
        return choice == "always"
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and sys.stdout.isatty()


def painter(choice: str) -> Callable[[str, str], str]:
    """Return how to colour a text for a purpose."""
    if not colored(choice):
        return lambda text, _purpose: text
    return lambda text, purpose: click.style(text, **_STYLES[purpose])


def echo(text: str) -> None:
    """Print to standard output as it is, colours included; the caller has decided about them."""
    click.echo(text, nl=False, color=True)


def note(text: str) -> None:
    """Say something beside the answer, on standard error, where that can be written."""
    with suppress(OSError):
        click.echo(printable(text), err=True)


def lines_of(origin: Tree | dict[str, bytes], path: str) -> list[str]:
    """Return a file's lines for an excerpt; none of a signed file, of one too large, or of one that cannot be read."""
    if path.endswith(ATTESTATION_SUFFIX):
        return []
    try:
        data = origin.get(path) if isinstance(origin, dict) else _read_small(origin, path)
    except OSError:
        data = None
    if data is None or len(data) > MAX_BYTES:
        return []
    return data.decode("utf-8", "replace").split("\n")


def _read_small(tree: Tree, path: str) -> bytes | None:
    """Return a file's bytes, without reading one that is too large to be shown."""
    entry = tree.entry(path)
    return read_path(tree, path) if entry is not None and tree.size(entry) <= MAX_BYTES else None


def read_input(path: str, most: int) -> bytes:
    """Read a file that the user named, or standard input (``-``): up to one byte more than ``most``.

    Raises ``UsageError`` when it cannot be read.
    """
    if path == "-":
        return sys.stdin.buffer.read(most + 1)
    try:
        with open(path, "rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise UsageError(f"{printable(path)} cannot be read: {error.strerror}") from None


def write_output(path: str, data: bytes) -> None:
    """Write a file that the user named, whole or not at all; into what is no plain file, as a shell would.

    Raises ``UsageError`` when its folder is not there, and ``RegistryError`` when it cannot be written.
    """
    try:
        if os.path.islink(path) or (os.path.exists(path) and not os.path.isfile(path)):
            with open(path, "wb") as file:
                file.write(data)
        elif not os.path.isdir(os.path.dirname(os.path.abspath(path))):
            raise UsageError(f"{printable(path)} cannot be written: its folder does not exist", hint="make it first")
        else:
            write_file(os.path.abspath(path), data)
    except OSError as error:
        raise RegistryError(f"{printable(path)} cannot be written: {error.strerror}") from None


FORMATS = ("json", "github", "gitlab", "junit", "sarif")
"""The forms of a report for machines and hosts."""


def printed(
    report: Report, form: str, code: int, *, command: str, trial: tuple[Judgement, Sequence[Gate]] | None = None
) -> str:
    """Return a report in one of ``FORMATS``; each is loaded when it is asked for."""
    gates = trial[1] if trial is not None else ()
    if form == "json":
        from nodespec.report.data import to_json

        return to_json(report, exit_code=code, trial=trial)
    if form == "github":
        from nodespec.report.github import to_github

        return to_github(report, command)
    if form == "gitlab":
        from nodespec.report.gitlab import to_gitlab

        return to_gitlab(report, gates)
    if form == "junit":
        from nodespec.report.junit import to_junit

        return to_junit(report, gates)
    from nodespec.report.sarif import to_sarif

    return to_sarif(report, gates)


@contextmanager
def telling(form: str, files: Sequence[tuple[str, str]] = ()) -> Iterator[None]:
    """Say why nothing could be judged in every form that was asked for, too: not everybody reads standard error.

    ``files`` are (form, path) of what is written besides.
    """
    try:
        yield
    except NodespecError as error:
        for kind, path in files:
            try:
                write_output(path, _unjudged(kind, error).encode())
            except NodespecError as other:
                note(f"error: {other}")
        echo(_unjudged(form, error))
        raise


def _unjudged(form: str, error: NodespecError) -> str:
    if form == "json":
        from nodespec.report.data import to_json_error

        return to_json_error(str(error), error.hint, exit_code=error.exit_code)
    if form == "github":
        from nodespec.report.github import to_github_error

        return to_github_error(str(error), error.hint)
    if form == "gitlab":
        from nodespec.report.gitlab import to_gitlab_error

        return to_gitlab_error(str(error), error.hint)
    if form == "junit":
        from nodespec.report.junit import to_junit_error

        return to_junit_error(str(error), error.hint)
    if form == "sarif":
        from nodespec.report.sarif import to_sarif_error

        return to_sarif_error(str(error), error.hint, exit_code=error.exit_code)
    if form == "markdown":
        from nodespec.report.page import to_markdown_error

        return to_markdown_error(str(error), error.hint)
    return ""


def open_snapshot(repo: str, at: str | None) -> Snapshot:
    """Open a registry at a revision, and say so when its keys are published ones."""
    snapshot = open_registry(repo).at(at, progress=Progress("reading"))
    tell_example(snapshot)
    return snapshot


def holds_registry(snapshot: Snapshot) -> bool:
    """Say whether there is anything of a registry in a tree; without one, a work tree is not opened at all."""
    return snapshot.commit is None or any(map(cast("CommitTree", snapshot.tree).children, ROOTS))


def require_registry(snapshot: Snapshot) -> None:
    """Raise ``UsageError`` for a commit that holds no registry, and so has nothing to be listed or signed."""
    if not holds_registry(snapshot):
        hint = "git log -- registry shows when there was one"
        raise UsageError(f"{snapshot.tree.label} holds no registry", hint=hint)


def tell_example(snapshot: Snapshot) -> None:
    """Say on standard error that a registry is an example."""
    try:
        name = snapshot.example
    except NodespecError:
        return  # whoever needs the settings will say what is wrong with them
    context = click.get_current_context()
    if name and context.meta.get(f"{__name__}.example") != name:
        context.meta[f"{__name__}.example"] = name  # commands that open it again need not say so again
        note(f"note: {name} is an example registry; its keys are published, its signatures prove nothing")


def complete_id(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete node ids, from the paths alone."""
    from click.shell_completion import CompletionItem

    try:
        ids = Registry.open(ctx.params.get("repo") or ".", index=False).at(ctx.params.get("at")).ids()
    except NodespecError:
        return []
    return [CompletionItem(identifier) for identifier in ids if identifier.startswith(incomplete)]


def complete_signal(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete signal names."""
    from click.shell_completion import CompletionItem

    try:
        index = os.environ.get("NODESPEC_INDEX") or True
        with closing(Registry.open(ctx.params.get("repo") or ".", index=index)) as registry:
            signals = registry.at(ctx.params.get("at")).signals
    except NodespecError:
        return []
    return [CompletionItem(signal) for signal in signals if signal.startswith(incomplete)]


def passphrase(*, confirm: bool = False) -> str:
    """Return the passphrase from NODESPEC_PASSPHRASE_FILE, or ask for it on the terminal."""
    path = os.environ.get("NODESPEC_PASSPHRASE_FILE")
    if path:
        try:
            with open(path, encoding="utf-8") as file:
                return file.readline().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise UsageError(f"NODESPEC_PASSPHRASE_FILE cannot be read: {reason}") from None
    if not sys.stdin.isatty():
        hint = "set NODESPEC_PASSPHRASE_FILE to a file whose first line is the passphrase"
        raise UsageError("a passphrase is needed, and there is no terminal to ask on", hint=hint)
    answer: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
    return answer
