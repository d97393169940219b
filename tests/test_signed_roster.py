"""A roster that the registry publishes: a fresh clone judges with it as it would without, and believes no other."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from nodespec import impact, reading, signed_roster
from nodespec.checkpoint import Trust
from nodespec.cli import believed
from nodespec.errors import RegistryError
from nodespec.gate import gate
from nodespec.git import GitRepository
from nodespec.mentions import mentioning
from nodespec.proposal import propose
from nodespec.provenance import Provenance
from nodespec.registry import Registry, Snapshot
from nodespec.roster import Roster
from nodespec.scorecard import unseen
from nodespec.tree import node_path
from tests.lab import CACHE, INDEX, LOOM, WEAVER, Lab
from tests.test_cli_register import Clone, founded, with_a_node
from tests.test_roster import answer, proposals

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nodespec.commit import CommitTree
    from nodespec.gate import Judgement
    from nodespec.keys import PrivateKey
    from nodespec.tree import Entry, Tree

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab.found(tmp_path_factory.mktemp("signed") / "registry")


def at(lab: Lab, revision: str) -> CommitTree:
    git = GitRepository.open(str(lab.repository.path))
    return git.tree(git.resolve(revision))


def believe(lab: Lab, revision: str) -> Provenance:
    tree = at(lab, revision)
    return Provenance(tree, Snapshot(tree).settings, NOW)


def published(
    lab: Lab,
    roster: Roster,
    keys: Sequence[PrivateKey] | None = None,
    *,
    registry_id: str = "lab.society",
    issued_at: datetime = NOW,
) -> bytes:
    """Sign a roster as the registry does, or as somebody else would."""
    signers = [(key.public.key_id, key) for key in (lab.people.keyring["checkpoint"] if keys is None else keys)]
    return signed_roster.sign(roster, registry_id, lab.base, issued_at, signers)


def trusted(lab: Lab) -> Trust:
    provenance = believe(lab, lab.base)
    return Trust.of_root(provenance.root, provenance.settings, NOW)


def judged(lab: Lab, head: str, base: str, roster: Roster | None) -> Judgement:
    git = GitRepository.open(str(lab.repository.path))
    return gate(propose(git, git.resolve(base), git.resolve(head)), now=NOW, roster=lambda: roster)


# What it is good for.


def test_with_a_signed_roster_the_gate_says_what_it_says_without(lab: Lab) -> None:
    data = published(lab, signed_roster.of_commit(at(lab, lab.base)))
    roster = signed_roster.verify(data, trusted(lab), now=NOW)
    for head in proposals(lab):
        with_it, without = (judged(lab, head, lab.base, one) for one in (roster, None))
        assert answer(with_it) == answer(without)
        (told,) = [point for point in unseen(with_it, pinned=True) if "roster" in point]
        assert f"taken from a roster of commit {lab.base[:10]} that the checkpoint role signed" in told
        assert not any("roster" in point for point in unseen(without, pinned=True))


def test_nobody_s_word_is_told_where_nobody_was_asked(lab: Lab) -> None:
    roster = signed_roster.verify(published(lab, signed_roster.of_commit(at(lab, lab.base))), trusted(lab), now=NOW)
    people = lab.fork()
    people.update(CACHE, remark="what others cannot see", version="1.1.1")
    assert judged(lab, lab.act(people), lab.base, roster).word == ""


def test_a_roster_of_an_earlier_commit_serves_with_what_differs_since(lab: Lab) -> None:
    roster = signed_roster.verify(
        published(lab, signed_roster.of_commit(at(lab, f"{lab.base}~1"))), trusted(lab), now=NOW
    )
    for head in proposals(lab):
        assert answer(judged(lab, head, lab.base, roster)) == answer(judged(lab, head, lab.base, None))


def test_a_fresh_clone_reads_what_changes_and_nothing_else(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No index, no verdict, no roster of one's own: what the registry has signed is all there is."""
    clone = tmp_path / "clone"
    lab.repository.git("clone", "-q", str(lab.repository.path), str(clone))
    heads = proposals(lab)
    for number, head in enumerate(heads):
        lab.repository.git("update-ref", f"refs/heads/proposal-{number}", head)
    git = GitRepository.open(str(clone))
    lab.repository.git("-C", str(clone), "fetch", "-q", "origin", "+refs/heads/*:refs/heads/*", "--update-head-ok")
    kept = tmp_path / "roster"
    kept.write_bytes(published(lab, signed_roster.of_commit(at(lab, lab.base))))
    searched: list[Entry] = []
    parsed: list[str] = []

    def counted(tree: Tree, entries: Sequence[Entry], *names: Any, **more: Any) -> list[Entry]:
        searched.extend(entries)
        return mentioning(tree, entries, *names, **more)

    read = reading.read_document
    monkeypatch.setattr(impact, "mentioning", counted)
    monkeypatch.setattr(reading, "read_document", lambda tree, entry: parsed.append(entry.path) or read(tree, entry))
    for head in heads:
        proposal = propose(git, git.resolve(lab.base), git.resolve(head))
        base = Provenance(proposal.before, Snapshot(proposal.before).settings, NOW)
        parsed.clear()
        judgement = gate(proposal, now=NOW, roster=partial(believed.signed_roster, str(kept), base, pytest.fail))
        assert judgement.word
        assert searched == []
        changed = {path for path in proposal.paths if path.endswith(".yaml")}
        assert {path for path in parsed if path.startswith("registry/nodes/")} <= changed
        assert len(parsed) <= 20


# Whom it is believed.


def lies(lab: Lab) -> Roster:
    """A roster that hides who sends something."""
    whole = signed_roster.of_commit(at(lab, lab.base))
    nodes, left = whole.everybody()
    return Roster.of(whole.nodes, whole.tombstones, [node for node in nodes if node.path != node_path(CACHE)], left)


def test_only_whom_the_base_appointed_is_believed(lab: Lab) -> None:
    roster, trust = signed_roster.of_commit(at(lab, lab.base)), trusted(lab)
    keyring = lab.people.keyring
    assert signed_roster.verify(published(lab, roster), trust, now=NOW).naming(["memory_stored"])[0]
    for keys in (keyring["root"], keyring["maintainer"], keyring["checkpoint"][:1], keyring["checkpoint"][1:]):
        with pytest.raises(ValueError, match="no valid signature"):
            signed_roster.verify(published(lab, lies(lab), keys), trust, now=NOW)
    mine = keyring["checkpoint"]
    forged = [(other.public.key_id, stranger) for other, stranger in zip(mine, keyring["root"], strict=False)]
    data = signed_roster.sign(lies(lab), "lab.society", lab.base, NOW, forged)
    with pytest.raises(ValueError, match="no valid signature"):
        signed_roster.verify(data, trust, now=NOW)


def test_it_is_about_this_registry_and_about_these_bytes(lab: Lab) -> None:
    roster, trust = signed_roster.of_commit(at(lab, lab.base)), trusted(lab)
    with pytest.raises(ValueError, match=r'it is about "lab\.other"; this is "lab\.society"'):
        signed_roster.verify(published(lab, roster, registry_id="lab.other"), trust, now=NOW)
    with pytest.raises(ValueError, match="in the future"):
        signed_roster.verify(published(lab, roster, issued_at=NOW + timedelta(hours=1)), trust, now=NOW)
    true, false = published(lab, roster), published(lab, lies(lab), lab.people.keyring["root"])
    statement = true[true.rindex(b"\n", 0, -1) :]
    with pytest.raises(ValueError, match="other bytes"):
        signed_roster.verify(false[: false.rindex(b"\n", 0, -1)] + statement, trust, now=NOW)
    for position in range(0, len(true), 37):
        broken = true[:position] + bytes([true[position] ^ 1]) + true[position + 1 :]
        with pytest.raises(ValueError, match=r"."):
            signed_roster.verify(broken, trust, now=NOW)
    for cut in (0, 1, 40, len(true) // 2, len(true) - 1):
        with pytest.raises(ValueError, match=r"."):
            signed_roster.verify(true[:cut], trust, now=NOW)


def test_a_checkpoint_is_no_roster_and_a_roster_that_begins_otherwise_is_none(lab: Lab) -> None:
    signers = [(key.public.key_id, key) for key in lab.people.keyring["checkpoint"]]
    for text in (b"", b"nodespec-roster/v2\n", b"nodespec-roster/v1\n- - 999999999999\n", b"nodespec-roster/v1\n"):
        odd = Roster(nodes="", tombstones="", text=text, names_at=0, names_end=len(text))
        with pytest.raises(ValueError, match="does not begin as a roster"):
            signed_roster.verify(signed_roster.sign(odd, "lab.society", lab.base, NOW, signers), trusted(lab), now=NOW)


def test_what_is_not_believed_is_said_and_changes_no_answer(lab: Lab, tmp_path: Path) -> None:
    """Whatever stands in the file's place, the gate searches every file, and finds what there is to be found."""
    head, base, path = proposals(lab)[0], believe(lab, lab.base), tmp_path / "roster"
    known = answer(judged(lab, head, lab.base, None))
    good = published(lab, signed_roster.of_commit(at(lab, lab.base)))
    assert believed.signed_roster(str(path), base, pytest.fail) is None, "there is nothing to be said of no file"
    for data in (
        b"",
        b"\n",
        b"rubbish",
        good[:-1],
        good + b"\n",
        published(lab, lies(lab), lab.people.keyring["root"]),
    ):
        path.write_bytes(data)
        said: list[str] = []
        roster = believed.signed_roster(str(path), base, said.append)
        assert roster is None
        assert len(said) == 1
        assert "is not believed: " in said[0]
        assert said[0].endswith("every file is searched instead")
        assert answer(judged(lab, head, lab.base, roster)) == known
    path.unlink()
    path.mkdir()
    said = []
    assert believed.signed_roster(str(path), base, said.append) is None
    assert "no plain file" in said[0]


def test_a_root_that_has_expired_appoints_nobody(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "roster"
    path.write_bytes(published(lab, signed_roster.of_commit(at(lab, lab.base))))
    tree, said = at(lab, lab.base), list[str]()
    later = Provenance(tree, Snapshot(tree).settings, NOW + timedelta(days=1000))
    assert believed.signed_roster(str(path), later, said.append) is None
    assert "expired" in said[0]


# How it is made.


def test_a_roster_that_is_brought_up_to_date_is_the_one_that_is_made_anew(lab: Lab) -> None:
    rng = random.Random(7)
    people, tip = lab.fork(), lab.base
    roster = signed_roster.of_commit(at(lab, tip))
    state = dict(lab.past[-1])
    for turn in range(8):
        chosen = rng.choice([CACHE, INDEX, WEAVER])
        people.update(chosen, emits=(f"turn_{turn}",), version=f"{turn + 2}.0.0")
        if turn == 4:
            people.register(f"lab.new/node{turn}_v1", by=people.ada, emits=("turn_0",), hears=("turn_1",))
        changes = {path: data for path, data in people.files.items() if state.get(path) != data}
        state, tip = dict(people.files), lab.commit(changes, tip)
        roster = signed_roster.of_commit(at(lab, tip), roster)
        assert roster.text == signed_roster.of_commit(at(lab, tip)).text


def test_only_what_differs_is_read_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    load = signed_roster.load
    monkeypatch.setattr(signed_roster, "load", lambda tree, entry: parsed.append(entry.path) or load(tree, entry))
    before = signed_roster.of_commit(at(lab, f"{lab.base}~1"))
    assert len(parsed) > 3
    parsed.clear()
    signed_roster.of_commit(at(lab, lab.base), before)
    changed = lab.repository.git(
        "diff", "--name-only", "--diff-filter=d", f"{lab.base}~1", lab.base, "--", "registry/nodes"
    )
    assert sorted(parsed) == sorted(path for path in changed.split() if path.endswith(".yaml"))


def test_a_node_that_cannot_be_read_is_not_left_out_in_silence(lab: Lab) -> None:
    broken = lab.commit({"registry/nodes/lab/memory/broken_v1.yaml": b"a: [1\n"}, lab.base)
    with pytest.raises(RegistryError, match=r"broken_v1\.yaml:[12]: ") as caught:
        signed_roster.of_commit(at(lab, broken))
    assert caught.value.hint == "run: nodespec validate"
    assert LOOM not in str(caught.value)


# At the terminal.


@pytest.fixture
def ada(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return founded(tmp_path, tmp_path_factory, then=with_a_node)


def test_a_maintainer_signs_a_roster_and_a_fresh_clone_takes_it(ada: Clone, tmp_path: Path) -> None:
    said = ada.says("checkpoint", "roster")
    kept = ada.path / ".git" / "nodespec" / "checkpoints" / "roster"
    assert "signed ml-dsa-44, ed25519" in said or "signed ed25519, ml-dsa-44" in said
    assert kept.is_file()
    assert ada.says("checkpoint", "create"), "a roster beside them is in nobody's way"
    ada.git("checkout", "-q", "-b", "proposal")
    ada.says("register", str(ada.draft(("name: sonde_v1", "name: sonde_v2"), ("depth_read", "rain_fell"))), "--commit")
    fresh = ada.clone(tmp_path / "fresh").by("ben")
    asked = ("gate", "--base", "origin/main", "--head", "origin/proposal", "--no-index")
    alone = fresh.run(*asked)
    assert "roster" not in alone.stdout + alone.stderr
    given = fresh.run(*asked, "--roster", str(kept), "--format", "markdown")
    assert "that the checkpoint role signed" in given.stdout
    assert "not believed" not in given.stderr
    assert given.returncode == alone.returncode
    place = fresh.path / ".git" / "nodespec" / "checkpoints" / "roster"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(kept.read_bytes())
    assert "that the checkpoint role signed" in fresh.run(*asked, "--format", "markdown").stdout
    place.write_bytes(kept.read_bytes()[:-9])
    spoiled = fresh.run(*asked)
    assert spoiled.returncode == alone.returncode
    assert "is not believed: " in spoiled.stderr
    said = fresh.says(*asked, "--roster", "nowhere", code=2)
    assert "nodespec checkpoint roster" in said


def test_whoever_may_not_sign_checkpoints_signs_no_roster(ada: Clone) -> None:
    said = ada.by("ben").refuses("checkpoint", "roster")
    assert "does not hold the checkpoint role" in said
    assert not (ada.path / ".git" / "nodespec" / "checkpoints" / "roster").exists()


def test_a_roster_is_of_a_commit_that_holds_a_registry(ada: Clone, tmp_path: Path) -> None:
    assert "no registry" in ada.refuses("checkpoint", "roster", str(ada.git("commit-tree", "-m", "x", _empty(ada))))
    output = tmp_path / "published"
    ada.says("checkpoint", "roster", "HEAD", "--output", str(output))
    roster = Registry.open(ada.path, index=False).at("HEAD")
    assert output.read_bytes().startswith(b"nodespec-roster/v1\n")
    assert roster.commit is not None
    assert roster.commit.id in output.read_text("utf-8", "replace") or b"payload" in output.read_bytes()


def _empty(clone: Clone) -> str:
    return clone.git("hash-object", "-t", "tree", "-w", "/dev/null")
