"""Pull requests in any order, good and bad, by several owners: what the gate lets in keeps main sound.

A proposal is a few acts on top of main as it is, or as it was a few merges ago. Most acts are honest; some are what a
thief would try. Of each proposal three verdicts must agree: the gate's, which reads what differs; that of judging
everything, against the same base; and Git's own, of what merging gives.
"""

from __future__ import annotations

import random
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodespec.gate import gate
from nodespec.git import GitRepository
from nodespec.judge import judge
from nodespec.proposal import propose
from nodespec.tree import SUBMODULE, is_listed
from tests.conduct import FALSE, HONEST, SEALED, carry_out
from tests.lab import Lab, Odd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nodespec.commit import Commit
    from nodespec.finding import Finding
    from nodespec.proposal import Proposal
    from tests.conduct import Act
    from tests.lab import Changes, People
    from tests.simulator import Repository

# What becomes of it.


@dataclass
class Main:
    """The branch: each state of it as (commit, people), the newest last."""

    lab: Lab
    git: GitRepository
    line: list[tuple[str, People]]

    def propose(self, rng: random.Random, acts: Iterable[Act], behind: int) -> tuple[Proposal, People, People]:
        """Let somebody act on what main was some merges ago, and propose it to what main is."""
        commit, origin = self.line[max(0, len(self.line) - 1 - behind)]
        people = origin.fork()
        changes = carry_out(acts, rng, people, self.lab)
        if rng.random() < 0.1 and changes:
            path = rng.choice(sorted(changes))
            changes[path] = rng.choice([Odd.executable(b"{}\n"), Odd.link("x"), Odd.module(commit)])
        head = self.lab.commit(changes, commit)
        base = self.line[-1][0]
        return propose(self.git, self.git.resolve(base), self.git.resolve(head)), people, origin

    def take(self, proposal: Proposal, people: People, origin: People) -> None:
        """Merge what was accepted."""
        changes: Changes = dict.fromkeys(proposal.paths)
        for path in proposal.paths:
            entry = proposal.tree.entry(path)
            if entry is not None:
                is_module = entry.mode == SUBMODULE
                changes[path] = Odd(entry.mode, entry.blob.encode() if is_module else proposal.tree.read(entry))
        base = proposal.base.id
        commit = self.lab.commit(changes, base, proposal.head.id)
        now = self.line[-1][1].fork()
        for path in proposal.paths:
            now.files.pop(path, None)
            if path in people.files and changes[path] is not None:
                now.files[path] = people.files[path]
        now.nodes |= {name: node for name, node in people.nodes.items() if origin.nodes.get(name) is not node}
        for handle, who in people.owners.items():
            if handle not in origin.owners or len(who.records) != len(origin.owners[handle].records):
                now.owners[handle] = replace(who, records=[*who.records], wallets=[*who.wallets])
        now.ada, now.bob, now.vera, now.newt = (
            now.owners[who.handle] for who in (now.ada, now.bob, now.vera, now.newt)
        )
        if len(people.roots) > len(origin.roots):
            now.roots, now.keyrings = [*people.roots], [*people.keyrings]
        now.nonces = max(now.nonces, people.nonces)
        self.line.append((commit, now))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab.found(tmp_path_factory.mktemp("order") / "registry")


STEP = st.tuples(
    st.integers(0, 2**32), st.sampled_from(["honest", "honest", "honest", "sealed", "false"]), st.integers(0, 2)
)


@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=3, max_size=9))
def test_what_the_gate_lets_in_is_sound_and_what_it_keeps_out_is_not(
    lab: Lab, steps: list[tuple[int, str, int]]
) -> None:
    main = Main(lab, GitRepository.open(str(lab.repository.path)), [(lab.base, lab.people)])
    now = datetime.now(UTC)
    for seed, kind, behind in steps:
        rng = random.Random(seed)
        acts = rng.sample(HONEST, rng.choice([1, 1, 2]))
        acts += {"honest": [], "sealed": [rng.choice(SEALED)], "false": rng.sample(FALSE, rng.choice([1, 2]))}[kind]
        proposal, people, origin = main.propose(rng, acts, behind)
        judgement = gate(proposal, now=now)
        if "C019" in {item.code for item in judgement.report.findings}:
            assert both_changed(lab, main.git, proposal)
            continue
        if judgement.is_unjudged and not judgement.untouched:
            assert {item.code for item in judgement.report.findings} == {"C012"}, "a contract that nobody sealed"
            continue
        whole = judge(proposal.tree, base=proposal.before, now=now)
        seen, expected = (essence(found) for found in (judgement.report.findings, whole.findings))
        if any(code == "N001" for code, _ in expected):  # whom a misplaced node counts for is told by neither for sure
            assert seen
            continue
        assert within(seen) == within(expected)
        assert seen >= expected, "what is wrong beside the registry, only the gate sees whole"
        if judgement.exit_code() != 0:
            assert seen or whole.exit_code() not in (0, 4)
            continue
        assert not seen
        agrees_with_git(lab.repository, proposal, main)
        main.take(proposal, people, origin)
        sound(main.git, main.line[-1][0], now)
    replayed(main.git, [commit for commit, _ in main.line], now)


def essence(findings: Iterable[Finding]) -> set[tuple[str, str]]:
    """What is compared: the errors. Which node is one too many (G005), or disagrees (G004), is a matter of order."""
    errors = (item for item in findings if item.severity == "error")
    return {(item.code, "" if item.code in ("G004", "G005") else item.path) for item in errors}


def within(errors: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those at paths of the registry and its contracts."""
    return {(code, path) for code, path in errors if not path or is_listed(path)}


def both_changed(lab: Lab, git: GitRepository, proposal: Proposal) -> bool:
    """Say whether there is a path, or a folder above one, that both sides changed since they parted.

    A folder that one side emptied, and the other put something into, is one.
    """
    fork = git.fork(proposal.base, proposal.head)
    assert fork is not None
    ours, theirs = (changed(lab, fork, side) for side in (proposal.base, proposal.head))
    near = (
        {above for path in ours for above in ways(path)} & theirs,
        {above for path in theirs for above in ways(path)} & ours,
    )
    emptied = [
        path.rpartition("/")[0]
        for path in ours ^ theirs
        for side in (proposal.base, proposal.head)
        if git.tree(fork).children(path.rpartition("/")[0]) and not git.tree(side).children(path.rpartition("/")[0])
    ]
    return bool(near[0] or near[1] or emptied)


def ways(path: str) -> set[str]:
    parts = path.split("/")
    return {"/".join(parts[:length]) for length in range(1, len(parts) + 1)}


def changed(lab: Lab, one: Commit, other: Commit) -> set[str]:
    listed = lab.repository.git("diff", "--name-only", "--no-renames", "-z", one.id, other.id)
    return {path for path in listed.split("\0") if path}


def agrees_with_git(repository: Repository, proposal: Proposal, main: Main) -> None:
    """Where Git merges without a conflict, what it makes is the tree that was judged."""
    words = ["git", "merge-tree", "--write-tree", proposal.base.id, proposal.head.id]
    done = subprocess.run(words, cwd=repository.path, capture_output=True, text=True)
    if done.returncode != 0:
        return
    merged = main.git.staged(done.stdout.split()[0])
    listed = {entry.path: (entry.mode, entry.blob) for entry in proposal.tree.entries}
    assert {entry.path: (entry.mode, entry.blob) for entry in merged.entries} == listed


def sound(git: GitRepository, commit: str, now: datetime) -> None:
    """Main passes its own judgement, and everybody stands behind what is theirs."""
    report = judge(git.tree(git.resolve(commit)), now=now)
    assert essence(report.findings) == set()
    assert report.exit_code() == 0
    assert report.families["P"] == "run"


def replayed(git: GitRepository, line: list[str], now: datetime) -> None:
    """Whoever replays the gate over main accepts each step again."""
    for before, after in pairwise(line):
        assert gate(propose(git, git.resolve(before), git.resolve(after)), now=now).exit_code() == 0
