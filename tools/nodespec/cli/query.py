"""nodespec query, show, graph: questions to a checkout or any commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nodespec.cli.common import (
    at_option,
    color_option,
    colored,
    complete_id,
    complete_signal,
    echo,
    holds_registry,
    index_options,
    note,
    open_snapshot,
    painter,
    repo_option,
)
from nodespec.cli.terminal import table
from nodespec.encoding import json_text, printable
from nodespec.errors import UsageError
from nodespec.spec import LANES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nodespec.graph import Graph
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
@index_options
@at_option
@click.option("--format", "form", type=click.Choice(_FORMATS), default="table", show_default=True)
@color_option
def query_command(repo: str, at: str | None, form: str, color: str, node_type: str | None, **filters: Any) -> int:
    """Find nodes; every filter must hold. Without filters, list all.

    \b
    nodespec query --signal memory_stored
    nodespec query --capability read:memory/episodic --lane products
    nodespec query --tier '>=4' --at 2026-03-14 --format ids

    Ends with 4 when no node matches, and with 3 when a file could not be read, so that the answer may lack it.
    """
    snapshot = open_snapshot(repo, at)
    found: Sequence[object]
    if form in _ONE_BY_ONE:
        found = texts = snapshot.each(_ONE_BY_ONE[form], type=node_type, **filters)
        echo("".join(texts))
    else:
        found = nodes = snapshot.query(type=node_type, **filters)
        echo(_nodes(nodes, form, color))
    snapshot.require_complete()
    if not found:
        _say_nothing_matched(snapshot, filters)
        return 4
    return 0


def _nodes(nodes: Sequence[NodeSpec], form: str, color: str) -> str:
    if form == "json":
        return json_text([_fields(node) for node in nodes], indent=2) + "\n"
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


_ONE_BY_ONE: dict[str, Callable[[NodeSpec], str]] = {
    "ids": lambda node: f"{node.id}\n",
    "ndjson": lambda node: json_text(_fields(node)) + "\n",
    "yaml": lambda node: f"--- # {node.id}\n{_yaml(node.value)}",
}
"""Formats in which a node is written by itself, so that no more of it is kept."""


def _say_nothing_matched(snapshot: Snapshot, filters: dict[str, Any]) -> None:
    from difflib import get_close_matches

    known = snapshot.signals
    asked = [*filters["signal"], *filters["emits"], *filters["subscribes"]]
    note(f"no node in {snapshot.tree.label} matches")
    if not holds_registry(snapshot):
        note("hint: it holds no registry; git log -- registry shows when there was one")
    for signal in asked:
        near = get_close_matches(signal, known, n=1)
        if signal not in known:
            note(f"hint: no node knows a signal {signal}" + (f"; did you mean {near[0]}?" if near else ""))


@click.command("show")
@click.argument("identifier", metavar="ID", shell_complete=complete_id)
@repo_option
@index_options
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
        from nodespec import graph

        echo(_card(node, graph.around(graph.of(snapshot.touching(node)), node.id), color))
        snapshot.require_complete()


def _card(node: NodeSpec, around: Graph, color: str) -> str:
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


@click.command("graph")
@click.argument("identifier", metavar="[ID]", required=False, shell_complete=complete_id)
@repo_option
@index_options
@at_option
@click.option("--format", "form", type=click.Choice(["mermaid", "dot", "json"]), default="mermaid", show_default=True)
def graph_command(identifier: str | None, repo: str, at: str | None, form: str) -> None:
    """Draw who emits what to whom: the whole registry, or what touches one node."""
    snapshot = open_snapshot(repo, at)
    from nodespec import graph

    if identifier is None:
        whole = graph.of(snapshot)
    else:
        node = snapshot.get(identifier)
        whole = graph.around(graph.of(snapshot.touching(node)), node.id)
    echo({"mermaid": graph.to_mermaid, "dot": graph.to_dot, "json": graph.to_json}[form](whole))
    snapshot.require_complete()
