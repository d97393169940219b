"""Who emits what to whom: the signal graph of a registry.

An edge runs from each emitter of a signal to each of its subscribers. A subscriber depends on its
emitters.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nodespec.spec import NodeSpec


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """``signal`` goes from the node ``source`` to the node ``target`` (ids; empty where nobody stands)."""

    source: str
    signal: str
    target: str


@dataclass(frozen=True, slots=True)
class Graph:
    """Node ids and edges, both sorted."""

    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]


def of(nodes: Iterable[NodeSpec]) -> Graph:
    """Return the graph of all nodes. A signal with no emitter or no subscriber has an edge with one open end."""
    listed = list(nodes)
    emitters: dict[str, list[str]] = {}
    subscribers: dict[str, list[str]] = {}
    for node in listed:
        for emit in node.emits:
            emitters.setdefault(emit.name, []).append(node.id)
        for item in node.subscribes:
            subscribers.setdefault(item.signal, []).append(node.id)
    edges = {
        Edge(source, signal, target)
        for signal in emitters.keys() | subscribers.keys()
        for source in emitters.get(signal, [""])
        for target in subscribers.get(signal, [""])
    }
    return Graph(tuple(sorted(node.id for node in listed)), tuple(sorted(edges)))


def around(graph: Graph, identifier: str) -> Graph:
    """Return the part of the graph that touches one node: its emitters, its subscribers, and itself."""
    edges = tuple(edge for edge in graph.edges if identifier in (edge.source, edge.target))
    nodes = {identifier} | {end for edge in edges for end in (edge.source, edge.target) if end}
    return Graph(tuple(sorted(nodes)), edges)


def to_mermaid(graph: Graph) -> str:
    """Return a Mermaid flowchart."""
    names = {identifier: f"n{number}" for number, identifier in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    lines += [f'    {names[identifier]}["{identifier}"]' for identifier in graph.nodes]
    for number, edge in enumerate(graph.edges):
        open_end = f"open{number}(( ))"
        source, target = names.get(edge.source, open_end), names.get(edge.target, open_end)
        lines.append(f"    {source} -->|{edge.signal}| {target}")
    return "\n".join(lines) + "\n"


def to_dot(graph: Graph) -> str:
    """Return a Graphviz digraph."""
    lines = ["digraph registry {", "    rankdir=LR;", '    node [shape=box, fontname="sans-serif"];']
    lines += [f'    "{identifier}";' for identifier in graph.nodes]
    for number, edge in enumerate(graph.edges):
        ends = [edge.source, edge.target]
        if "" in ends:
            ends[ends.index("")] = f"open{number}"
            lines.append(f'    "open{number}" [shape=point, label=""];')
        lines.append(f'    "{ends[0]}" -> "{ends[1]}" [label="{edge.signal}"];')
    return "\n".join([*lines, "}"]) + "\n"


def to_json(graph: Graph) -> str:
    """Return ``{"nodes": [id], "edges": [{"from", "signal", "to"}]}``; an open end is null."""
    edges = [{"from": edge.source or None, "signal": edge.signal, "to": edge.target or None} for edge in graph.edges]
    return json.dumps({"version": 1, "nodes": list(graph.nodes), "edges": edges}, indent=2) + "\n"
