"""libyaml's composer, without PyYAML's resolver and constructor; and where a node stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yaml._yaml import CParser
from yaml.nodes import Node, ScalarNode

from nodespec.finding import START, Span

if TYPE_CHECKING:
    import yaml

PLAIN = "plain"
QUOTED = "quoted"


class Composer(CParser):
    """libyaml's composer without PyYAML's resolver: a scalar's tag says only whether it was quoted."""

    def resolve(self, kind: type[Node], _value: object, implicit: tuple[bool, bool]) -> str:
        """Return the tag of a node: for a scalar, whether quotes were absent."""
        return PLAIN if kind is ScalarNode and implicit[0] else QUOTED

    def descend_resolver(self, _parent: Node, _index: object) -> None:
        """Do nothing: there are no path resolvers."""

    def ascend_resolver(self) -> None:
        """Do nothing: there are no path resolvers."""


def span_of(node: Node | yaml.Event | yaml.Token) -> Span:
    """Return where a node, an event or a token stands; its width when it lies on one line."""
    start, end = node.start_mark, node.end_mark
    if start is None or end is None:
        return START
    width = end.column - start.column if end.line == start.line else 1
    return Span(line=start.line + 1, column=start.column + 1, width=max(1, width))
