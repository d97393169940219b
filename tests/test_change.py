"""Family C: every rule is broken once, alone, by the step from one tree to the next, and an honest step passes.

A case is a function that builds a registry, lets it be the base, and changes it, with the mistake or without it. It
returns the base and where the finding is expected: ``(path, JSON pointer)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from nodespec import envelope, owner, statement, trust
from nodespec.chain import record_path
from nodespec.errors import RegistryError
from nodespec.rules import RULES
from nodespec.tree import (
    EXECUTABLE,
    SEAL_PATH,
    SETTINGS_PATH,
    TRUST,
    MemoryTree,
    attestation_path,
    changed_paths,
)
from tests.attacks.tampering import stripped, with_payload
from tests.cases import Case, Cases, name_of
from tests.society import ABOUT_SIGNATURES, NOW, Node, Society, findings, new_keys, sealed, verdict

CACHE, LOOM, GUARD, PLOT = "lab.memory/cache", "lab.dream/loom", "lab.memory/guard", "garden/plot"
OWNER = "/identity/owner_id"

Step = tuple[MemoryTree, list[tuple[str, str]]]
Build = Callable[[Society, bool], Step]


CASES: Cases[Build] = Cases()
breaks = CASES.breaks


def where(society: Society, base: MemoryTree) -> list[tuple[str, str, str]]:
    return [(finding.code, finding.path, finding.pointer) for finding in findings(society.tree(), base)]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_the_wrong_step_is_found_once_in_its_place_and_the_right_one_passes(case: Case[Build]) -> None:
    for wrong in (True, False):
        society = Society()
        base, places = case.build(society, wrong)
        assert places
        assert verdict(base) == []
        assert changed_paths(base, society.tree())
        assert where(society, base) == (sorted((case.code, *place) for place in places) if wrong else [])


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_only_a_base_shows_it(case: Case[Build]) -> None:
    """Each tree by itself is in order: these rules say what no signature can."""
    society = Society()
    case.build(society, True)
    assert verdict(society.tree()) == []


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_the_finding_says_what_is_and_what_to_do(case: Case[Build]) -> None:
    society = Society()
    base, _ = case.build(society, True)
    for finding in findings(society.tree(), base):
        assert (finding.slug, finding.severity) == (RULES[case.code].slug, "error")
        assert 20 < len(finding.message) < 400
        assert 20 < len(finding.fix) < 400
        assert ((finding.line, finding.column) != (1, 1)) == bool(finding.pointer)


def test_every_rule_of_the_family_has_a_case() -> None:
    assert sorted({case.code for case in CASES}) == sorted(ABOUT_SIGNATURES)


# What passes.


def test_everything_that_members_do_is_a_step_that_passes() -> None:
    """One step after the other, each judged against the one before."""
    society = Society()

    def found() -> None:
        society.register(GUARD, by=society.ada, tier=6, lane="core", verifier=society.vera.handle, verified=True)

    steps: dict[str, Callable[[], object]] = {
        "register": lambda: society.register(CACHE, by=society.ada),
        "register with a verifier": found,
        "register a newcomer": lambda: society.register(PLOT, by=society.newt),
        "update": lambda: society.update(CACHE),
        "update and rotate": lambda: (society.rotate(society.ada), society.update(CACHE)),
        "rotate": lambda: society.rotate(society.newt),
        "the verifier rotates, and signs": lambda: (society.rotate(society.vera), society.update(GUARD)),
        "join": lambda: society.join("Cleo"),
        "delegate": lambda: society.grant(society.bob, "lab.memory"),
        "transfer": lambda: society.transfer(CACHE, to=society.bob),
        "update by the new owner": lambda: society.update(CACHE),
        "revoke a lost key": lambda: society.revoke(society.bob, society.bob.key, "lost"),
        "recover": lambda: society.recover(society.ada),
        "renew the trust root's keys": lambda: society.renew(root_keys=new_keys(3)),
        "seal": society.seal,
        "seal again": lambda: (society.configure(), society.deregister(PLOT), society.seal()),
        "deregister": lambda: society.deregister(CACHE),
        "nothing": lambda: None,
    }
    base = society.tree()
    for name, step in steps.items():
        step()
        assert (name, verdict(society.tree(), base)) == (name, [])
        base = society.tree()


def test_a_base_without_settings_is_not_believed() -> None:
    society = Society()
    base = society.tree()
    files = {path: data for path, data in base.files.items() if path != SETTINGS_PATH}
    with pytest.raises(RegistryError, match=r"registry/registry\.yaml"):
        findings(society.tree(), MemoryTree(files))


def test_a_node_that_stays_keeps_its_old_record() -> None:
    """Only what is new must be signed by the keys of now."""
    society = Society()
    path = society.register(CACHE, by=society.ada)
    base = society.tree()
    society.rotate(society.ada)
    society.register("lab.memory/other", by=society.ada)
    assert verdict(society.tree(), base) == []
    society.files[path] += b"# touched\n"
    assert sorted(code for code, _ in verdict(society.tree(), base)) == ["C001", "P013"]


# What differs.


def test_the_paths_that_differ_are_those_whose_bytes_or_modes_do() -> None:
    base = MemoryTree({"a": b"1", "b": b"2", "c": b"3", "d": b"44"})
    head = MemoryTree({"a": b"1", "b": b"x", "c": b"3", "e": b"5", "d": b"4"}, modes={"c": EXECUTABLE})
    assert changed_paths(base, base) == ()
    assert changed_paths(base, head) == ("b", "c", "d", "e")
    assert changed_paths(head, base) == ("b", "c", "d", "e")


# C001: whose keys speak now.


@breaks("C001")
def a_new_node_under_a_record_of_the_past(society: Society, wrong: bool) -> Step:
    society.rotate(society.ada)
    base = society.tree()
    path = society.register(CACHE, by=society.ada)
    society.reword(path, owner=society.ada.party(0 if wrong else 1))
    return base, [(path, OWNER)]


@breaks("C001")
def an_update_that_overtakes_a_rotation(society: Society, wrong: bool) -> Step:
    """Ada signs, rotates, and both come in together."""
    society.register(CACHE, by=society.ada)
    base = society.tree()
    path = society.update(CACHE)
    if wrong:
        society.rotate(society.ada)
    return base, [(path, OWNER)]


@breaks("C001")
def a_tombstone_under_a_record_of_the_past(society: Society, wrong: bool) -> Step:
    society.register(CACHE, by=society.ada)
    society.rotate(society.ada)
    base = society.tree()
    path = society.deregister(CACHE)
    society.reword(path, owner=society.ada.party(0 if wrong else 1))
    return base, [(path, "/owner_id")]


@breaks("C001")
def a_verifier_under_a_record_of_the_past(society: Society, wrong: bool) -> Step:
    society.rotate(society.vera)
    base = society.tree()
    path = society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
    society.reword(path, verifier=society.vera.party(0 if wrong else 1))
    return base, [(path, OWNER)]


@breaks("C001")
def a_giver_under_a_record_of_the_past(society: Society, wrong: bool) -> Step:
    society.grant(society.bob, "lab.memory")
    society.register(CACHE, by=society.ada)
    society.rotate(society.ada)
    base = society.tree()
    path = society.transfer(CACHE, to=society.bob)
    society.reword(path, from_owner=society.ada.party(0 if wrong else 1))
    return base, [(path, OWNER)]


# C002: what follows from what.


@breaks("C002")
def an_attestation_and_its_file_from_the_past(society: Society, wrong: bool) -> Step:
    path = society.register(CACHE, by=society.ada)
    old = {name: society.files[name] for name in (path, attestation_path(path))}
    society.update(CACHE)
    base = society.tree()
    if wrong:
        society.files |= old
    else:
        society.update(CACHE)
    return base, [(path, "")]


@breaks("C002")
def an_attestation_that_skips_one(society: Society, wrong: bool) -> Step:
    society.register(CACHE, by=society.ada)
    base = society.tree()
    path = society.update(CACHE)
    society.reword(path, sequence=2 if wrong else 1)
    return base, [(path, "")]


@breaks("C002")
def an_attestation_that_follows_from_another(society: Society, wrong: bool) -> Step:
    society.register(CACHE, by=society.ada)
    base = society.tree()
    path = society.update(CACHE)
    claim = society.attestation(CACHE)
    society.reword(path, previous="ab" * 32 if wrong else claim.previous)
    return base, [(path, "")]


@breaks("C002")
def a_node_that_is_registered_twice(society: Society, wrong: bool) -> Step:
    society.register(CACHE, by=society.ada)
    base = society.tree()
    path = society.put(Node(id=CACHE, owner=society.ada.handle, tier=2), "register" if wrong else "update")
    return base, [(path, "")]


@breaks("C002")
def an_update_of_what_the_base_does_not_hold(society: Society, wrong: bool) -> Step:
    base = society.tree()
    path = society.register(CACHE, by=society.ada)
    if wrong:
        society.update(CACHE)
    return base, [(path, "")]


@breaks("C002")
def a_tombstone_of_what_the_base_does_not_hold(society: Society, wrong: bool) -> Step:
    """Nobody locks a name that nobody had."""
    if not wrong:
        society.register(CACHE, by=society.ada)
    base = society.tree()
    if wrong:
        society.register(CACHE, by=society.ada)
    path = society.deregister(CACHE)
    return base, [(path, "")]


# C003: whose it is.


@breaks("C003")
def a_node_that_changes_hands_by_an_edit(society: Society, wrong: bool) -> Step:
    """Bob may publish this type as well, and signs what he writes; nobody gave him the node."""
    society.grant(society.bob, "lab.memory")
    society.register(CACHE, by=society.ada)
    base = society.tree()
    path = society.update(CACHE, owner=society.bob.handle) if wrong else society.transfer(CACHE, to=society.bob)
    return base, [(path, OWNER)]


@breaks("C003")
def a_node_that_is_given_away_by_somebody_else(society: Society, wrong: bool) -> Step:
    society.grant(society.bob, "lab.memory")
    society.register(CACHE, by=society.ada)
    base = society.tree()
    path = society.transfer(CACHE, to=society.bob)
    society.reword(path, from_owner=(society.vera if wrong else society.ada).party())
    return base, [(path, OWNER)]


@breaks("C003")
def a_node_that_is_deregistered_by_somebody_else(society: Society, wrong: bool) -> Step:
    society.register(CACHE, by=society.ada)
    base = society.tree()
    if wrong:
        society.nodes[CACHE] = replace(society.nodes[CACHE], owner=society.bob.handle)
    path = society.deregister(CACHE)
    return base, [(path, "/owner_id")]


# C004: records are added to.


@breaks("C004")
def an_owner_s_newest_record_is_taken_back(society: Society, wrong: bool) -> Step:
    society.rotate(society.ada)
    path = society.ada.path()
    base = society.tree()
    if wrong:
        del society.files[path]
    else:
        society.rotate(society.ada)
    return base, [(path, "")]


@breaks("C004")
def an_owner_s_newest_record_is_written_anew(society: Society, wrong: bool) -> Step:
    before = society.ada.key
    record = society.rotate(society.ada)
    path = society.ada.path()
    base = society.tree()
    if wrong:
        other = replace(record, quorum=society.bob.records[0].quorum)
        society.files[path] = sealed(owner.PAYLOAD_TYPE, other.payload(), before, society.bob.key)
    else:
        society.rotate(society.ada)
    return base, [(path, "")]


@breaks("C004")
def a_whole_owner_is_taken_back(society: Society, wrong: bool) -> Step:
    cleo = society.join("Cleo")
    base = society.tree()
    if wrong:
        del society.files[cleo.path()]
    else:
        society.rotate(cleo)
    return base, [(cleo.path(0), "")]


@breaks("C004")
def the_newest_trust_root_is_taken_back(society: Society, wrong: bool) -> Step:
    society.grant(society.bob, "lab.memory")
    base = society.tree()
    path = record_path(TRUST, 2)
    if wrong:
        del society.files[path]
    else:
        society.renew()
    return base, [(path, "")]


@breaks("C004")
def the_newest_trust_root_is_signed_by_others(society: Society, wrong: bool) -> Step:
    """The third key signs in the place of the second. The words are the same, and still: the file stands."""
    society.renew()
    base = society.tree()
    path = record_path(TRUST, 2)
    first, _, third = society.keyring["root"]
    if wrong:
        society.files[path] = sealed(trust.PAYLOAD_TYPE, society.root.payload(), first, third)
    else:
        society.renew()
    return base, [(path, "")]


# C005 and C006: how a node goes, and stays gone.


@breaks("C005")
def a_node_that_vanishes(society: Society, wrong: bool) -> Step:
    path = society.register(CACHE, by=society.ada)
    base = society.tree()
    if wrong:
        society.remove(path)
    else:
        society.deregister(CACHE)
    return base, [(path, "")]


@breaks("C005")
def a_node_that_moves_to_another_name(society: Society, wrong: bool) -> Step:
    path = society.register(CACHE, by=society.ada)
    base = society.tree()
    society.register("lab.memory/store", by=society.ada)
    if wrong:
        society.remove(path)
    else:
        society.deregister(CACHE)
    return base, [(path, "")]


@breaks("C006")
def a_tombstone_that_vanishes(society: Society, wrong: bool) -> Step:
    society.register(CACHE, by=society.ada)
    path = society.deregister(CACHE)
    base = society.tree()
    if wrong:
        society.remove(path)
    else:
        society.register("lab.memory/store", by=society.ada)
    return base, [(path, "")]


@breaks("C006")
def a_tombstone_whose_owner_thinks_better_of_it(society: Society, wrong: bool) -> Step:
    """The attestations follow one another, and still: a name that was given up is not taken up again."""
    society.register(CACHE, by=society.ada)
    path = society.deregister(CACHE)
    base = society.tree()
    if wrong:
        society.update(CACHE)
        society.remove(path)
    else:
        society.register("lab.memory/store", by=society.ada)
    return base, [(path, "")]


@breaks("C006")
def a_tombstone_that_tells_another_story(society: Society, wrong: bool) -> Step:
    """Signed by its owner, in sequence; only the attestation may be made anew, as after a loss of keys."""
    society.register(CACHE, by=society.ada)
    path = society.deregister(CACHE)
    base = society.tree()
    text = society.files[path].replace(b"no longer needed", b"unsafe" if wrong else b"no longer needed")
    society.files[path] = text
    society.attest(society.claim(society.nodes[CACHE], "deregister", path, text))
    return base, [(path, "")]


# C007: whose word a recovery is.


@breaks("C007")
def a_recovery_by_a_trust_root_of_the_past(society: Society, wrong: bool) -> Step:
    society.renew(root_keys=new_keys(3))
    base = society.tree()
    society.recover(society.ada, version=0 if wrong else 1)
    return base, [(society.ada.path(), "")]


def test_a_recovery_of_the_past_stays_good_when_the_trust_root_moves_on() -> None:
    society = Society()
    society.recover(society.ada)
    base = society.tree()
    society.renew(root_keys=new_keys(3))
    society.rotate(society.ada)
    assert verdict(society.tree(), base) == []


# C008: the seal.


@breaks("C008")
def a_seal_that_vanishes(society: Society, wrong: bool) -> Step:
    society.seal()
    base = society.tree()
    if wrong:
        del society.files[SEAL_PATH]
    else:
        society.seal()
    return base, [(SEAL_PATH, "")]


@breaks("C008")
def a_seal_of_the_past_with_the_settings_of_then(society: Society, wrong: bool) -> Step:
    society.seal()
    old = {path: society.files[path] for path in (SEAL_PATH, SETTINGS_PATH)}
    society.configure()
    society.seal()
    base = society.tree()
    society.files[SETTINGS_PATH] = old[SETTINGS_PATH]
    if wrong:
        society.files |= old
    else:
        society.seal()
    return base, [(SEAL_PATH, "")]


@breaks("C008")
def a_seal_that_follows_from_another(society: Society, wrong: bool) -> Step:
    society.seal()
    base = society.tree()
    society.seal()
    made = society.provenance().seal
    made = replace(made, previous="ab" * 32 if wrong else made.previous)
    society.files[SEAL_PATH] = sealed(statement.PAYLOAD_TYPE, made.payload(), society.keyring["maintainer"][0])
    return base, [(SEAL_PATH, "")]


def test_a_seal_may_be_signed_by_more_maintainers_later() -> None:
    society = Society()
    society.seal()
    base = society.tree()
    made = society.provenance().seal
    society.files[SEAL_PATH] = sealed(statement.PAYLOAD_TYPE, made.payload(), *society.keyring["maintainer"])
    assert changed_paths(base, society.tree()) == (SEAL_PATH,)
    assert verdict(society.tree(), base) == []
    later = replace(made, issued_at=NOW + timedelta(days=1))
    society.files[SEAL_PATH] = with_payload(society.files[SEAL_PATH], later.payload())
    assert sorted(code for code, _ in verdict(society.tree(), base)) == ["C008", "P030"]


# C009: who signed.


@breaks("C009")
def a_signature_that_the_threshold_could_spare(society: Society, wrong: bool) -> Step:
    both = society.join("Both", *new_keys(2))
    path = society.register(PLOT, by=both)
    society.sign(path, *both.wallets[0])
    base = society.tree()
    if wrong:
        society.change(attestation_path(path), stripped, both.wallets[0][1].public.key_id)
    else:
        society.update(PLOT)
    return base, [(attestation_path(path), "")]


@breaks("C009")
def a_maintainer_who_never_agreed(society: Society, wrong: bool) -> Step:
    society.seal()
    second = society.keyring["maintainer"][1]
    pairs = [(second.public.key_id, second)]
    society.change(SEAL_PATH, lambda data: envelope.parse(data).signed_with(pairs).dump())
    base = society.tree()
    if wrong:
        society.change(SEAL_PATH, stripped, second.public.key_id)
    else:
        society.seal()
    return base, [(SEAL_PATH, "")]


# C010: what a tombstone tells of the node.


@breaks("C010")
def a_tombstone_of_a_version_that_never_was(society: Society, wrong: bool) -> Step:
    society.register(CACHE, by=society.ada)
    base = society.tree()
    if wrong:
        society.nodes[CACHE] = replace(society.nodes[CACHE], version="9.9.9")
    path = society.deregister(CACHE)
    return base, [(path, "/version")]


# Settings: what a change opens is open for the next one.


def test_a_change_is_judged_by_the_settings_of_its_base_as_well() -> None:
    society = Society()
    base = society.tree()
    society.configure(newcomers={"lanes": "[candidate]", "max_tier": 3, "max_nodes": 9})
    society.register(PLOT, by=society.newt, tier=2)
    assert verdict(society.tree()) == [], "by its own settings it would pass"
    assert [code for code, _ in verdict(society.tree(), base)] == ["P026"]
    assert verdict(society.tree(), society.tree()) == [], "and once the settings are in the base, it does"


def test_what_a_change_closes_is_closed_at_once() -> None:
    society = Society()
    base = society.tree()
    society.configure()
    society.register(PLOT, by=society.newt)
    assert [code for code, _ in verdict(society.tree(), base)] == ["P026"]


def test_a_tombstone_is_signed_anew_after_a_loss_of_keys() -> None:
    society = Society()
    society.register(CACHE, by=society.ada)
    path = society.deregister(CACHE)
    society.revoke(society.ada, society.ada.key, "compromised")
    base = society.tree()
    assert verdict(base) == [("P019", path)]
    society.attest(society.claim(society.nodes[CACHE], "deregister", path, society.files[path]))
    assert verdict(society.tree(), base) == []


# C011: what people call an owner.


@breaks("C011")
def a_second_owner_of_one_name(society: Society, wrong: bool) -> Step:
    base = society.tree()
    who = society.join("ADA" if wrong else "Ada's sister")
    return base, [(who.path(), "")]


@breaks("C011")
def an_owner_who_takes_somebody_s_name(society: Society, wrong: bool) -> Step:
    base = society.tree()
    record = replace(
        society.next_record(society.newt, society.newt.records[-1].quorum), name="Vera" if wrong else "Noah"
    )
    society.write_record(society.newt, record, society.newt.wallets[-1], society.newt.signers())
    return base, [(society.newt.path(), "")]


def test_a_node_that_nobody_had_signed_yet_is_its_owner_s_all_the_same() -> None:
    """A registry that is being moved here: the file says whose the node is."""
    society = Society()
    path = society.register(PLOT, by=society.newt)
    del society.files[attestation_path(path)]
    base = society.tree()
    society.register(PLOT, by=society.newt)
    assert verdict(society.tree(), base) == []
    society.register(PLOT, by=society.join("Eve"))
    assert verdict(society.tree(), base) == [("C003", path)]


def test_the_first_seal_is_number_zero() -> None:
    society = Society()
    base = society.tree()
    society.seal()
    assert verdict(society.tree(), base) == []
    made = replace(society.provenance().seal, sequence=7, previous="ab" * 32)
    society.files[SEAL_PATH] = sealed(statement.PAYLOAD_TYPE, made.payload(), society.keyring["maintainer"][0])
    assert verdict(society.tree(), base) == [("C008", SEAL_PATH)]
