"""Static analysis of which fields of a node a CEL policy reads, so that equal inputs are evaluated once.

An expression of CEL reaches a node by the name ``node`` alone, and what it selects from it stands behind that name,
letter by letter: ``node.identity.tier``. So the text tells which values an answer depends on, or, inside ``has()``,
that it depends on whether there is one. Whatever is not plainly a chain of fields (``node['a']``, ``node.?a``, the word
in a string, and any expression with a comment) counts as a look at all of it, and costs a question more.

>>> Sight(["has(node.consent) && node.identity.tier >= 5", "node.roles.exists(r, r == 'guard')"]).looks
((('consent',), False), (('identity', 'tier'), True), (('roles',), True))
>>> Sight(["size(node) > 3"]).looks is None
True
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nodespec.policy.standing import Standing
    from nodespec.spec import NodeSpec

    Look = tuple[tuple[str, ...], bool]
    """The fields that lead to what is looked at, and whether its value counts, or only that it is there."""

_FIELDS = r"(?:\s*\.\s*[A-Za-z_][A-Za-z0-9_]*)"
_PRESENCE = re.compile(rf"\bhas\s*\(\s*node(?P<fields>{_FIELDS}+)\s*\)", re.ASCII)
_VALUE = re.compile(rf"\bnode\b(?P<fields>{_FIELDS}*)(?P<called>\s*\()?", re.ASCII)


class Sight:
    """What the expressions of a policy look at: ``looks``, or None where that cannot be told."""

    def __init__(self, expressions: Iterable[str]) -> None:
        looks: set[Look] = set()
        others = ""
        for text in expressions:  # each by itself: a chain ends with its expression
            if "//" in text:  # a comment, perhaps, in which nothing means what it seems to
                looks.add(((), True))
            looks |= {(_names(match["fields"]), False) for match in _PRESENCE.finditer(text)}
            rest = _PRESENCE.sub(" ", text)
            looks |= {(_names(match["fields"], called=bool(match["called"])), True) for match in _VALUE.finditer(rest)}
            others += _VALUE.sub(" ", rest)
        beyond = ((), True) in looks or "emits" in others or "registry" in others  # signals as the registry rates them
        self.looks = None if beyond else tuple(sorted(looks))
        self._signed = "provenance" in others

    def of(self, node: NodeSpec, standing: Standing) -> str | None:
        """Return all that the policy sees of a node, as a text; None where that cannot be told."""
        if self.looks is None:
            return None
        seen: list[Any] = [_at(node.value, path, value=value) for path, value in self.looks]
        if self._signed:
            seen += [standing.verified, standing.attested, standing.delegated, standing.owner]
        return json.dumps(seen)


def _names(chain: str, *, called: bool = False) -> tuple[str, ...]:
    """Return the fields of a chain; the last name of one that is called is a function's."""
    names = [name.strip() for name in chain.split(".")[1:]]
    return tuple(names[:-1] if called else names)


def _at(found: Any, path: tuple[str, ...], *, value: bool) -> list[Any]:
    """Return how far a path leads, and what is there, as something that no other state looks like."""
    for depth, name in enumerate(path):
        if not isinstance(found, dict):
            return [depth, found]
        if name not in found:
            return [depth]
        found = found[name]
    return [len(path), found] if value else [len(path)]
