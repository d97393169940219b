"""nodespec log, diff: what changed, node by node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nodespec import difference, history
from nodespec.cli.common import (
    color_option,
    complete_id,
    echo,
    index_options,
    note,
    open_registry,
    painter,
    repo_option,
    tell_example,
)
from nodespec.cli.terminal import Progress
from nodespec.encoding import json_text, printable
from nodespec.errors import UsageError
from nodespec.registry import Registry
from nodespec.report.changes import change_fields, change_text

if TYPE_CHECKING:
    from nodespec.report.text import Paint


@click.command("log")
@click.argument("identifier", metavar="ID", shell_complete=complete_id)
@repo_option
@click.option("--at", default="HEAD", metavar="REV|DATE", help="Where to start.  [default: HEAD]")
@click.option("--format", "form", type=click.Choice(["text", "json", "ndjson"]), default="text", show_default=True)
@click.option("--limit", "-n", type=click.IntRange(min=1), metavar="N", help="At most N versions.")
@color_option
def log_command(identifier: str, repo: str, at: str, form: str, limit: int | None, color: str) -> int:
    """List the versions of a node, newest first, along the first-parent line of history."""
    registry = Registry.open(repo, index=False)  # it reads the versions of one file
    tell_example(registry.at(at))
    paint = painter(color)
    found: list[history.Version] = []
    for version in history.versions(registry, identifier, at):
        found.append(version)
        if form == "text":
            echo(_version_text(version, paint))
        elif form == "ndjson":
            echo(json_text(_version_fields(version)) + "\n")
        if len(found) == limit:
            break
    if form == "json":
        echo(json_text([_version_fields(version) for version in found], indent=2) + "\n")
    if registry.git.is_shallow and len(found) != limit:
        note("note: this clone is shallow; older versions are not here (git fetch --unshallow)")
    if not found:
        registry.at(at).get(identifier)  # says what is near
        raise UsageError(f"{identifier} has no commit yet", hint="it stands in the work tree only")
    return 3 if any(version.problem for version in found) else 0


def _version_text(version: history.Version, paint: Paint) -> str:
    commit, change = version.commit, version.change
    what = {"added": f"added {change.after}", "removed": f"removed (was {change.before})"}.get(
        change.kind, f"{change.before} → {change.after}"
    )
    if version.edge:
        what = f"{change.after}, the oldest version in this shallow clone"
    if version.problem:
        what = f"not readable: {version.problem}"
    head = f"{paint(commit.short, 'warning')} {commit.time:%Y-%m-%d %H:%M} {paint(printable(what), 'strong')}"
    lines = [f"{head}  {printable(commit.subject)} ({printable(commit.author)})"]
    lines += [f"    {printable(field.words)}" for field in change.fields if field.field != "metadata.version"]
    return "\n".join(lines) + "\n"


def _version_fields(version: history.Version) -> dict[str, Any]:
    return {
        "commit": version.commit.id,
        "time": version.commit.time.isoformat(),
        "author": version.commit.author,
        "subject": version.commit.subject,
        "problem": version.problem or None,
        "edge": version.edge,
        **change_fields(version.change),
        **({"kind": "unknown"} if version.edge else {}),
    }


@click.command("diff")
@click.argument("base", metavar="A")
@click.argument("head", metavar="[B]", required=False)
@repo_option
@index_options
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@color_option
def diff_command(base: str, head: str | None, repo: str, form: str, color: str) -> int:
    """Compare two revisions, node by node and field by field, in words.

    Without B, A is compared with the work tree. Ends with 4 when no node differs.
    """
    registry = open_registry(repo)
    before = registry.at(base, progress=Progress(f"reading {base}"))
    after = registry.at(head, progress=Progress(f"reading {head or 'files'}"))
    tell_example(after)
    changes = difference.between(before, after)
    if form == "json":
        echo(json_text([change_fields(change) for change in changes], indent=2) + "\n")
    else:
        paint = painter(color)
        echo("".join(change_text(change, paint) for change in changes))
        counts = {kind: sum(change.kind == kind for change in changes) for kind in ("added", "changed", "removed")}
        echo(
            ", ".join(f"{count} {kind}" for kind, count in counts.items())
            + f" ({before.tree.label} → {after.tree.label})\n"
        )
    for snapshot in (before, after):
        snapshot.require_complete()
    return 0 if changes else 4
