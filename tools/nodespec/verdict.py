"""Which rules were asked for, which ran, and what came of it.

What did not run has not passed: a report names every family as run, not run or ignored, and the exit code of
a report in which nothing ran is 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodespec import rules
from nodespec.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nodespec.finding import Finding
    from nodespec.waiver import Waiver

RUN, PARTLY, NOT_RUN, IGNORED = "run", "not run on everything", "not run", "ignored"


@frozen
class Selection:
    """Which codes are reported: all, those selected, less those ignored."""

    codes: frozenset[str]
    families: frozenset[str]

    @classmethod
    def parse(cls, select: Iterable[str] = (), ignore: Iterable[str] = ()) -> Selection:
        """Read lists of codes, slugs and family letters; an item may hold several, joined by commas."""
        chosen = _codes(select) if select else frozenset(rules.RULES) | frozenset(rules.FAMILIES)
        left = chosen - _codes(ignore)
        # A family without rules in this version stands for itself; any other is what is left of its codes.
        with_rules = {code[0] for code in rules.RULES}
        families = {item[0] for item in left if len(item) > 1 or item not in with_rules}
        return cls(codes=frozenset(item for item in left if len(item) > 1), families=frozenset(families))


def _codes(words: Iterable[str]) -> frozenset[str]:
    """Return the codes that ``words`` name, and the letters of the families among them."""
    found: set[str] = set()
    for word in (item.strip() for text in words for item in text.split(",")):
        if word.upper() in rules.FAMILIES:
            found |= {word.upper()} | {code for code in rules.RULES if code[0] == word.upper()}
        else:
            found.add(rules.rule_of(word).code)
    return frozenset(found)


ALL = Selection.parse()


@frozen
class Report:
    """What was judged and found.

    ``families`` says for each letter whether it ran; ``blocked`` names those that this version can judge and
    that were asked for, but that could not run on all of this input. ``waived`` are findings that a waiver puts up
    with, each with its waiver; they do not count. ``complete`` says that every file was seen by
    whatever was to see it, and stands where it belongs. ``undecided`` says that a policy could not be used, or gave no
    answer: then there is no verdict, whatever else was found. ``everything`` is what was found, in order, whether it
    was asked for, waived or neither: what the next judgement goes on from.
    """

    label: str
    findings: tuple[Finding, ...]
    files: int
    specs: int
    families: dict[str, str]
    blocked: tuple[str, ...] = ()
    complete: bool = False
    undecided: bool = False
    waived: tuple[tuple[Finding, Waiver], ...] = ()
    everything: tuple[Finding, ...] = ()

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(finding.severity == "error" for finding in self.findings)

    @property
    def warnings(self) -> int:
        """How many findings are warnings."""
        return len(self.findings) - self.errors

    @property
    def states(self) -> dict[str, str]:
        """For each family, whether it ran, and on everything: what people and machines are told."""
        return {
            letter: PARTLY if state == RUN and letter in self.blocked else state
            for letter, state in self.families.items()
        }

    def exit_code(self, *, strict: bool = False) -> int:
        """0 clean, 1 findings, 3 what was asked for could not run, 4 nothing was there to judge."""
        if self.undecided:
            return 3
        if self.errors or (strict and self.findings):
            return 1
        if not self.files:
            return 4
        return 3 if self.blocked or RUN not in self.families.values() else 0


def family_states(
    selection: Selection,
    *,
    nodes: bool,
    knobs: bool,
    whole: bool,
    tree: bool = True,
    trusted: bool = False,
    based: bool = False,
    policies: bool = False,
) -> dict[str, str]:
    """Say for each family whether it runs.

    Given is whether there is a contract for nodes, whether there are settings, whether every spec could
    be read, whether there is a tree at all, a trust root that verifies, a base to compare with, and a contract for
    policies.
    """
    able = {"S": nodes, "N": nodes and knobs, "G": nodes and knobs and whole, "T": tree}
    able |= {"P": tree and knobs and trusted, "C": tree and knobs and based, "W": tree and knobs}
    able["L"] = tree and nodes and knobs and policies
    states = {}
    for letter in rules.FAMILIES:
        if letter not in selection.families:
            states[letter] = IGNORED
        else:
            states[letter] = RUN if able.get(letter, True) else NOT_RUN
    return states


def blocked(families: dict[str, str], wanting: set[str], able: str) -> tuple[str, ...]:
    """Return the families of ``able`` that did not run although they were asked for, or ran and are ``wanting``."""
    return tuple(
        letter for letter in able if families[letter] == NOT_RUN or (families[letter] == RUN and letter in wanting)
    )
