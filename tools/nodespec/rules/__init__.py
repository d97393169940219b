"""The rules: each declared in one place, with its code, slug, severity, *Why* and *Fix*.

Everything that lists rules is derived from these declarations: ``nodespec rules`` and ``explain``,
``docs/rules.md``, the metadata in SARIF. A code is a family's letter and a number without gaps, and is
never given to another rule.
"""

from nodespec.rule import FAMILIES, RULES, Family, Rule, families_of, rule_of
from nodespec.rules import change, evolution, format, graph, node, policy, provenance, schema, tree, waiver

__all__ = [
    "FAMILIES",
    "RULES",
    "Family",
    "Rule",
    "change",
    "evolution",
    "families_of",
    "format",
    "graph",
    "node",
    "policy",
    "provenance",
    "rule_of",
    "schema",
    "tree",
    "waiver",
]
