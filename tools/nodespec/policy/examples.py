"""The examples that a policy carries, run: what it says of a node, and what its author expected it to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from nodespec import schema, spec
from nodespec.policy.standing import Standing
from nodespec.settings import Settings
from nodespec.tree import NODE_SCHEMA_PATH

if TYPE_CHECKING:
    from nodespec.policy.model import Example
    from nodespec.policy.policies import Policies

SPECIMEN: dict[str, Any] = {
    "node_type": "example.node",
    "metadata": {
        "name": "specimen",
        "version": "1.0.0",
        "schema_version": "nodespec.v1",
        "authors": ["Somebody"],
        "created_at": "2026-01-31",
    },
    "identity": {"owner_id": "GLYMPH:" + "0" * 64, "lane": "candidate", "tier": 0, "roles": ["example"]},
    "interfaces": {
        "inputs": [],
        "outputs": [],
        "signals": {"emits": [{"name": "something_happened"}], "subscribes": []},
    },
    "contracts": {},
    "provenance_manifest": {"glymph_enabled": True, "signing_scheme": "ml-dsa-44"},
    "security": {},
}
"""The plainest NodeSpec: required keys alone. Examples say how theirs differs."""


class Trial(NamedTuple):
    """What came of an example. ``found`` is the ids of the rules that were not kept, None when it is not about it.

    ``doubt`` says why there is no answer; then nothing else counts.
    """

    example: Example
    found: frozenset[str] | None
    doubt: str = ""

    @property
    def held(self) -> bool:
        """Whether the policy says what its author expected."""
        return not self.doubt and self.found == self.example.expect


def run(policies: Policies, number: int) -> list[Trial]:
    """Run the examples of the policy with this number, which can be used."""
    policy = policies.policy(number)
    return [_try(policies, number, example) for example in policy.examples]


def _try(policies: Policies, number: int, example: Example) -> Trial:
    value = merged(SPECIMEN, example.node)
    wrong = schema.builtin(NODE_SCHEMA_PATH).violations(value)
    if wrong:
        return Trial(example, None, f"the node is no NodeSpec: {wrong[0].message}")
    node = spec.from_value(value)
    if not policies.policy(number).match.fits(node):
        return Trial(example, None)
    standing = Standing(**example.provenance, owner=node.owner if example.provenance.get("verified") else "")
    rulings = policies.judge_by([number], node, standing, Settings(sensitive_signals=example.sensitive))
    doubt = next((item for item in rulings if item.outcome in ("undecided", "unusable")), None)
    if doubt is not None:
        return Trial(example, None, f"{doubt.rule.id}: {doubt.reason}" if doubt.rule else doubt.reason)
    return Trial(example, frozenset(item.rule.id for item in rulings if item.rule))


def merged(value: Any, patch: Any) -> Any:
    """Return a value after a merge patch (RFC 7396).

    >>> merged({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": None, "e": 3}, "d": [2]})
    {'a': {'c': 2, 'e': 3}, 'd': [2]}
    """
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for key, item in patch.items():
        if item is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), item)
    return result
