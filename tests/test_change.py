"""Family C, the part about provenance: what may follow from a base, and what may not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from nodespec import owner, rules
from nodespec.chain import record_path
from nodespec.owner import Recovery
from nodespec.tree import SEAL_PATH, SETTINGS_PATH, TRUST, node_path, tombstone_path
from tests.village import GUARD, PROBE, REGISTRY_ID, SCOUT, Village, key, village

Story = Callable[[Village], None]


def an_update(s: Village) -> None:
    s.put(SCOUT, "Bob", version="1.1.0")


def a_new_node(s: Village) -> None:
    s.put("lab.dream/second", "Bob")


def a_newcomers_first_pull_request(s: Village) -> None:
    s.owner("Ines")
    s.put("lab.garden/bee", "Ines")


def a_rotation_and_an_update(s: Village) -> None:
    s.rotate("Bob", "Bob 2")
    s.put(SCOUT, "Bob", version="1.1.0")


def a_rotation_alone(s: Village) -> None:
    s.rotate("Bob", "Bob 2")


def a_transfer(s: Village) -> None:
    s.transfer(SCOUT, "Bob", "Newt")


def a_farewell(s: Village) -> None:
    s.deregister(SCOUT, "Bob")


def a_recovery(s: Village) -> None:
    s.recover("Newt", "Newt 2")


def a_new_trust_root(s: Village) -> None:
    s.next_root()


def the_first_seal(s: Village) -> None:
    s.seal()


def nothing_at_all(s: Village) -> None:
    pass


@pytest.mark.parametrize(
    "story",
    [
        an_update,
        a_new_node,
        a_newcomers_first_pull_request,
        a_rotation_and_an_update,
        a_rotation_alone,
        a_farewell,
        a_recovery,
        a_new_trust_root,
        the_first_seal,
        nothing_at_all,
    ],
)
def test_what_honest_people_do_passes(story: Story) -> None:
    base = village()
    head = base.copy()
    story(head)
    assert head.codes(base) == []


def test_a_transfer_that_both_sign_passes() -> None:
    base = village()
    root = base.roots[0]
    base.next_root(delegations=tuple(item for item in root.delegations if "lab.dream" not in item.node_types))
    head = base.copy()
    a_transfer(head)
    assert head.codes(base) == []


def signs_under_an_old_record(base: Village) -> Village:
    base.rotate("Bob", "Bob 2")
    head = base.copy()
    old = replace(head.owners["Bob"].party, record=0)
    head.files[node_path(SCOUT)] = head.text(SCOUT, "Bob", version="1.1.0")
    head.attest(SCOUT, "Bob", signers=[key("Bob")], owner=old)
    return head


def brings_an_old_version_back(base: Village) -> Village:
    head = base.copy()
    base.put(SCOUT, "Bob", version="1.1.0")
    return head


def does_not_name_the_one_before(base: Village) -> Village:
    head = base.copy()
    head.files[node_path(SCOUT)] = head.text(SCOUT, "Bob", version="1.1.0")
    head.attest(SCOUT, "Bob", previous="0" * 64)
    return head


def buries_what_never_lived(base: Village) -> Village:
    head = base.copy()
    head.put("lab.dream/ghost", "Bob")
    head.deregister("lab.dream/ghost", "Bob")
    return head


def takes_a_node_over(base: Village) -> Village:
    head = base.copy()
    head.next_root(delegations=())
    head.files[node_path(SCOUT)] = head.text(SCOUT, "Newt", version="1.1.0")
    head.attest(SCOUT, "Newt")
    for path in [path for path in head.files if "lab/memory" in path]:
        base.files.pop(path)
        head.files.pop(path)
    return head


def takes_a_root_back(base: Village) -> Village:
    head = base.copy()
    base.next_root()
    return head


def takes_a_record_back(base: Village) -> Village:
    head = base.copy()
    base.rotate("Newt", "Newt 2")
    return head


def writes_a_record_anew(base: Village) -> Village:
    head = base.copy()
    base.rotate("Newt", "Newt 2")
    head.rotate("Newt", "Newt 3")
    return head


def lets_a_node_vanish(base: Village) -> Village:
    head = base.copy()
    del head.files[node_path(SCOUT)], head.files[head.attestation_file(SCOUT)]
    return head


def digs_a_tombstone_up(base: Village) -> Village:
    base.deregister(SCOUT, "Bob")
    head = base.copy()
    for path in (tombstone_path(SCOUT), tombstone_path(SCOUT).replace(".yaml", ".dsse.json")):
        del head.files[path]
    return head


def recovers_under_an_old_root(base: Village) -> Village:
    base.next_root()
    head = base.copy()
    head.recover("Newt", "Newt 2", recovery=Recovery(registry_id=REGISTRY_ID, root_version=1))
    return head


def takes_a_seal_back(base: Village) -> Village:
    base.seal()
    head = base.copy()
    base.files[SETTINGS_PATH] += b"# stricter\n"
    base.seal()
    return head


def breaks_the_seal_off(base: Village) -> Village:
    base.seal()
    head = base.copy()
    del head.files[SEAL_PATH]
    return head


CASES: list[tuple[set[str], Callable[[Village], Village]]] = [
    ({"C001"}, signs_under_an_old_record),
    ({"C002"}, brings_an_old_version_back),
    ({"C002"}, does_not_name_the_one_before),
    ({"C002"}, buries_what_never_lived),
    ({"C003"}, takes_a_node_over),
    ({"C004"}, takes_a_root_back),
    ({"C004"}, takes_a_record_back),
    ({"C004"}, writes_a_record_anew),
    ({"C005"}, lets_a_node_vanish),
    ({"C006"}, digs_a_tombstone_up),
    ({"C007"}, recovers_under_an_old_root),
    ({"C008"}, takes_a_seal_back),
    ({"C008"}, breaks_the_seal_off),
]


@pytest.mark.parametrize(("codes", "story"), [pytest.param(*item, id=item[1].__name__) for item in CASES])
def test_what_nobody_may_do_is_named_by_its_own_rule(codes: set[str], story: Callable[[Village], Village]) -> None:
    base = village()
    head = story(base)
    assert head.codes() == [] == base.codes()  # each side by itself is honest
    assert set(head.codes(base)) == codes


def test_every_rule_of_the_family_has_a_case() -> None:
    assert set().union(*(codes for codes, _ in CASES)) == {code for code in rules.RULES if code[0] == "C"}


def test_a_changed_file_is_pointed_at_with_its_owner() -> None:
    base = village()
    (finding,) = signs_under_an_old_record(base).findings(base)
    assert finding.path == node_path(SCOUT)
    assert finding.pointer == "/identity/owner_id"
    assert "names record 0 of Bob; the current one is 1" in finding.message


def test_without_a_base_the_family_says_that_it_did_not_run() -> None:
    from nodespec.judge import judge
    from tests.village import NOW

    assert judge(village().tree(), now=NOW).families["C"] == "not run"


def test_the_records_of_all_who_sign_must_be_current() -> None:
    base = village()
    base.rotate("Vera", "Vera 2")
    head = base.copy()
    head.put(GUARD, "Ada", tier=4, verifier="Vera", version="1.1.0")
    assert head.codes(base) == []
    old = replace(head.owners["Vera"].party, record=0)
    head.attest(GUARD, "Ada", verifier=old, signers=[key("Ada"), key("Vera")])
    assert "C001" in head.codes(base)


def test_records_stand_where_the_owner_says() -> None:
    s = village()
    assert record_path(owner.folder_of(s.owners["Bob"].handle), 0) in s.files
    assert record_path(TRUST, 1) in s.files
    assert node_path(PROBE) in s.files
