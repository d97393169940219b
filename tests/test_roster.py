"""The roster: what it knows is what the files say, and only the user's own tool is believed to have written it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from nodespec import impact
from nodespec.gate import gate
from nodespec.git import GitRepository
from nodespec.mentions import mentioning
from nodespec.proposal import propose
from nodespec.registry import Registry
from nodespec.roster import Roster
from nodespec.rules.graph import NodeFacts
from nodespec.verdict import ALL
from nodespec.verdict_cache import judge_anew, keep_roster, known_roster
from tests.lab import CACHE, INDEX, WEAVER, Lab

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nodespec.gate import Judgement
    from nodespec.tree import Entry, Tree

KEY = b"k" * 32
STONE = "registry/tombstones/lab/gone.yaml"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab.found(tmp_path_factory.mktemp("roster") / "registry")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {"NODESPEC_HOME": str(tmp_path_factory.mktemp("home"))}


def remember(lab: Lab, revision: str, home: dict[str, str]) -> str:
    """Validate a commit as the command does; return where the index of the repository is."""
    registry = Registry.open(lab.repository.path)
    snapshot = registry.at(revision)
    judge_anew(registry, snapshot, selection=ALL, now=datetime.now(UTC), environment=home)
    assert registry.index_path is not None
    return registry.index_path


def judged(lab: Lab, head: str, base: str, index: str | None, home: dict[str, str]) -> Judgement:
    git = GitRepository.open(str(lab.repository.path))
    proposal = propose(git, git.resolve(base), git.resolve(head))
    return gate(proposal, now=datetime.now(UTC), roster=partial(known_roster, index, home))


def proposals(lab: Lab) -> list[str]:
    """Changes that others feel: a signal that is gone, one that is new, another lane, a node that comes."""
    found = []
    for identifier, traits in (
        (CACHE, {"emits": ("memory_kept",), "version": "9.0.0"}),
        (INDEX, {"hears": ("nobody_sends_this",), "version": "9.0.0"}),
        (WEAVER, {"lane": "lukhas", "version": "9.0.0"}),
    ):
        people = lab.fork()
        people.update(identifier, **traits)
        found.append(lab.act(people))
    people = lab.fork()
    people.register("lab.memory/cach_v1", by=people.ada, hears=("nobody_sends_this",))
    return [*found, lab.act(people)]


def answer(judgement: Judgement) -> object:
    found = [(item.code, item.path, item.message) for item in judgement.report.findings]
    return found, judgement.affected, judgement.exit_code()


def test_with_a_roster_the_gate_says_what_it_says_without(lab: Lab, home: dict[str, str]) -> None:
    index = remember(lab, lab.base, home)
    assert known_roster(index, home) is not None
    for head in proposals(lab):
        assert answer(judged(lab, head, lab.base, index, home)) == answer(judged(lab, head, lab.base, None, home))


def test_with_a_roster_only_what_differs_is_read(
    lab: Lab, home: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = remember(lab, lab.base, home)
    read: list[int] = []

    def counted(tree: Tree, entries: Sequence[Entry], *names: Any, **more: Any) -> list[Entry]:
        read.append(len(entries))
        return mentioning(tree, entries, *names, **more)

    monkeypatch.setattr(impact, "mentioning", counted)
    head = proposals(lab)[0]
    judged(lab, head, lab.base, index, home)
    assert read == [0]
    judged(lab, head, lab.base, None, home)
    assert read[1] > 3


def test_a_roster_of_an_earlier_commit_serves_with_what_differs_since(lab: Lab, home: dict[str, str]) -> None:
    people = lab.fork()
    people.update(WEAVER, hears=("memory_stored", "memory_lost"), version="9.0.0")
    later = lab.act(people)
    index = remember(lab, lab.base, home)
    people.update(CACHE, emits=("memory_lost",), version="9.0.0")
    head = lab.commit(lab.changes(people), later)
    judgement = judged(lab, head, later, index, home)
    assert ("memory_lost", WEAVER) in {(one.signal, name) for one in judgement.affected for name in one.subscribers}
    assert answer(judgement) == answer(judged(lab, head, later, None, home))


def test_only_the_user_s_own_is_believed(lab: Lab, home: dict[str, str], tmp_path: Path) -> None:
    index = remember(lab, lab.base, home)
    file = f"{index}.roster"
    with open(file, "rb") as kept:
        data = kept.read()
    other = {"NODESPEC_HOME": str(tmp_path)}
    assert known_roster(index, other) is None
    assert known_roster(None, home) is None
    for position in range(0, len(data), max(1, len(data) // 200)):
        with open(file, "wb") as broken:
            broken.write(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        assert known_roster(index, home) is None
    with open(file, "wb") as cut:
        cut.write(data[:40])
    assert known_roster(index, home) is None


def test_a_file_of_somebody_else_is_left_as_it_is(home: dict[str, str], tmp_path: Path) -> None:
    index, file = str(tmp_path / "here"), tmp_path / "here.roster"
    roster = Roster.of("1" * 40, "", [], {})
    file.write_bytes(b"what I must not forget\n")
    keep_roster(index, roster, home)
    assert file.read_bytes() == b"what I must not forget\n"
    for replaceable in (b"nodespec-roster/v0\nanother version's", b""):
        file.write_bytes(replaceable)
        keep_roster(index, roster, home)
        assert (known_roster(index, home) or roster) is not roster


def test_a_roster_of_another_history_is_left_aside(lab: Lab) -> None:
    git = GitRepository.open(str(lab.repository.path))
    assert Roster.of("ab" * 20, "", [], {}).differing(git.tree(git.resolve(lab.base))) is None


def test_a_name_is_found_whole_and_never_in_part() -> None:
    names = [f"rain{'x' * count}" for count in range(40)] + ["a", "zz", "rain_fell", "rain.fell"]
    facts = [
        NodeFacts(f"registry/nodes/lab/n{n}.yaml", "lab", f"n{n}", "core", ((name, "public"),), (), f"GLYMPH:{n}")
        for n, name in enumerate(names)
    ]
    roster = Roster.parse(Roster.of("1" * 40, "2" * 40, facts, {STONE: ["rain"]}).dump(KEY, "r"), KEY, "r")
    assert roster is not None
    for fact, name in zip(facts, names, strict=True):
        assert roster.naming([name]) == ([fact], {STONE: frozenset(["rain"])} if name == "rain" else {})
    for name in ("rai", "rainxy", "", "GLYMPH", "\t", "\n"):
        assert roster.naming([name]) == ([], {})
