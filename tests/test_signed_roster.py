"""A roster that the registry publishes: a fresh clone judges with it as it would without, and believes no other."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from nodespec import impact, keyring, reading, signed_roster
from nodespec.checkpoint import Trust
from nodespec.cli.believed import Rosters
from nodespec.errors import RegistryError
from nodespec.gate import gate
from nodespec.git import GitRepository
from nodespec.mentions import mentioning
from nodespec.proposal import propose
from nodespec.provenance import Provenance
from nodespec.registry import Snapshot
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
    from nodespec.envelope import Signer
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
    git.keep(signed_roster.REF, kept.read_bytes())
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
        rosters = Rosters(git, None, base, pytest.fail, str(kept) if head == heads[0] else None)
        judgement = gate(proposal, now=NOW, roster=rosters)
        assert judgement.word
        assert searched == []
        changed = {path for path in proposal.paths if path.endswith(".yaml")}
        assert {path for path in parsed if path.startswith("registry/nodes/")} <= changed
        assert len(parsed) <= 20


# Whom it is believed.


def far(lab: Lab) -> bytes:
    """A roster of folders that nobody has."""
    return published(lab, Roster.of("ab" * 20, "", [], {}))


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
    """Whatever stands in the roster's place, the gate searches every file, and finds what there is to be found."""
    lab.repository.git("clone", "-q", "--bare", str(lab.repository.path), str(tmp_path / "clone"))
    git = GitRepository.open(str(tmp_path / "clone"))
    head, base = proposals(lab)[0], believe(lab, lab.base)
    known = answer(judged(lab, head, lab.base, None))
    good = published(lab, signed_roster.of_commit(at(lab, lab.base)))
    assert Rosters(git, None, base, pytest.fail)() is None, "there is nothing to be said of no roster"
    stranger = published(lab, lies(lab), lab.people.keyring["root"])
    for data in (b"", b"\n", b"rubbish", good[:-1], good + b"\n", stranger):
        git.keep(signed_roster.REF, data)
        said: list[str] = []
        roster = Rosters(git, None, base, said.append)()
        assert roster is None
        assert said[0].startswith("note: the roster refs/nodespec/roster is left aside: ")
        assert said[1:] == ["note: no roster is believed, so every file is searched"]
        assert answer(judged(lab, head, lab.base, roster)) == known
    lab.repository.git("-C", str(tmp_path / "clone"), "update-ref", signed_roster.REF, lab.base)
    said = []
    assert Rosters(git, None, base, said.append)() is None
    assert "it is no blob of at most 256 MiB" in said[0]
    git.keep(signed_roster.REF, good)
    chosen = tmp_path / "chosen"
    chosen.write_bytes(stranger)
    said = []
    found = Rosters(git, None, base, said.append, str(chosen))()
    assert found is not None, "what was asked for is no good, and what is published is"
    assert len(said) == 1, "and it is not said that anything is searched"
    assert str(chosen) in said[0]
    for odd, why in ((b"x" * (signed_roster.MAX_BYTES + 1), "more than 256 MiB"), (far(lab), "not in this clone")):
        chosen.write_bytes(odd)
        said = []
        assert Rosters(git, None, base, said.append, str(chosen))() is not None
        assert why in said[0]
    ref = tmp_path / "clone" / signed_roster.REF
    for broken in (b"", b"rubbish\n"):
        ref.write_bytes(broken)
        said = []
        assert Rosters(git, None, base, said.append)() is None
        assert "is left aside: it cannot be read" in said[0]


def test_a_root_that_has_expired_appoints_nobody(lab: Lab, tmp_path: Path) -> None:
    git, tree, said = GitRepository.open(str(lab.repository.path)), at(lab, lab.base), list[str]()
    chosen = tmp_path / "roster"
    chosen.write_bytes(published(lab, signed_roster.of_commit(tree)))
    later = Provenance(tree, Snapshot(tree).settings, NOW + timedelta(days=1000))
    assert Rosters(git, None, later, said.append, str(chosen))() is None
    assert "expired" in said[0]


ODD_LINES = [
    b"[1",
    b'["registry/nodes/a/b.yaml"]',
    b'["registry/nodes/a/b.yaml","core",[["a","public"]],[1],"o"]',
    b'["registry/nodes/a/b.yaml","no_lane",[],[],"o"]',
    b'["registry/nodes/a/b.yaml","core",[["a","no_label"]],[],"o"]',
    b'["registry/nodes/a/b.yaml","core",7,[],"o"]',
    b'"text"',
    b"[]",
    b"[5,[]]",
    b"[null,[]]",
    b'["registry/nodes/a/b.yaml","core",[],"heard","o"]',
    b'["registry/tombstones/a/b.yaml","left"]',
    b'["registry/tombstones/a/b.yaml",{"left":1}]',
    b'["registry/nodes/a/b.yaml","core",[],[],"\\ud800"]',
    '["registry/nodes/\u00e9"'.encode("latin-1"),
]


@pytest.mark.parametrize("number", range(len(ODD_LINES)))
def test_a_roster_that_is_signed_and_malformed_ends_in_words(lab: Lab, number: int) -> None:
    """Whoever may sign it may spoil it: then nothing is judged, and it is said whose fault that is."""
    whole = signed_roster.of_commit(at(lab, lab.base))
    begin = whole.text.index(b"\n", 20) + 1
    end = whole.text.index(b"\n", begin)
    text = whole.text[:begin] + ODD_LINES[number].ljust(end - begin) + whole.text[end:]
    odd = signed_roster.verify(published(lab, replace(whole, text=text)), trusted(lab), now=NOW)
    with pytest.raises(RegistryError, match="that the checkpoint role signed is malformed") as caught:
        odd.everybody()
    assert "--anew" in caught.value.hint
    with pytest.raises(RegistryError, match="is malformed"):
        odd.naming(["memory_stored", "dream_woven", lab.people.ada.handle, lab.people.bob.handle])


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
    assert "ml-dsa-44" in said
    assert "git push origin refs/nodespec/roster" in said
    assert ada.says("checkpoint", "create"), "a roster is in nobody's way"
    ada.git("checkout", "-q", "-b", "proposal")
    ada.says("register", str(ada.draft(("name: sonde_v1", "name: sonde_v2"), ("depth_read", "rain_fell"))), "--commit")
    fresh = ada.clone(tmp_path / "fresh").by("ben")
    asked = ("gate", "--base", "origin/main", "--head", "origin/proposal", "--no-index")
    alone = fresh.run(*asked)
    assert "roster" not in alone.stdout + alone.stderr
    given = tmp_path / "given"
    ada.says("checkpoint", "roster", "main", "--output", str(given))
    taken = fresh.run(*asked, "--roster", str(given), "--format", "markdown")
    assert "that the checkpoint role signed" in taken.stdout
    assert "left aside" not in taken.stderr
    assert taken.returncode == alone.returncode
    fresh.git("fetch", "-q", "origin", "+refs/nodespec/*:refs/nodespec/*")
    assert "that the checkpoint role signed" in fresh.run(*asked, "--format", "markdown").stdout
    given.write_bytes(given.read_bytes()[:-9])
    fresh.git("update-ref", "-d", signed_roster.REF)
    spoiled = fresh.run(*asked, "--roster", str(given))
    assert spoiled.returncode == alone.returncode
    assert "is left aside: " in spoiled.stderr
    said = fresh.says(*asked, "--roster", "nowhere", code=2)
    assert "nodespec checkpoint roster -o FILE" in said


def test_a_roster_is_written_where_it_was_asked_for(ada: Clone, tmp_path: Path) -> None:
    done = ada.run("checkpoint", "roster", "-o", "-")
    assert done.returncode == 0
    assert done.stdout.startswith("nodespec-roster/v1\n")
    (tmp_path / "there").write_text("mine")
    assert "exists and is not overwritten" in ada.refuses("checkpoint", "roster", "-o", str(tmp_path / "there"))
    assert not ada.git("for-each-ref", "refs/nodespec")


def test_what_nobody_would_believe_is_not_signed(ada: Clone) -> None:
    ada.says("keys", "new", "second")
    ada.says("trust", "rotate", "--checkpoint", "main", "--checkpoint", "second", "--checkpoint-threshold", "3")
    ada.commit("two to sign")
    said = ada.refuses("checkpoint", "roster")
    assert "nobody would believe this roster" in said
    assert "--key NAME" in said
    ada.says("checkpoint", "roster", "--key", "main", "--key", "second")


def test_what_one_key_has_signed_is_not_signed_by_the_others_unseen(ada: Clone) -> None:
    """It is refused by every gate, and would be believed once all had signed it."""
    ada.says("keys", "new", "second")
    ada.says("trust", "rotate", "--checkpoint", "main", "--checkpoint", "second", "--checkpoint-threshold", "3")
    ada.commit("two to sign")
    git = GitRepository.open(str(ada.path))
    true = signed_roster.of_commit(git.tree(git.resolve("HEAD")))
    false = Roster.of(true.nodes, true.tombstones, [], {})
    git.keep(signed_roster.REF, signed_roster.sign(false, "lab.test", git.resolve("HEAD").id, NOW, signers_of(ada)))
    ada.says("checkpoint", "roster", "--key", "main", "--key", "second")
    assert ada.git("cat-file", "blob", signed_roster.REF).startswith(true.text.decode())


def signers_of(ada: Clone) -> list[tuple[str, Signer]]:
    """Ada's first key, to sign what the command would not."""
    files = keyring.listing(str(ada.people / "ada"), "main")
    secret = (ada.people / "passphrase").read_text(encoding="utf-8").strip()
    return [(key.public.key_id, key) for key in keyring.unlock(files, lambda: secret)]


def test_a_roster_that_was_wrong_is_made_anew(ada: Clone) -> None:
    """What the same keys have signed is built upon, unless somebody says that it must not be."""
    ada.says("checkpoint", "roster")
    true = ada.git("cat-file", "blob", signed_roster.REF)
    git = GitRepository.open(str(ada.path))
    roster = signed_roster.of_commit(git.tree(git.resolve("HEAD")))
    false = Roster.of(roster.nodes, roster.tombstones, [], {})
    for text in (false, replace(false, text=false.text + b"rubbish\n", names_end=len(false.text) + 8)):
        commit = ada.git("rev-parse", "HEAD")
        git.keep(signed_roster.REF, signed_roster.sign(text, "lab.test", commit, datetime.now(UTC), signers_of(ada)))
        ada.says("checkpoint", "roster", "--anew")
        assert ada.git("cat-file", "blob", signed_roster.REF).splitlines()[:-1] == true.splitlines()[:-1]


def test_whoever_may_not_sign_checkpoints_signs_no_roster(ada: Clone) -> None:
    said = ada.by("ben").refuses("checkpoint", "roster")
    assert "does not hold the checkpoint role" in said
    assert not ada.git("for-each-ref", "refs/nodespec")


def test_a_roster_is_of_a_commit_that_holds_a_registry(ada: Clone) -> None:
    empty = ada.git("hash-object", "-t", "tree", "-w", "/dev/null")
    assert "no registry" in ada.refuses("checkpoint", "roster", ada.git("commit-tree", "-m", "x", empty))
