"""Waivers: findings that the maintainers put up with, for a while, and with somebody who answers for it.

``registry/waivers.yaml`` is a document of the same strict profile as a NodeSpec, and fulfils
``schemas/waivers.v1.schema.json``. It is protected: only the maintainers' seal changes it. A waiver names one rule at
one file, never more, and holds to the end of a day (UTC); in family L, the rule is one of a governance policy. With a
base, a waiver holds as far as the base holds it, too.

What is signed (P, and C as far as it is about signatures and seals), how a tree is made (T), what is no document of its
kind (F, S), policies that have no answer and the waivers themselves (W) cannot be waived; each rule says so.

>>> import nodespec.rules
>>> from datetime import UTC, date, datetime
>>> one = Waiver(code="G001", path="a.yaml", reason="soon", owner="GLYMPH:…", until=date(2026, 12, 31))
>>> one.holds(datetime(2026, 12, 31, 23, 59, tzinfo=UTC)), one.holds(datetime(2027, 1, 1, tzinfo=UTC))
(True, False)
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from nodespec.frozen import frozen
from nodespec.rule import is_waivable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from nodespec.finding import Finding

Subject = tuple[str, str, str]
"""What is waived: the code, the path and, in family L, the policy's rule."""


@frozen
class Waiver:
    """One rule at one file, until the end of a day; a day that no calendar has is None, and holds nothing.

    ``policy`` is ``NAME/RULE`` in family L, and empty in all others.
    """

    code: str
    path: str
    policy: str = ""
    reason: str
    owner: str
    until: date | None

    def holds(self, now: datetime) -> bool:
        """Say whether the waiver counts at this moment."""
        return self.names_one_rule and self.until is not None and now.date() <= self.until

    @property
    def names_one_rule(self) -> bool:
        """Whether it names one rule that may be waived, and no more."""
        return is_waivable(self.code) and (self.code[0] == "L") == bool(self.policy)

    @property
    def subject(self) -> Subject:
        """What is waived."""
        return self.code, self.path, self.policy


def from_value(value: dict[str, Any]) -> tuple[Waiver, ...]:
    """Return the typed form of a value that fulfils the waivers v1 contract."""
    return tuple(
        Waiver(
            code=item["code"],
            path=item["path"],
            policy=item.get("policy", ""),
            reason=item["reason"],
            owner=item["owner"],
            until=_day(item["until"]),
        )
        for item in value["waivers"]
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def common(base: Iterable[Waiver], head: Sequence[Waiver]) -> tuple[Waiver, ...]:
    """Return head's waivers as far as base has them, too: base is believed, and head is on trial."""
    longest: dict[Subject, date] = {}
    for one in base:
        if one.until is not None:
            longest[one.subject] = max(one.until, longest.get(one.subject, one.until))

    def is_in_both(one: Waiver) -> bool:
        return one.until is not None and one.until <= longest.get(one.subject, date.min)

    return tuple(filter(is_in_both, head))


def split(
    findings: Iterable[Finding], waivers: Sequence[Waiver], now: datetime
) -> tuple[list[Finding], list[tuple[Finding, Waiver]]]:
    """Return the findings that stand, and those that are waived, each with its waiver."""
    holding = {one.subject: one for one in waivers if one.holds(now)}
    stand, waived = [], []
    for item in findings:
        found = holding.get((item.code, item.path, item.policy))
        if found is None:
            stand.append(item)
        else:
            waived.append((item, found))
    return stand, waived
