"""``make docs``: write docs/rules.md from the rules' own declarations; ``--check`` only compares."""

from __future__ import annotations

import sys
from pathlib import Path

from nodespec.rules import FAMILIES, RULES

PAGE = Path(__file__).parents[1] / "docs" / "rules.md"

HEAD = """# Rules

Every rule has a code, a slug and a severity; `nodespec explain CODE` prints the same text. Codes never change
their meaning. This page is written by `make docs` from the rules themselves.

A file is judged from the outside in: family N sees only specs that fulfil the schema (S), and G only those that
fulfil it, because the meaning of a misshapen document is not defined.
"""


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for family in FAMILIES.values():
        rules = [rule for rule in RULES.values() if rule.family == family.letter]
        parts.append(f"## {family.letter} {family.name}: {family.about}\n")
        for rule in rules:
            parts.append(f"### {rule.code} {rule.slug}\n")
            parts.append(f"*{rule.severity}*\n\n**Why.** {rule.why}\n\n**Fix.** {rule.fix}\n")
    return "\n".join(parts)


def main() -> int:
    """Write the page, or with ``--check`` return 1 when it is not up to date."""
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == page():
        return 0
    print("docs/rules.md is not up to date; run: make docs", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
