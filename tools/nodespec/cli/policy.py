"""nodespec policy check, nodespec policy test, nodespec policy list."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from nodespec.cli.common import (
    FORMATS,
    at_option,
    color_option,
    colored,
    echo,
    note,
    painter,
    printed,
    read_input,
    repo_option,
    tell_example,
)
from nodespec.cli.terminal import table
from nodespec.encoding import printable
from nodespec.errors import UsageError
from nodespec.judge import judge_policies
from nodespec.policy import examples
from nodespec.policy.policies import Policies
from nodespec.policy.source import Source
from nodespec.registry import Registry
from nodespec.report.text import to_text
from nodespec.text import MAX_BYTES
from nodespec.tree import POLICIES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nodespec.policy.examples import Trial
    from nodespec.policy.model import Match, Policy
    from nodespec.tree import Tree

_OUTCOMES = {True: ("ok", "ok"), False: ("FAIL", "error")}
"""How an example that held, or did not, is marked and painted."""


@click.group("policy")
def policy_command() -> None:
    """Check, test and list governance policies: rules in CEL that a registry has beside its schema.

    A policy is a file registry/policies/NAME.cel.yaml; what it may say stands in schemas/policy.v1.schema.json. With
    the extra "rego" installed, it may be NAME.rego.
    """


@policy_command.command("check")
@click.argument("files", nargs=-1, metavar="[FILE…]")
@repo_option
@at_option
@click.option("--format", "form", type=click.Choice(["text", *FORMATS]), default="text")
@color_option
def check_command(files: tuple[str, ...], repo: str, at: str | None, form: str, color: str) -> int:
    """Say whether policies can be used: their keys, their names, every expression.

    Without FILE, all policies of the registry. Exit codes: 0 clean, 1 findings, 2 usage, 3 could not judge, 4 nothing
    matched.
    """
    tree, sources = _chosen(files, repo, at)
    if not sources:
        return _nothing("there is no policy")
    report = judge_policies(sources, tree=tree)
    code = report.exit_code()
    if form == "text":
        echo(to_text(report, _lines_of(sources), painter(color)))
    else:
        echo(printed(report, form, code, command="policy check"))
    return code


@policy_command.command("test")
@click.argument("files", nargs=-1, metavar="[FILE…]")
@repo_option
@at_option
@color_option
def test_command(files: tuple[str, ...], repo: str, at: str | None, color: str) -> int:
    """Run the examples that policies carry, and compare what comes of each with what it expects.

    Without FILE, all policies of the registry. Exit codes: 0 all held, 1 one did not, 2 usage, 3 a policy could not be
    used or gave no answer, 4 there are no examples.
    """
    tree, sources = _chosen(files, repo, at)
    report = judge_policies(sources, tree=tree)
    if report.errors:
        echo(to_text(report, _lines_of(sources), painter(color)))
        note("nothing was tested: a policy cannot be used")
        return 3
    policies = Policies(sources)
    trials: list[Trial] = []
    for number, source in enumerate(sources):
        found = examples.run(policies, number)
        echo(_told(policies.policy(number), source.path, found, painter(color)))
        trials += found
    if not trials:
        return _nothing("there is no example")
    held = sum(trial.held for trial in trials)
    echo(f"{held} of {len(trials)} examples came out as expected\n")
    return 3 if any(trial.doubt for trial in trials) else 1 if held < len(trials) else 0


@policy_command.command("list")
@repo_option
@at_option
@color_option
def list_command(repo: str, at: str | None, color: str) -> int:
    """List the registry's policies: whom each governs, and how many rules and examples it has."""
    _, sources = _chosen((), repo, at)
    if not sources:
        return _nothing("there is no policy")
    rows = []
    for source, policy in Policies(sources).forms():
        if policy is None:
            rows.append((source.path, "cannot be used: run nodespec policy check", "", "", ""))
        else:
            numbers = (str(len(policy.rules)), str(len(policy.examples)))
            rows.append((policy.name, policy.scope, _about(policy.match), *numbers))
    echo(table(("policy", "scope", "about", "rules", "examples"), rows, color=colored(color)))
    return 0


def _chosen(files: Sequence[str], repo: str, at: str | None) -> tuple[Tree | None, tuple[Source, ...]]:
    """Return the registry, if there is one around, and the policies: these files, or all that the registry has."""
    if files and at is not None:
        raise UsageError("--at is for the registry's own policies", hint="leave out FILE, or --at")
    try:
        snapshot = Registry.open(repo, index=False).at(at)
    except UsageError:
        if not files or repo != ".":
            raise
        return None, tuple(map(_read, files))
    tell_example(snapshot)
    return snapshot.tree, tuple(map(_read, files)) if files else Policies.of(snapshot.tree).sources


def _read(path: str) -> Source:
    """Read a file; where it stands in a registry, it is called as there."""
    folder, name = os.path.split(os.path.realpath(path))
    home = POLICIES.rstrip("/")
    data = read_input(path, MAX_BYTES)
    return Source(f"{POLICIES}{name}" if f"{folder}/".endswith(f"/{home}/") else path, data)


def _nothing(what: str) -> int:
    note(f"{what}; policies are {POLICIES}NAME.cel.yaml, and what they may say is in schemas/policy.v1.schema.json")
    return 4


def _lines_of(sources: Sequence[Source]) -> Callable[[str], list[str]]:
    texts = {source.path: (source.data or b"").decode("utf-8", "replace").split("\n") for source in sources}
    return lambda path: texts.get(path, [])


def _told(policy: Policy, path: str, trials: Sequence[Trial], paint: Callable[[str, str], str]) -> str:
    lines = [f"{paint(policy.name, 'strong')} ({printable(path)})"]
    for trial in trials:
        mark, purpose = _OUTCOMES[trial.held]
        line = f"  {paint(f'{mark:<4}', purpose)} {printable(trial.example.name)}: "
        if trial.doubt:
            line += f"no answer: {printable(trial.doubt)}"
        elif trial.held:
            line += _named(policy, trial.found)
        else:
            line += f"expected {_named(policy, trial.example.expect)}; it is {_named(policy, trial.found)}"
        lines.append(line)
    broken = frozenset[str]().union(*(trial.found or () for trial in trials))
    idle = [rule.id for rule in policy.rules if rule.id not in broken]
    if idle:
        lines.append(f"  {paint('note', 'warning')} no example breaks {', '.join(idle)}")
    return "\n".join(lines) + "\n"


def _named(policy: Policy, found: frozenset[str] | None) -> str:
    """Return an outcome as examples write it, with the rules in the policy's order."""
    if found is None:
        return "unmatched"
    return ", ".join(rule.id for rule in policy.rules if rule.id in found) or "pass"


def _about(match: Match) -> str:
    """Say in words which nodes a policy is about."""
    parts = []
    if match.lanes is not None:
        parts.append(f"lanes {', '.join(match.lanes)}")
    if match.node_types is not None:
        parts.append(f"types {', '.join(match.node_types)}")
    if match.signals is not None:
        parts.append(f"signals {', '.join(sorted(match.signals))}")
    if (match.min_tier, match.max_tier) != (0, 7):
        parts.append(f"tiers {match.min_tier} to {match.max_tier}")
    return "; ".join(parts) or "all nodes"
