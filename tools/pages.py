"""``make docs``: write what the code says of itself into the documents; ``--check`` only compares.

docs/rules.md comes from the rules' declarations, the table of modules in ARCHITECTURE.md from the docstring of the
package.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

import nodespec
from nodespec.rules import FAMILIES, RULES

ROOT = Path(__file__).parents[1]

HEAD = """# Rules

Every rule has a code, a slug and a severity; `nodespec explain CODE` prints the same text. Codes never change
their meaning. This page is written by `make docs` from the rules themselves.

A file is judged from the outside in: family N sees only specs that fulfil the schema (S), and G only those that
fulfil it, because the meaning of a misshapen document is not defined. The gate is the line of a pull request's
scorecard where a finding counts; what is never waived, `registry/waivers.yaml` cannot name.
"""

WIDTH = 120
"""Columns of a line of prose, as in the other documents."""

TABLE = re.compile(r"(?<=<!-- modules: written by make docs -->\n).*?(?=<!-- end of modules -->)", re.DOTALL)


def rules_page() -> str:
    """Return all of docs/rules.md."""
    parts = [HEAD]
    for family in FAMILIES.values():
        parts.append(f"## {family.letter} {family.name}: {family.about}\n")
        for rule in (rule for rule in RULES.values() if rule.family == family.letter):
            parts.append(f"### {rule.code} {rule.slug}\n")
            kind = f"*{rule.severity}, gate {rule.gate}{', never waived' * bool(rule.unwaivable)}*"
            parts.append(f"{kind}\n\n{_filled(f'**Why.** {rule.why}')}\n\n{_filled(f'**Fix.** {rule.fix}')}\n")
    return "\n".join(parts)


def _filled(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def module_table() -> str:
    """Return the table of modules in reading order, under the headings of the package's docstring."""
    lines = ["| module | what it is |", "|---|---|"]
    listed = (nodespec.__doc__ or "").split("\n\n", 2)[2]
    for line in filter(None, listed.splitlines()):
        name, _, what = line.strip().partition("  ")
        folder = "/" * (ROOT / "tools/nodespec" / name).is_dir()
        lines.append(f"| `{name}{folder}` | {what.strip().replace('``', '`')} |" if what else f"| **{name}** | |")
    return "\n".join(lines) + "\n"


def pages() -> dict[Path, str]:
    """Return each document that is written, as it should be."""
    architecture = ROOT / "ARCHITECTURE.md"
    table = module_table()
    return {
        ROOT / "docs/rules.md": rules_page(),
        architecture: TABLE.sub(lambda _: table, architecture.read_text(encoding="utf-8"), count=1),
    }


def main() -> int:
    """Write the documents, or with ``--check`` return 1 when one is not up to date."""
    stale = [path for path, text in pages().items() if path.read_text(encoding="utf-8") != text]
    if "--check" not in sys.argv[1:]:
        for path in stale:
            path.write_text(pages()[path], encoding="utf-8")
        return 0
    for path in stale:
        print(f"{path.relative_to(ROOT)} is not up to date; run: make docs", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
