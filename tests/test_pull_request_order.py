"""Pull requests in any order, good and bad, by several owners: what the gate lets in keeps main sound.

A proposal is a few acts on top of main as it is, or as it was a few merges ago. Most acts are honest; some are what a
thief would try. Of each proposal three verdicts must agree: the gate's, which reads what differs; that of judging
everything, against the same base; and Git's own, of what merging gives.
"""

from __future__ import annotations

import random
import subprocess
from contextlib import suppress
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
from nodespec.tree import ATTESTATION_SUFFIX, NODES, SEAL_PATH, SETTINGS_PATH, SUBMODULE, is_listed, node_path
from tests.lab import POLICY_PATH, WORKFLOW, Lab, Odd
from tests.society import new_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nodespec.commit import Commit
    from nodespec.finding import Finding
    from nodespec.proposal import Proposal
    from tests.lab import Changes, People
    from tests.simulator import Repository
    from tests.society import Owner

    Act = Callable[[random.Random, People, Lab], None]

SIGNALS = ("memory_stored", "dream_woven", "rain_fell", "clock_ticked")


# What people do.


def somebody(rng: random.Random, people: People) -> Owner:
    return rng.choice([people.ada, people.bob, people.vera, people.newt])


def a_node(rng: random.Random, people: People) -> str | None:
    there = sorted(name for name in people.nodes if node_path(name) in people.files)
    return rng.choice(there) if there else None


def some(rng: random.Random) -> tuple[str, ...]:
    return tuple(rng.sample(SIGNALS, rng.choice([0, 0, 1, 1, 2])))


def registers(rng: random.Random, people: People, _lab: Lab) -> None:
    who = somebody(rng, people)
    kind = {people.ada.handle: "memory", people.bob.handle: "dream", people.vera.handle: "audit"}.get(
        who.handle, "open"
    )
    name = f"lab.{kind}/n{rng.randrange(6)}_v1"
    if node_path(name) not in people.files:
        people.register(name, by=who, emits=some(rng), hears=some(rng)[:1])


def updates(rng: random.Random, people: People, _lab: Lab) -> None:
    if name := a_node(rng, people):
        traits = rng.choice([{}, {"emits": some(rng)}, {"hears": some(rng)}, {"lane": "core"}, {"remark": "more"}])
        version = people.nodes[name].version
        major = int(version.partition(".")[0]) + 1
        people.update(name, version=rng.choice([f"{major}.0.0", version.rpartition(".")[0] + ".9"]), **traits)


def hands_over(rng: random.Random, people: People, _lab: Lab) -> None:
    if name := a_node(rng, people):
        people.transfer(name, to=somebody(rng, people))


def deregisters(rng: random.Random, people: People, _lab: Lab) -> None:
    if name := a_node(rng, people):
        people.deregister(name)


def rotates(rng: random.Random, people: People, _lab: Lab) -> None:
    people.rotate(somebody(rng, people))


def arrives(rng: random.Random, people: People, _lab: Lab) -> None:
    name = f"Guest {rng.randrange(4)}"
    guest = people.join(name)
    if rng.random() < 0.7:
        people.register(f"lab.guest/g{rng.randrange(9)}_v1", by=guest, tier=rng.choice([0, 1, 2]))


def seals_other_settings(rng: random.Random, people: People, _lab: Lab) -> None:
    old = people.files[SETTINGS_PATH]
    people.files[SETTINGS_PATH] = rng.choice(
        [
            old + b"# a remark\n",
            old.replace(b"nodes_per_owner: 5", b"nodes_per_owner: %d" % rng.randrange(1, 9)),
            old.replace(b"max_tier: 1", b"max_tier: %d" % rng.randrange(3)),
            old.replace(b"registry_id", b"external_signals: [rain_fell]\nregistry_id")
            if b"external" not in old
            else old,
        ]
    )
    people.seal()


def seals_a_workflow(rng: random.Random, people: People, _lab: Lab) -> None:
    people.files[WORKFLOW] = b"on: push # %d\n" % rng.randrange(9)
    people.seal()


def writes_docs(rng: random.Random, people: People, _lab: Lab) -> None:
    people.files[f"docs/{rng.randrange(3)}.md"] = b"%d\n" % rng.randrange(100)


HONEST = [registers, registers, updates, updates, updates, hands_over, deregisters, rotates, arrives, writes_docs]
SEALED = [seals_other_settings, seals_a_workflow]


# What thieves do.


def any_file(rng: random.Random, people: People) -> str:
    return rng.choice(sorted(people.files))


def removes_a_file(rng: random.Random, people: People, _lab: Lab) -> None:
    del people.files[any_file(rng, people)]


def copies_a_file(rng: random.Random, people: People, _lab: Lab) -> None:
    suffix = rng.choice([".yaml", ATTESTATION_SUFFIX])
    files = [path for path in sorted(people.files) if path.endswith(suffix)]
    people.files[rng.choice(files)] = people.files[rng.choice(files)]


def brings_back_what_was(rng: random.Random, people: People, lab: Lab) -> None:
    past = rng.choice(lab.past)
    for path in rng.sample(sorted(past), 3):
        people.files[path] = past[path]


def brings_back_all_that_was(rng: random.Random, people: People, lab: Lab) -> None:
    folder = rng.choice([NODES, "registry/owners/", "registry/tombstones/", ".github/", "registry/"])
    past = rng.choice(lab.past)
    for path in [path for path in people.files if path.startswith(folder)]:
        del people.files[path]
    people.files |= {path: data for path, data in past.items() if path.startswith(folder)}


def edits_a_text(rng: random.Random, people: People, _lab: Lab) -> None:
    path = any_file(rng, people)
    words = [b"lane: candidate", b"tier: 1", b"emits: [", b"max_nodes: 2", b"1.", b"A", b"]"]
    old = rng.choice([word for word in words if word in people.files[path]] or [b""])
    people.files[path] = people.files[path].replace(old, rng.choice([b"lane: core", b"tier: 3", b"", b"x"]), 1)


def signs_for_others(rng: random.Random, people: People, _lab: Lab) -> None:
    if name := a_node(rng, people):
        people.sign(people.update(name), somebody(rng, people).key)


def claims_what_is_not_theirs(rng: random.Random, people: People, _lab: Lab) -> None:
    if name := a_node(rng, people):
        people.update(name, owner=somebody(rng, people).handle)


def writes_an_odd_file(rng: random.Random, people: People, _lab: Lab) -> None:
    path = rng.choice(
        [
            "registry/nodes/lab/memory/CACHE_v1.yaml",
            "registry/nodes/lab/memory/cache_v1.yaml/x.yaml",
            "registry/nodes",
            "registry/notes.txt",
            "registry/owners/abc/0000.dsse.json",
            "Registry/registry.yaml",
            ".github",
            ".GitHub/workflows/gate.yml",
            "schemas/Other.json",
            "registry/nodes/lab/open/orphan_v1.dsse.json",
            "registry/trust/0009.dsse.json",
            "registry/waivers.yaml",
            ".gitattributes",
        ]
    )
    for below in [name for name in people.files if name.startswith(f"{path}/") or path.startswith(f"{name}/")]:
        del people.files[below]
    people.files[path] = rng.choice([b"{}\n", b"x: y\n", people.files.get(SETTINGS_PATH, b"")])


def rewrites_the_root(rng: random.Random, people: People, _lab: Lab) -> None:
    people.keyrings[-1] = {**people.keyring, "root": new_keys(3)}
    people.renew(root_keys=new_keys(1))


def takes_the_seal_off(rng: random.Random, people: People, _lab: Lab) -> None:
    people.files.pop(SEAL_PATH, None)
    people.files[rng.choice([WORKFLOW, POLICY_PATH])] = b"policy: none\n"


FALSE = [
    removes_a_file,
    copies_a_file,
    brings_back_what_was,
    brings_back_all_that_was,
    edits_a_text,
    edits_a_text,
    signs_for_others,
    claims_what_is_not_theirs,
    writes_an_odd_file,
    writes_an_odd_file,
    rewrites_the_root,
    takes_the_seal_off,
]


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
        for act in acts:
            # A thief may have taken away what this act begins with.
            with suppress(KeyError, IndexError, ValueError, AssertionError):
                act(rng, people, self.lab)
        old = origin.files
        changes: Changes = dict.fromkeys(old.keys() - people.files.keys())
        changes |= {path: data for path, data in people.files.items() if old.get(path) != data}
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
    """Say whether there is a path, or a folder above one, that both sides changed since they parted."""
    fork = git.fork(proposal.base, proposal.head)
    assert fork is not None
    ours, theirs = (changed(lab, fork, side) for side in (proposal.base, proposal.head))
    near = (
        {above for path in ours for above in ways(path)} & theirs,
        {above for path in theirs for above in ways(path)} & ours,
    )
    return bool(near[0] or near[1])


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
