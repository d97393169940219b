"""Family W: the waivers themselves. A waiver that nobody needs, or that never ends, hides the next mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodespec.encoding import quoted
from nodespec.finding import Hit
from nodespec.frozen import frozen
from nodespec.owner import Chain
from nodespec.quorum import short
from nodespec.rule import RULES, rule
from nodespec.tree import WAIVERS_PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from nodespec.provenance import Provenance
    from nodespec.waiver import Subject, Waiver


@frozen
class Waived:
    """The waivers of a tree; those that a finding needed; and how far anybody looked for one."""

    waivers: Sequence[Waiver]
    used: frozenset[Subject]
    looked: Callable[[Waiver], bool]
    provenance: Provenance
    now: datetime


@rule(
    "W001",
    "expired-waiver",
    why="A waiver is a promise to mend something by a day. The day is over.",
    fix="Mend what was waived and remove the waiver; or let the maintainers agree to another day.",
)
def expired_waiver(waived: Waived) -> Iterator[Hit]:
    """Every waiver's last day is still to come."""
    for position, one in enumerate(waived.waivers):
        at = ("waivers", position, "until")
        if one.until is None:
            yield Hit(message="this day is in no calendar, so the waiver holds nothing", path=WAIVERS_PATH, at=at)
        elif waived.now.date() > one.until:
            yield Hit(message=f"the waiver of {one.code} ended on {one.until}", path=WAIVERS_PATH, at=at)


@rule(
    "W002",
    "unused-waiver",
    severity="warning",
    why="A waiver that nothing needs any more would hide the same mistake when it is made again.",
    fix="Remove the waiver.",
)
def unused_waiver(waived: Waived) -> Iterator[Hit]:
    """Every waiver is needed."""
    for position, one in enumerate(waived.waivers):
        needed = one.subject in waived.used
        if one.holds(waived.now) and not needed and waived.looked(one):
            rule_of = f" of {one.policy}" if one.policy else ""
            message = f"there is no {one.code}{rule_of} at {quoted(one.path)} to be waived"
            yield Hit(message=message, path=WAIVERS_PATH, at=("waivers", position))


@rule(
    "W003",
    "forbidden-waiver",
    why=(
        "What is signed and how a tree is made are facts, not opinions; a registry that could waive them would prove "
        "nothing to anybody. And a waiver of all policies at once would waive those that nobody thought of."
    ),
    fix="Remove the waiver, and mend what the rule finds.",
)
def forbidden_waiver(waived: Waived) -> Iterator[Hit]:
    """Only rules that exist, and that may be waived, are waived, each by itself."""
    for position, one in enumerate(waived.waivers):
        at = ("waivers", position, "code")
        if one.code not in RULES:
            yield Hit(
                message=f"there is no rule {one.code}", path=WAIVERS_PATH, at=at, fix="nodespec rules lists them."
            )
        elif RULES[one.code].unwaivable:
            message = f"{one.code} cannot be waived: {RULES[one.code].unwaivable}"
            yield Hit(message=message, path=WAIVERS_PATH, at=at)
        elif one.code[0] == "L" and not one.policy:
            message = f"{one.code} is what every policy finds, and this waiver does not say which of their rules"
            fix = "Add what the finding names, as in policy: matriz.governance/memory-tier"
            yield Hit(message=message, path=WAIVERS_PATH, at=at, fix=fix)
        elif one.policy and one.code[0] != "L":
            message = f"no policy finds {one.code}; policies are family L"
            at = ("waivers", position, "policy")
            yield Hit(message=message, path=WAIVERS_PATH, at=at, fix="Remove the policy.")


@rule(
    "W004",
    "waiver-of-nobody",
    why="Somebody must answer for mending what is waived; a waiver of nobody is never mended.",
    fix="Name an owner of this registry: nodespec owner list",
)
def waiver_of_nobody(waived: Waived) -> Iterator[Hit]:
    """Whoever answers for a waiver is an owner of the registry."""
    for position, one in enumerate(waived.waivers):
        if not isinstance(waived.provenance.chain(one.owner), Chain):
            message = f"no owner {short(one.owner)} is known here"
            yield Hit(message=message, path=WAIVERS_PATH, at=("waivers", position, "owner"))
