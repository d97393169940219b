"""How a rule is declared, and the table of all rules, which :mod:`nodespec.rules` fills."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from nodespec.encoding import quoted
from nodespec.errors import UsageError
from nodespec.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodespec.finding import Severity

Check = TypeVar("Check", bound="Callable[..., Any]")


_SIGNED = "no rule about what is signed can"


@frozen
class Family:
    """A letter, a name, what the rules of the family judge, and what holds for all of them.

    ``gate`` is the line of the scorecard where they count (:mod:`nodespec.scorecard`); ``unwaivable`` says why the
    maintainers cannot put up with what they find, and is empty where they can.
    """

    letter: str
    name: str
    about: str
    gate: str = "schema"
    unwaivable: str = ""


FAMILIES: dict[str, Family] = {
    family.letter: family
    for family in (
        Family(
            letter="T",
            name="tree",
            about="paths, modes and the layout of the repository",
            unwaivable="no rule about how a tree is made can",
        ),
        Family(
            letter="F",
            name="format",
            about="the strict YAML profile: one text, one meaning",
            unwaivable="what cannot be read as it should be is judged by no other rule",
        ),
        Family(
            letter="S",
            name="schema",
            about="the shape of a document, by its JSON Schema",
            unwaivable="what does not fulfil its schema is judged by no other rule",
        ),
        Family(letter="N", name="node", about="the meaning of one NodeSpec"),
        Family(
            letter="P",
            name="provenance",
            about="signatures, owners and delegations",
            gate="security",
            unwaivable=_SIGNED,
        ),
        Family(letter="C", name="change", about="what may change from one commit to the next"),
        Family(letter="G", name="graph", about="the registry as a whole: signals, lanes, names"),
        Family(letter="L", name="policy", about="governance policies", gate="governance"),
        Family(
            letter="W",
            name="waivers",
            about="expired and unused waivers",
            gate="governance",
            unwaivable="no rule about waivers can",
        ),
    )
}


@frozen
class Rule:
    """One rule. ``check`` is None where the loader or the schema finds the violation itself.

    ``gate`` and ``unwaivable`` are the family's, unless the rule has its own. What a rule that ``concerns_all`` finds
    is wrong with every file, whichever was asked about.
    """

    code: str
    slug: str
    severity: Severity
    why: str
    fix: str
    check: Callable[..., Any] | None = None
    gate: str = ""
    unwaivable: str = ""
    concerns_all: bool = False

    @property
    def family(self) -> str:
        """The letter of its family."""
        return self.code[0]

    @property
    def doc(self) -> str:
        """Where it is explained."""
        return f"docs/rules.md#{self.code.lower()}-{self.slug}"


RULES: dict[str, Rule] = {}
"""Every rule by code, in order of declaration."""


def declare(entry: Rule) -> Rule:
    """Enter a rule into the table, with what it has from its family; codes and slugs are unique."""
    if entry.code in RULES or any(entry.slug == other.slug for other in RULES.values()):
        raise AssertionError(f"rule {entry.code} {entry.slug} is declared twice")
    family = FAMILIES[entry.family]
    whole = replace(entry, gate=entry.gate or family.gate)
    unwaivable = entry.unwaivable or family.unwaivable or (_SIGNED if whole.gate == "security" else "")
    whole = replace(whole, unwaivable=unwaivable)
    RULES[whole.code] = whole
    return whole


def rule(
    code: str,
    slug: str,
    *,
    severity: Severity = "error",
    why: str,
    fix: str,
    gate: str = "",
    unwaivable: str = "",
    concerns_all: bool = False,
) -> Callable[[Check], Check]:
    """Declare the decorated function as the check of a rule."""

    def enter(check: Check) -> Check:
        declare(
            Rule(
                code=code,
                slug=slug,
                severity=severity,
                why=why,
                fix=fix,
                check=check,
                gate=gate,
                unwaivable=unwaivable,
                concerns_all=concerns_all,
            )
        )
        return check

    return enter


def is_waivable(code: str) -> bool:
    """Say whether a rule is one that maintainers may put up with.

    >>> import nodespec.rules
    >>> [is_waivable(code) for code in ("G001", "C013", "C008", "P013", "C999")]
    [True, True, False, False, False]
    """
    return code in RULES and not RULES[code].unwaivable


def families_of(letters: str) -> list[Rule]:
    """Return the rules with a check of their own in the families named by ``letters``."""
    return [entry for entry in RULES.values() if entry.family in letters and entry.check]


def rule_of(name: str) -> Rule:
    """Return the rule with this code or slug, whatever the case; raise ``UsageError`` when there is none."""
    wanted = name.strip()
    for entry in RULES.values():
        if wanted.upper() == entry.code or wanted.lower() == entry.slug:
            return entry
    raise UsageError(f"no rule is called {quoted(name)}", hint="nodespec rules lists them all")
