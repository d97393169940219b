"""Family L: what the registry's own governance policies ask, found by :mod:`nodespec.policy`.

A policy has rules of its own, each with a message; here is what can come of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodespec.finding import Hit
from nodespec.policy.model import existing
from nodespec.policy.policies import said
from nodespec.rule import Rule, declare

if TYPE_CHECKING:
    from nodespec.finding import Severity
    from nodespec.policy.policies import Ruling
    from nodespec.spec import NodeSpec


def _found_by_policies(
    code: str, slug: str, *, why: str, fix: str, severity: Severity = "error", unwaivable: str = ""
) -> Rule:
    return declare(Rule(code=code, slug=slug, severity=severity, why=why, fix=fix, unwaivable=unwaivable))


_NO_ANSWER = "a policy that cannot be used, or gave no answer, has not judged anything yet"


VIOLATED = _found_by_policies(
    "L001",
    "policy-violated",
    why="The registry's policies say what is asked of a node beyond its shape, and this node does not do it.",
    fix="Do what the message says; the policy's file says why, and shows nodes that comply.",
)

BROKEN = _found_by_policies(
    "L002",
    "policy-broken",
    why="A policy that cannot be used judges nobody, and whoever it was to govern has not been judged.",
    fix="Correct the policy, and try it: nodespec policy test",
    unwaivable=_NO_ANSWER,
)

UNDECIDED = _found_by_policies(
    "L003",
    "policy-undecided",
    why=(
        "A rule answers true or false. An absent field, another type, an error, or a limit that was reached is no "
        "answer, and no answer is never a pass."
    ),
    fix="Correct the policy: ask has(...) before what may be absent, and try it with an example: nodespec policy test",
    unwaivable=_NO_ANSWER,
)

ADVISED = _found_by_policies(
    "L004",
    "policy-advised",
    severity="warning",
    why="The policy gives this as advice: the node is admitted, and would be better otherwise.",
    fix="Do what the message says, or be ready to explain why not.",
)

UNSIGNED = _found_by_policies(
    "L005",
    "policy-unsigned",
    why="The policy admits the node once its attestation verifies, with its owner's and a verifier's signature.",
    fix="Get the missing signatures, and keep family P selected. Who has yet to sign: nodespec verify ID",
)


def hit(ruling: Ruling, node: NodeSpec) -> Hit | None:
    """Return a ruling as a hit, at what the policy's rule is about, or at what is there of it.

    Returns None for a policy that cannot be used, which has a finding of its own.
    """
    if ruling.outcome == "unusable":
        return None
    code = {"violated": VIOLATED.code, "unsigned": UNSIGNED.code, "undecided": UNDECIDED.code}[ruling.outcome]
    if ruling.outcome == "violated" and ruling.rule is not None and ruling.rule.severity == "warning":
        code = ADVISED.code
    at = existing(node.value, ruling.rule.path) if ruling.rule is not None else ()
    if not at:
        at = existing(node.value, ("governance_policy_ref",))
    name = ruling.policy if ruling.rule is None else f"{ruling.policy}/{ruling.rule.id}"
    return Hit(code=code, message=said(ruling), at=at, policy=name)
