"""nodespec gate."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from nodespec import report as reports
from nodespec.cli.believed import check_pin
from nodespec.cli.common import color_option, echo, painter, repo_option, tell_example
from nodespec.cli.terminal import Progress
from nodespec.crew import check_jobs
from nodespec.gate import gate
from nodespec.git import GitRepository
from nodespec.proposal import propose
from nodespec.provenance import Provenance
from nodespec.registry import Snapshot


@click.command("gate")
@click.option("--base", required=True, metavar="REV", help="The commit that is believed: the branch as it is.")
@click.option("--head", required=True, metavar="REV", help="The commit that is on trial: the pull request.")
@repo_option
@click.option("--strict", is_flag=True, help="Let warnings fail, too.")
@click.option("--jobs", "-j", type=int, default=None, metavar="N", help="Processes; 0 is one for each core.")
@color_option
def gate_command(base: str, head: str, repo: str, strict: bool, jobs: int | None, color: str) -> int:
    git = GitRepository.open(repo)
    proposal = propose(git, git.resolve(base), git.resolve(head))
    snapshot = Snapshot(lambda: proposal.before)
    tell_example(snapshot)
    now = datetime.now(UTC)
    check_pin(Provenance(proposal.before, snapshot.settings, now))
    with Progress("judging") as progress:
        judgement = gate(proposal, now=now, jobs=None if jobs is None else check_jobs(jobs), progress=progress)
    echo(reports.to_text(judgement.report, lambda path: [], painter(color)))
    print(judgement.nodes, judgement.affected, judgement.untouched, judgement.everywhere)
    return judgement.exit_code(strict=strict)
