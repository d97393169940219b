"""nodespec query, show, log, diff, graph: questions to a checkout or any commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nodespec import difference, graph, history, report
from nodespec.cli.common import (
    at_option,
    color_option,
    colored,
    complete_id,
    complete_signal,
    echo,
    note,
    open_snapshot,
    painter,
    repo_option,
    tell_example,
)
from nodespec.cli.terminal import Progress, table
from nodespec.encoding import json_text, printable
from nodespec.errors import UsageError
from nodespec.registry import Registry
from nodespec.spec import LANES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodespec.difference import NodeChange
    from nodespec.registry import Snapshot
    from nodespec.spec import NodeSpec

_FORMATS = ("table", "json", "ndjson", "yaml", "ids")


def _once(_ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> str | None:
    """Refuse a filter of one value that is given twice: the last one must not silently win."""
    if len(values) > 1:
        hint = "a node has one of each; for several tiers, give a range such as 2..5"
        raise UsageError(f"{param.opts[0]} is given {len(values)} times", hint=hint)
    return values[0] if values else None


@click.command("query")
@click.option(
    "--signal", multiple=True, metavar="NAME", shell_complete=complete_signal, help="Has it in emits or subscribes."
)
@click.option("--emits", multiple=True, metavar="NAME", shell_complete=complete_signal, help="Emits this signal.")
@click.option("--subscribes", multiple=True, metavar="NAME", shell_complete=complete_signal, help="Subscribes to it.")
@click.option("--capability", multiple=True, metavar="CAP", help="May do this: whole segments, deny wins.")
@click.option(
    "--owner", multiple=True, callback=_once, metavar="HANDLE", help="GLYMPH:… , or at least its first 8 digits."
)
@click.option("--lane", multiple=True, callback=_once, metavar="LANE", help=f"One of {', '.join(LANES)}.")
@click.option("--tier", multiple=True, callback=_once, metavar="TIER", help="As in 4, '>=4' or 2..5.")
@click.option("--role", multiple=True, metavar="ROLE", help="Has this role.")
@click.option(
    "--type",
    "node_type",
    multiple=True,
    callback=_once,
    metavar="TYPE",
    help="A node type, or 'matriz.memory.*' for all below.",
)
@click.option("--text", multiple=True, callback=_once, metavar="TEXT", help="In the id, the description or a role.")
@repo_option
@at_option
@click.option("--format", "form", type=click.Choice(_FORMATS), default="table", show_default=True)
@color_option
def query_command(repo: str, at: str | None, form: str, color: str, node_type: str | None, **filters: Any) -> int:
    r"""Find nodes; every filter must hold. Without filters, list all.

    \b
    nodespec query --signal memory_stored
    nodespec query --capability read:memory/episodic --lane products
    nodespec query --tier '>=4' --at 2026-03-14 --format ids

    Ends with 4 when no node matches, and with 3 when a file could not be read, so that the answer may lack it.
    """
    snapshot = open_snapshot(repo, at)
    nodes = snapshot.query(type=node_type, **filters)
    echo(_nodes(nodes, form, color))
    snapshot.require_complete()
    if not nodes:
        _say_nothing_matched(snapshot, filters)
        return 4
    return 0


def _nodes(nodes: Sequence[NodeSpec], form: str, color: str) -> str:
    if form == "ids":
        return "".join(f"{node.id}\n" for node in nodes)
    if form == "json":
        return json_text([_fields(node) for node in nodes], indent=2) + "\n"
    if form == "ndjson":
        return "".join(json_text(_fields(node)) + "\n" for node in nodes)
    if form == "yaml":
        return "".join(f"--- # {node.id}\n{_yaml(node.value)}" for node in nodes)
    if not nodes:
        return ""
    rows = [
        (
            node.id,
            node.version,
            node.lane,
            str(node.tier),
            " ".join(emit.name for emit in node.emits) or "-",
            " ".join(item.signal for item in node.subscribes) or "-",
        )
        for node in nodes
    ]
    return table(("node", "version", "lane", "tier", "emits", "subscribes"), rows, color=colored(color))


def _fields(node: NodeSpec) -> dict[str, Any]:
    return {"id": node.id, "path": node.path, "spec": node.value}


def _yaml(value: Any) -> str:
    from nodespec.document import dump

    return dump(value)


def _say_nothing_matched(snapshot: Snapshot, filters: dict[str, Any]) -> None:
    from difflib import get_close_matches

    known = sorted({signal for node in snapshot for signal in node.signals})
    asked = [*filters["signal"], *filters["emits"], *filters["subscribes"]]
    note(f"no node in {snapshot.tree.label} matches")
    for signal in asked:
        near = get_close_matches(signal, known, n=1)
        if signal not in known:
            note(f"hint: no node knows a signal {signal}" + (f"; did you mean {near[0]}?" if near else ""))


@click.command("show")
@click.argument("identifier", metavar="ID", shell_complete=complete_id)
@repo_option
@at_option
@click.option("--format", "form", type=click.Choice(["text", "json", "yaml"]), default="text", show_default=True)
@color_option
def show_command(identifier: str, repo: str, at: str | None, form: str, color: str) -> None:
    """Show one node: what it is, whom it hears and who hears it."""
    snapshot = open_snapshot(repo, at)
    node = snapshot.get(identifier)
    if form == "json":
        echo(json_text(_fields(node), indent=2) + "\n")
    elif form == "yaml":
        echo(_yaml(node.value))
    else:
        echo(_card(node, graph.around(graph.of(snapshot), node.id), color))
        snapshot.require_complete()


def _card(node: NodeSpec, around: graph.Graph, color: str) -> str:
    paint = painter(color)
    rows = [
        ("version", f"{node.version}, created {node.created_at}"),
        ("place", f"lane {node.lane}, tier {node.tier}"),
        ("owner", node.owner),
        ("roles", ", ".join(node.roles)),
        ("may", ", ".join(node.allow) or "nothing"),
        *([("may not", ", ".join(node.deny))] if node.deny else []),
        ("file", node.path),
    ]
    lines = [paint(node.id, "strong"), *([f"  {printable(node.description)}"] if node.description else []), ""]
    lines += [f"  {paint(f'{name:<8}', 'dim')} {printable(text)}" for name, text in rows]
    for emit in node.emits:
        targets = [
            edge.target or "nobody" for edge in around.edges if (edge.source, edge.signal) == (node.id, emit.name)
        ]
        lines.append(f"  {paint('emits   ', 'dim')} {emit.name} ({emit.sensitivity}) → {', '.join(targets)}")
    for item in node.subscribes:
        sources = [
            edge.source or "outside" for edge in around.edges if (edge.target, edge.signal) == (node.id, item.signal)
        ]
        lines.append(f"  {paint('hears   ', 'dim')} {item.signal} ← {', '.join(sources)}")
    return "\n".join(lines) + "\n"


@click.command("log")
@click.argument("identifier", metavar="ID", shell_complete=complete_id)
@repo_option
@click.option("--at", default="HEAD", metavar="REV|DATE", help="Where to start.  [default: HEAD]")
@click.option("--format", "form", type=click.Choice(["text", "json", "ndjson"]), default="text", show_default=True)
@click.option("--limit", "-n", type=click.IntRange(min=1), metavar="N", help="At most N versions.")
@color_option
def log_command(identifier: str, repo: str, at: str, form: str, limit: int | None, color: str) -> int:
    """List the versions of a node, newest first, along the first-parent line of history."""
    registry = Registry.open(repo)
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


def _version_text(version: history.Version, paint: report.Paint) -> str:
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
        **_change_fields(version.change),
        **({"kind": "unknown"} if version.edge else {}),
    }


@click.command("diff")
@click.argument("base", metavar="A")
@click.argument("head", metavar="[B]", required=False)
@repo_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@color_option
def diff_command(base: str, head: str | None, repo: str, form: str, color: str) -> int:
    """Compare two revisions, node by node and field by field, in words.

    Without B, A is compared with the work tree. Ends with 4 when no node differs.
    """
    registry = Registry.open(repo)
    before = registry.at(base, progress=Progress(f"reading {base}"))
    after = registry.at(head, progress=Progress(f"reading {head or 'files'}"))
    tell_example(after)
    changes = difference.between(before, after)
    if form == "json":
        echo(json_text([_change_fields(change) for change in changes], indent=2) + "\n")
    else:
        paint = painter(color)
        echo("".join(_change_text(change, paint) for change in changes))
        counts = {kind: sum(change.kind == kind for change in changes) for kind in ("added", "changed", "removed")}
        echo(
            ", ".join(f"{count} {kind}" for kind, count in counts.items())
            + f" ({before.tree.label} → {after.tree.label})\n"
        )
    for snapshot in (before, after):
        snapshot.require_complete()
    return 0 if changes else 4


def _change_text(change: NodeChange, paint: report.Paint) -> str:
    sign, purpose = {"added": ("+", "ok"), "removed": ("-", "error"), "changed": ("~", "warning")}[change.kind]
    versions = " → ".join(version for version in (change.before, change.after) if version)
    if change.before == change.after and change.kind == "changed":
        versions = f"{change.after}, version unchanged"
    lines = [f"{paint(sign, purpose)} {paint(change.id, 'strong')} ({versions})"]
    lines += [f"    {printable(field.words)}" for field in change.fields if field.field != "metadata.version"]
    return "\n".join(lines) + "\n"


def _change_fields(change: NodeChange) -> dict[str, Any]:
    names = ("field", "before", "after", "words")
    return {
        "id": change.id,
        "kind": change.kind,
        "before": change.before,
        "after": change.after,
        "fields": [{name: getattr(field, name) for name in names} for field in change.fields],
    }


@click.command("graph")
@click.argument("identifier", metavar="[ID]", required=False, shell_complete=complete_id)
@repo_option
@at_option
@click.option("--format", "form", type=click.Choice(["mermaid", "dot", "json"]), default="mermaid", show_default=True)
def graph_command(identifier: str | None, repo: str, at: str | None, form: str) -> None:
    """Draw who emits what to whom: the whole registry, or what touches one node."""
    snapshot = open_snapshot(repo, at)
    whole = graph.of(snapshot)
    if identifier is not None:
        whole = graph.around(whole, snapshot.get(identifier).id)
    echo({"mermaid": graph.to_mermaid, "dot": graph.to_dot, "json": graph.to_json}[form](whole))
    snapshot.require_complete()
