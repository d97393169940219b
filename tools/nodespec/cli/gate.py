"""nodespec gate."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from nodespec import claims, evidence
from nodespec.cli.believed import Rosters, check_pin
from nodespec.cli.common import (
    FORMATS,
    color_option,
    echo,
    index_options,
    lines_of,
    note,
    open_registry,
    painter,
    printed,
    read_input,
    repo_option,
    tell_example,
    telling,
    write_output,
)
from nodespec.cli.terminal import Progress
from nodespec.drift import drift
from nodespec.encoding import printable, quoted
from nodespec.errors import UsageError
from nodespec.gate import gate
from nodespec.git import GitRepository
from nodespec.proposal import propose
from nodespec.provenance import Provenance
from nodespec.registry import Snapshot
from nodespec.report.gate_text import closing, to_trial_text
from nodespec.report.page import to_markdown
from nodespec.scorecard import FAILED, scorecard
from nodespec.workers import check_jobs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nodespec.evidence import Evidence
    from nodespec.gate import Judgement
    from nodespec.scorecard import Gate


_FORMS = ("text", *FORMATS, "markdown")


@click.command("gate")
@click.option("--base", required=True, metavar="REV", help="The commit that is believed: the branch as it is.")
@click.option("--head", required=True, metavar="REV", help="The commit that is on trial: the pull request.")
@repo_option
@click.option("--format", "form", type=click.Choice(_FORMS), default="text", show_default=True)
@click.option("--summary", metavar="FILE", help="Write a page of Markdown to this file, too.")
@click.option("--write", "extra", multiple=True, metavar="FORMAT=FILE", help="Write another form to a file, too.")
@click.option("--unit", metavar="FILE", help="A JUnit report of the unit tests, for gate 2.")
@click.option("--integration", metavar="FILE", help="A JUnit report of the integration tests, for gate 3.")
@click.option(
    "--roster", metavar="FILE", help="A signed roster.  [default: your own, or the one that the registry publishes]"
)
@click.option("--strict", is_flag=True, help="Let warnings fail, too.")
@click.option("--as-of", metavar="MOMENT", help="Judge as at this moment, such as 2026-03-14T09:26:53Z, for a replay.")
@index_options
@click.option("--jobs", "-j", type=int, default=None, metavar="N", help="Processes; 0 is one for each core.")
@color_option
def gate_command(
    base: str,
    head: str,
    repo: str,
    form: str,
    summary: str | None,
    extra: tuple[str, ...],
    unit: str | None,
    integration: str | None,
    roster: str | None,
    strict: bool,
    as_of: str | None,
    jobs: int | None,
    color: str,
) -> int:
    """Judge a pull request: what merging HEAD into BASE would change.

    Both commits are read by object id; no work tree is looked at, and nothing that the pull request brings is run. Base
    is believed, head is on trial: trust, settings, policies, contracts and waivers are base's, and where head changes
    them, both must be content.

    \b
    Exit codes: 0 clean, or nothing of the registry changes, 1 findings, 2 usage,
                3 could not judge (a gate that did not run is never green).
    """
    start = time.monotonic()
    wanted = [_wanted(item) for item in extra] + ([("markdown", summary)] if summary is not None else [])
    with telling(form, wanted):
        workers = None if jobs is None else check_jobs(jobs)
        tests = {"unit": _evidence(unit), "integration": _evidence(integration)}
        judgement, pinned = _judged(repo, base, head, _moment(as_of), roster, workers)
    gates = scorecard(judgement, drift(judgement.pairs), tests, pinned=pinned)
    code = _exit_code(judgement, tests.values(), strict=strict)
    command = f"nodespec gate --base {base} --head {head}"
    for kind, path in wanted:
        write_output(path, _printed(judgement, gates, kind, code, "never", command).encode())
    echo(_printed(judgement, gates, form, code, color, command))
    for item in gates:
        if item.status == FAILED and item.name in tests:
            if form == "github":
                echo(f"::error title=gate {item.number} {item.name}::{item.words}\n")
            note(f"error: gate {item.number} {item.name} failed: {item.words}")
    if code == 3:
        note(f"hint: {_what_did_not_run(judgement)}, and what was not checked has not passed")
    if form == "text":
        note(f"judged in {time.monotonic() - start:.2f} s{f', as of {as_of}' if as_of else ''}")
    return code


def _judged(
    repo: str, base: str, head: str, now: datetime, chosen: str | None, jobs: int | None
) -> tuple[Judgement, bool]:
    """Judge a pull request; say besides whether the user has pinned the base's trust root."""
    if chosen is not None and not os.path.isfile(chosen):
        raise UsageError(f"{quoted(chosen)} is no file", hint="make one with: nodespec checkpoint roster -o FILE")
    git = GitRepository.open(repo)
    proposal = propose(git, git.resolve(base), git.resolve(head))
    before = Snapshot(proposal.before)
    tell_example(before)
    believed = Provenance(proposal.before, before.settings, now)
    pinned = check_pin(believed)
    with Progress("judging") as progress:
        rosters = Rosters(git, open_registry(repo).index_path, believed, note, chosen)
        return gate(proposal, now=now, roster=rosters, jobs=jobs, progress=progress), pinned is not None


def _moment(text: str | None) -> datetime:
    try:
        return datetime.now(UTC) if text is None else claims.parse_moment(text, "--as-of")
    except ValueError as error:
        raise UsageError(str(error)) from None


def _wanted(item: str) -> tuple[str, str]:
    """Read FORMAT=FILE; raise ``UsageError`` for anything else."""
    form, _, path = item.partition("=")
    if form not in _FORMS or not path:
        raise UsageError(f"{quoted(item)} is not FORMAT=FILE", hint=f"formats are {', '.join(_FORMS)}")
    return form, path


def _exit_code(judgement: Judgement, tests: Iterable[Evidence | None], *, strict: bool) -> int:
    """A report of tests that failed fails the gate, like a finding."""
    failed = any(run is not None and run.failed for run in tests)
    return 1 if failed else judgement.exit_code(strict=strict)


def _printed(judgement: Judgement, gates: Sequence[Gate], form: str, code: int, color: str, command: str) -> str:
    if form == "text":
        tree = judgement.proposal.tree
        return to_trial_text(judgement, gates, lambda path: lines_of(tree, path), painter(color))
    if form == "markdown":
        return to_markdown(judgement, gates)
    if form == "github" and judgement.untouched:
        return closing(judgement) + "\n"
    return printed(judgement.report, form, code, command=command, trial=(judgement, gates))


def _what_did_not_run(judgement: Judgement) -> str:
    blocked = judgement.report.blocked
    return f"{', '.join(blocked)} could not check every file" if blocked else "no family could run"


def _evidence(path: str | None) -> Evidence | None:
    if path is None:
        return None
    return evidence.parse(read_input(path, evidence.MAX_BYTES), printable(path))
