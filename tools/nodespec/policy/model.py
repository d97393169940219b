"""A policy as a typed, frozen value: what its contract promises, whom it governs, and what is odd about it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from nodespec.encoding import quoted
from nodespec.finding import Hit
from nodespec.frozen import frozen
from nodespec.spec import MAX_TIER
from nodespec.tree import is_policy_path, policy_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodespec.finding import KeyPath, Severity
    from nodespec.spec import NodeSpec

Scope = Literal["registry", "reference"]


class Variable(NamedTuple):
    """A named value that later expressions may use."""

    name: str
    expr: str


class Rule(NamedTuple):
    """What must be true of a node; ``path`` leads to what it is about."""

    id: str
    expr: str
    message: str
    severity: Severity
    path: tuple[str, ...]


class Example(NamedTuple):
    """A node, as what differs from the plainest one, and the policy's word about it.

    ``expect`` is the ids of the rules that are not kept, none when it passes; None when the policy is not about it.
    """

    name: str
    node: dict[str, Any]
    provenance: dict[str, bool]
    sensitive: dict[str, str]
    expect: frozenset[str] | None


@frozen
class Match:
    """Which nodes a policy is about; None and the widest bounds leave a condition open."""

    lanes: tuple[str, ...] | None = None
    node_types: tuple[str, ...] | None = None
    signals: frozenset[str] | None = None
    min_tier: int = 0
    max_tier: int = MAX_TIER

    def fits(self, node: NodeSpec) -> bool:
        """Say whether every condition that is given fits."""
        return (
            (self.lanes is None or node.lane in self.lanes)
            and self.min_tier <= node.tier <= self.max_tier
            and (self.node_types is None or any(_is_within(node.node_type, prefix) for prefix in self.node_types))
            and (self.signals is None or not self.signals.isdisjoint(node.signals))
        )


@frozen
class Policy:
    """One policy."""

    name: str
    description: str
    scope: Scope
    match: Match
    variables: tuple[Variable, ...]
    rules: tuple[Rule, ...]
    examples: tuple[Example, ...]

    def governs(self, node: NodeSpec) -> bool:
        """Say whether the node has to comply: it is in scope, and the policy is about such nodes."""
        named = self.scope == "registry" or node.value.get("governance_policy_ref") == self.name
        return named and self.match.fits(node)


def from_value(value: dict[str, Any]) -> Policy:
    """Return the typed form of a value that fulfils the policy v1 contract."""
    return Policy(
        name=value["policy"],
        description=value.get("description", ""),
        scope=value.get("scope", "reference"),
        match=_match(value.get("match", {})),
        variables=tuple(Variable(item["name"], item["expr"]) for item in value.get("variables", ())),
        rules=tuple(
            Rule(
                item["id"],
                item["expr"],
                item["message"],
                item.get("severity", "error"),
                path_of(item.get("path", "")),
            )
            for item in value["rules"]
        ),
        examples=tuple(map(_example, value.get("examples", ()))),
    )


def _match(value: dict[str, Any]) -> Match:
    tiers = value.get("tiers", {})
    return Match(
        lanes=tuple(value["lanes"]) if "lanes" in value else None,
        node_types=tuple(value["node_types"]) if "node_types" in value else None,
        signals=frozenset(value["signals"]) if "signals" in value else None,
        min_tier=int(tiers.get("min", 0)),
        max_tier=int(tiers.get("max", MAX_TIER)),
    )


def _example(value: dict[str, Any]) -> Example:
    expect = value["expect"]
    return Example(
        value["name"],
        value.get("node", {}),
        value.get("provenance", {}),
        value.get("sensitive", {}),
        None if expect == "unmatched" else frozenset(() if expect == "pass" else expect),
    )


def _is_within(node_type: str, prefix: str) -> bool:
    return node_type == prefix or node_type.startswith(f"{prefix}.")


def path_of(pointer: str) -> tuple[str, ...]:
    """Return the parts of a JSON pointer (RFC 6901).

    >>> path_of("/signals/emits/0/a~1b")
    ('signals', 'emits', '0', 'a/b')
    """
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def existing(value: Any, path: tuple[str, ...]) -> KeyPath:
    """Return as much of ``path`` as there is in ``value``, with positions in lists as numbers.

    >>> existing({"emits": [{"name": "x"}]}, ("emits", "0", "sensitivity"))
    ('emits', 0)
    """
    found: list[str | int] = []
    for part in path:
        if isinstance(value, dict) and part in value:
            found.append(part)
            value = value[part]
        elif isinstance(value, list) and part.isascii() and part.isdigit() and int(part) < len(value):
            found.append(int(part))
            value = value[int(part)]
        else:
            break
    return tuple(found)


def oddities(policy: Policy, path: str) -> Iterator[Hit]:
    """Yield what a contract cannot see: a name that is not the file's, names given twice, what can never be."""
    if is_policy_path(path) and policy.name != policy_name(path):
        message = f"the policy is called {quoted(policy.name)}, and its file {quoted(policy_name(path))}"
        yield Hit(message=message, at=("policy",), fix="Call both the same: nodes refer to the file's name.")
    if policy.match.min_tier > policy.match.max_tier:
        message = f"no tier is from {policy.match.min_tier} to {policy.match.max_tier}, so it is about no node"
        yield Hit(message=message, at=("match", "tiers"), fix="Exchange min and max, or correct them.")
    for part, key, names in (
        ("variables", "name", [item.name for item in policy.variables]),
        ("rules", "id", [item.id for item in policy.rules]),
        ("examples", "name", [item.name for item in policy.examples]),
    ):
        counts = Counter(names)
        for position, name in enumerate(names):
            if counts[name] > 1 and names.index(name) < position:
                message = f"{quoted(name)} stands twice among the {part}"
                yield Hit(message=message, at=(part, position, key), fix="Rename or remove one of them.")
    known = {item.id for item in policy.rules}
    for position, example in enumerate(policy.examples):
        for unknown in sorted((example.expect or frozenset()) - known):
            message = f"the example expects {quoted(unknown)}, and no rule is called so"
            yield Hit(message=message, at=("examples", position, "expect"), fix="Correct the id, or add the rule.")
