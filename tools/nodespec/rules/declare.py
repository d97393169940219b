"""How a rule is declared, and the table of all rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodespec.encoding import quoted
from nodespec.errors import UsageError
from nodespec.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodespec.finding import Severity


@frozen
class Family:
    """A letter, a name, and what the rules of the family judge."""

    letter: str
    name: str
    about: str


FAMILIES: dict[str, Family] = {
    family.letter: family
    for family in (
        Family(letter="T", name="tree", about="paths, modes and the layout of the repository"),
        Family(letter="F", name="format", about="the strict YAML profile: one text, one meaning"),
        Family(letter="S", name="schema", about="the shape of a document, by its JSON Schema"),
        Family(letter="N", name="node", about="the meaning of one NodeSpec"),
        Family(letter="P", name="provenance", about="signatures, owners and delegations"),
        Family(letter="C", name="change", about="what may change from one commit to the next"),
        Family(letter="G", name="graph", about="the registry as a whole: signals, lanes, names"),
        Family(letter="L", name="policy", about="governance policies"),
        Family(letter="W", name="waivers", about="expired and unused waivers"),
    )
}


@frozen
class Rule:
    """One rule. ``check`` is None where the loader or the schema finds the violation itself."""

    code: str
    slug: str
    severity: Severity
    why: str
    fix: str
    check: Callable[..., Any] | None = None

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


def declare(rule: Rule) -> Rule:
    """Enter a rule into the table; codes and slugs are unique."""
    if rule.code in RULES or any(rule.slug == other.slug for other in RULES.values()):
        raise AssertionError(f"rule {rule.code} {rule.slug} is declared twice")
    RULES[rule.code] = rule
    return rule


def rule(
    code: str, slug: str, *, severity: Severity = "error", why: str, fix: str
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare the decorated function as the check of a rule."""

    def enter(check: Callable[..., Any]) -> Callable[..., Any]:
        declare(Rule(code=code, slug=slug, severity=severity, why=why, fix=fix, check=check))
        return check

    return enter


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
