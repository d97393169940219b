"""nodespec rules, nodespec explain."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

import click

from nodespec import rules
from nodespec.cli.common import color_option, echo, painter

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_WIDTH = 88
_SLUG = max(len(rule.slug) for rule in rules.RULES.values())


def _complete_code(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    known = rules.RULES.values()
    return [CompletionItem(rule.code, help=rule.slug) for rule in known if rule.code.startswith(incomplete.upper())]


@click.command("explain")
@click.argument("name", metavar="CODE", shell_complete=_complete_code)
@color_option
def explain_command(name: str, color: str) -> None:
    """Explain one rule, by code or slug: why it exists, and how to fix what it finds."""
    rule = rules.rule_of(name)
    paint = painter(color)
    family = rules.FAMILIES[rule.family]
    echo(f"{paint(f'{rule.code} {rule.slug}', 'strong')} ({rule.severity}, family {family.letter}: {family.about})\n\n")
    texts = [("Why", rule.why), ("Fix", rule.fix), ("Gate", f"{rule.gate}, in the scorecard of a pull request.")]
    if rule.unwaivable:
        texts.append(("Never waived", f"{rule.unwaivable}."))
    for title, text in texts:
        echo(textwrap.fill(f"{title}: {text}", _WIDTH, subsequent_indent="     ", break_on_hyphens=False) + "\n")


@click.command("rules")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@color_option
def rules_command(form: str, color: str) -> None:
    """List every rule, by family."""
    if form == "json":
        fields = ("code", "slug", "severity", "gate", "unwaivable", "why", "fix", "doc")
        echo(
            json.dumps([{name: getattr(rule, name) for name in fields} for rule in rules.RULES.values()], indent=2)
            + "\n"
        )
        return
    paint = painter(color)
    for family in rules.FAMILIES.values():
        echo(f"{paint(f'{family.letter} {family.name}', 'strong')}: {family.about}\n")
        for rule in rules.RULES.values():
            if rule.family == family.letter:
                echo(f"  {rule.code}  {rule.slug:{_SLUG}}  {paint(rule.severity, rule.severity)}\n")
