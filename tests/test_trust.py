"""The trust root: one spelling of every version, and a chain that only its own key holders can carry on."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations, permutations
from typing import Any

import pytest

from nodespec import owner, trust
from nodespec.chain import BrokenChainError, Link, record_path
from nodespec.envelope import Envelope
from nodespec.keys import SCHEMES
from nodespec.tree import TRUST
from nodespec.trust import Delegation, Root
from tests.attacks.tampering import (
    OTHER_SPELLINGS,
    accepted,
    flipped,
    parsed,
    renamed,
    stripped,
    with_payload,
    with_signature,
    written,
)
from tests.society import Society, delegation, digest_of, new_keys, quorum_of, sealed

LANES = ("candidate", "core", "lukhas", "products")


def rich() -> Root:
    """A second version in which no part is empty."""
    society = Society()
    verifiers = tuple(sorted((society.vera.handle, society.bob.handle)))
    wide = delegation(society.newt, "garden", "lab.garden")
    narrow = Delegation(owner=society.newt.handle, node_types=("lab",), lanes=("candidate", "core"), max_tier=0)
    society.renew(verifiers=verifiers, delegations=trust.in_order([wide, narrow, *society.root.delegations]))
    return society.root


ROOT = rich()
VALUE: dict[str, Any] = json.loads(ROOT.payload())


def link(payload: bytes, number: int = 2) -> Link:
    sealed_payload = Envelope(payload_type=trust.PAYLOAD_TYPE, payload=payload, signatures=())
    return Link(path=record_path(TRUST, number), number=number, envelope=sealed_payload)


def read(value: Any) -> Root:
    """Read a value as version 2, whatever it says about the one before."""
    return trust.read_alone(link(written(value)))


def changed(**fields: Any) -> dict[str, Any]:
    return {**VALUE, **fields}


# One version.


def test_a_version_comes_back_from_its_payload() -> None:
    assert trust.read_alone(link(ROOT.payload())) == ROOT
    assert written(VALUE) == ROOT.payload()


def test_a_version_with_one_part_wrong_is_refused() -> None:
    """Every key of every object is taken out and one is put in; every value is replaced by values of other types."""
    before = Link(path="", number=1, envelope=Envelope(payload_type="", payload=b"{}", signatures=()))
    good = changed(previous=digest_of(b"{}"))
    assert trust.read(link(written(good)), before).version == 2
    assert accepted(good, lambda value: trust.read(link(written(value)), before)) == []


@pytest.mark.parametrize("how", OTHER_SPELLINGS.values(), ids=OTHER_SPELLINGS)
def test_a_version_has_one_spelling(how: Any) -> None:
    other = how(ROOT.payload())
    assert other != ROOT.payload()
    with pytest.raises(ValueError, match=r"\w"):
        trust.read_alone(link(other))


def with_key(**fields: Any) -> dict[str, Any]:
    return changed(keys=[{**VALUE["keys"][0], **fields}, *VALUE["keys"][1:]])


def with_role(name: str, **fields: Any) -> dict[str, Any]:
    return changed(roles={**VALUE["roles"], name: {**VALUE["roles"][name], **fields}})


def with_delegation(**fields: Any) -> dict[str, Any]:
    return changed(delegations=[{**VALUE["delegations"][0], **fields}])


ROOT_KEYS: list[str] = VALUE["roles"]["root"]["keys"]
STRANGER = new_keys(1)[0].public.fields

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no keys": (changed(keys=[]), "keys must be a list of 1 to 16 items"),
    "keys out of order": (changed(keys=VALUE["keys"][::-1]), "in order of their ids"),
    "a key twice": (changed(keys=[*VALUE["keys"][:1], *VALUE["keys"]]), "in order of their ids"),
    "a key without a role": (
        changed(keys=sorted([*VALUE["keys"], STRANGER], key=lambda key: key["keyid"])),
        "no key that has no role",
    ),
    "a role's key that is not listed": (with_role("root", keys=sorted([*ROOT_KEYS, "ab" * 32])), "not among keys"),
    "a key under another id": (with_key(keyid="00" * 32), "keyid or scheme is not that of its bytes"),
    "a key of another scheme": (with_key(scheme="ml-dsa-87"), "keyid or scheme is not that of its bytes"),
    "a key that is no key": (with_key(public="QUJD"), "a public key that cannot be used"),
    "a key in a second spelling": (with_key(public=VALUE["keys"][0]["public"].rstrip("=") + "A="), "base64"),
    "one role more": (changed(roles={**VALUE["roles"], "auditor": VALUE["roles"]["root"]}), "unknown: auditor"),
    "a role without keys": (with_role("root", keys=[]), "root must be a list of 1 to"),
    "a role's keys out of order": (with_role("root", keys=ROOT_KEYS[::-1]), "in order, each once"),
    "a role's key twice": (with_role("root", keys=[ROOT_KEYS[0], *ROOT_KEYS]), "in order, each once"),
    "a threshold of zero": (with_role("root", threshold=0), "a threshold of 0 with 3 keys"),
    "a threshold above the keys": (with_role("root", threshold=4), "a threshold of 4 with 3 keys"),
    "verifiers out of order": (changed(verifiers=VALUE["verifiers"][::-1]), "not in its one form"),
    "a verifier twice": (changed(verifiers=VALUE["verifiers"][:1] * 2), "not in its one form"),
    "a verifier by name": (changed(verifiers=["Vera"]), "must be GLYMPH: and 64 lower-case hex digits"),
    "a verifier in capitals": (changed(verifiers=["GLYMPH:" + "AB" * 32]), "must be GLYMPH:"),
    "no checkpoint scheme": (changed(checkpoint_schemes=[]), "checkpoint_schemes must be a list of 1 to"),
    "no attestation scheme": (changed(attestation_schemes=[]), "attestation_schemes must be a list of 1 to"),
    "schemes out of order": (changed(attestation_schemes=["ed25519", "ml-dsa-44"]), "each word once, in the order"),
    "a scheme twice": (changed(checkpoint_schemes=["ed25519"] * 2), "each word once, in the order"),
    "the old name of a scheme": (changed(attestation_schemes=["dilithium2"]), "must be one of ml-dsa-44"),
    "HMAC as a scheme": (changed(checkpoint_schemes=["hmac-sha256"]), "must be one of ml-dsa-44"),
    "delegations out of order": (changed(delegations=VALUE["delegations"][::-1]), "not in its one form"),
    "a delegation twice": (changed(delegations=VALUE["delegations"][:1] * 2), "not in its one form"),
    "a delegation of no type": (with_delegation(node_types=[]), "node_types must be a list of 1 to"),
    "types out of order": (with_delegation(node_types=["lab.b", "lab.a"]), "in order, each once"),
    "a type twice": (with_delegation(node_types=["lab", "lab"]), "in order, each once"),
    "a delegation of no lane": (with_delegation(lanes=[]), "lanes must be a list of 1 to"),
    "lanes out of order": (with_delegation(lanes=["core", "candidate"]), "each word once, in the order"),
    "an unknown lane": (with_delegation(lanes=["fast"]), "must be one of candidate"),
    "a tier above all": (with_delegation(max_tier=8), "max_tier must be a whole number from 0 to 7"),
    "another number than the file's": (changed(version=3), "its version is 3; the file's name says 2"),
    "a day that no calendar has": (changed(expires="2026-02-30T00:00:00Z"), "expires must be a moment"),
    "a moment in another zone": (changed(issued_at="2026-03-14T09:26:53+00:00"), "issued_at must be a moment"),
    "a moment with a fraction": (changed(issued_at="2026-03-14T09:26:53.5Z"), "issued_at must be a moment"),
    "a moment without a time": (changed(expires="2026-03-14"), "expires must be a moment"),
    "an hour too late": (changed(expires="2026-03-14T24:00:00Z"), r"\w"),
}


@pytest.mark.parametrize(("value", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_version_is_refused_with_the_reason(value: dict[str, Any], reason: str) -> None:
    assert read(VALUE) == ROOT
    assert value != VALUE
    with pytest.raises(ValueError, match=reason):
        read(value)


@pytest.mark.parametrize(
    "prefix",
    ["", ".", "lab.", ".lab", "Lab", "lab..memory", "lab.*", "lab/memory", "a" * 64, ".".join("abcdefghi"), "-a"],
)
def test_a_delegated_type_is_a_type_or_the_beginning_of_one(prefix: str) -> None:
    assert read(with_delegation(node_types=["lab.memory"]))
    with pytest.raises(ValueError, match="is not a node type, or the beginning of one"):
        read(with_delegation(node_types=[prefix]))


def test_the_limits_of_a_delegated_type_are_exact() -> None:
    for prefix in (".".join("abcdefgh"), "a" * 63, "a_-b", "0"):
        assert read(with_delegation(node_types=[prefix]))


def test_a_version_may_leave_everybody_out_but_the_roles() -> None:
    root = read(changed(verifiers=[], delegations=[]))
    assert (root.verifiers, root.delegations) == ((), ())
    assert root.of_owner("GLYMPH:" + "ab" * 32) == ()


def test_previous_is_null_in_the_first_version_and_a_digest_afterwards() -> None:
    first = Society().root
    as_first = link(first.payload(), 1)
    assert trust.read(as_first, None) == first
    with pytest.raises(ValueError, match="its previous is not null"):
        trust.read(link(replace(first, previous="ab" * 32).payload(), 1), None)
    second = replace(first, version=2, previous=digest_of(first.payload()))
    assert trust.read(link(second.payload()), as_first) == second
    for previous in (None, "ab" * 32, digest_of(first.payload()).upper()):
        with pytest.raises(ValueError, match="its previous is not the SHA-256 of the record before"):
            trust.read(link(replace(second, previous=previous).payload()), as_first)


def test_a_prefix_covers_itself_and_what_follows_a_dot() -> None:
    lab = Delegation(owner="GLYMPH:" + "ab" * 32, node_types=("lab.memory", "art"), lanes=LANES, max_tier=7)
    covered = ["lab.memory", "lab.memory.cache", "art", "art.paint.blue"]
    others = ["lab", "lab.memoryx", "lab.mem", "artist", "x.lab.memory", "x.art", "lab_memory"]
    assert [name for name in covered + others if lab.covers_type(name)] == covered


def test_a_root_knows_what_is_whose() -> None:
    society = Society()
    root = society.grant(society.bob, "lab.memory")
    assert [item.node_types for item in root.of_owner(society.bob.handle)] == [("lab.dream",), ("lab.memory",)]
    assert set(root.holders_of("lab.memory.cache")) == {society.ada.handle, society.bob.handle}
    assert root.holders_of("lab.memories") == ()
    assert {key.scheme for key in root.keys} <= set(SCHEMES)
    assert len(root.keys) == 3 + 2 + 2


# The chain.


def files(society: Society) -> list[tuple[str, bytes]]:
    return sorted((path, data) for path, data in society.files.items() if path.startswith(TRUST))


def verify(society: Society) -> tuple[Root, ...]:
    return trust.verify(files(society), society.registry_id)


def refused(society: Society, version: int, reason: str) -> None:
    with pytest.raises(BrokenChainError, match=reason) as refusal:
        verify(society)
    assert refusal.value.path == record_path(TRUST, version)


def test_a_chain_comes_back_whole() -> None:
    society = Society()
    society.renew()
    society.renew(root_keys=new_keys(3))
    assert verify(society) == tuple(society.roots)
    assert trust.verify([], society.registry_id) == ()


def test_two_of_three_root_keys_make_the_first_version() -> None:
    """Every set of the three keys, in the first version: two or three are enough, and it does not matter which."""
    society = Society()
    trio = society.keyring["root"]
    for count in (1, 2, 3):
        for signers in combinations(trio, count):
            society.files[record_path(TRUST, 1)] = sealed(trust.PAYLOAD_TYPE, society.root.payload(), *signers)
            if count >= 2:
                assert verify(society) == (society.root,)
            else:
                refused(society, 1, "it has 1 of 2 needed signatures by its own root keys")


def test_succession_needs_the_threshold_of_both_versions() -> None:
    """Every set of the three old and three new keys: two of each are needed."""
    society = Society()
    old, new = society.keyring["root"], new_keys(3)
    root = society.renew(root_keys=new)
    path = record_path(TRUST, 2)
    signatures = sealed(trust.PAYLOAD_TYPE, root.payload(), *old, *new)
    for count in range(1, 7):
        for signers in combinations((*old, *new), count):
            absent = {*old, *new} - {*signers}
            society.files[path] = stripped(signatures, *(key.public.key_id for key in absent))
            of_old, of_new = len({*old} & {*signers}), len({*new} & {*signers})
            if of_new < 2:
                refused(society, 2, f"it has {of_new} of 2 needed signatures by its own root keys")
            elif of_old < 2:
                refused(society, 2, f"it has {of_old} of 2 needed signatures by the root keys of version 1")
            else:
                assert verify(society)[-1] == root


def test_a_key_that_stays_counts_for_both_versions() -> None:
    society = Society()
    first, second, _ = society.keyring["root"]
    society.renew(root_keys=(first, second, *new_keys(1)))
    assert len(verify(society)) == 2


def test_a_new_threshold_counts_from_its_own_version_on() -> None:
    """Going down to one of one takes two of the three; going up to three of three takes the one, and all three."""
    society = Society()
    alone = new_keys(1)
    society.renew(root_keys=alone)
    assert verify(society)[-1].roles["root"].threshold == 1
    trio = new_keys(3)
    roles = {**society.root.roles, "root": quorum_of(trio, 3)}
    root = replace(society.next_root(), roles=roles)
    path = society.write_root(root, {**society.keyring, "root": trio}, (*alone, *trio[:2]))
    refused(society, 3, "it has 2 of 3 needed signatures by its own root keys")
    society.files[path] = sealed(trust.PAYLOAD_TYPE, root.payload(), *alone, *trio)
    assert verify(society)[-1] == root


def test_other_roles_do_not_speak_for_the_root() -> None:
    society = Society()
    others = (*society.keyring["maintainer"], *society.keyring["checkpoint"])
    society.files[record_path(TRUST, 1)] = sealed(trust.PAYLOAD_TYPE, society.root.payload(), *others)
    refused(society, 1, "it has 0 of 2 needed signatures")


def test_versions_are_neither_skipped_nor_swapped_nor_repeated() -> None:
    """Four versions, and every other way to lay three or more of them side by side."""
    society = Society()
    for _ in range(3):
        society.renew()
    whole = [data for _, data in files(society)]
    for count in range(1, 5):
        for chosen in permutations(range(4), count):
            laid = [(record_path(TRUST, number), whole[index]) for number, index in enumerate(chosen, 1)]
            if chosen == tuple(range(count)):
                assert len(trust.verify(laid, society.registry_id)) == count
            else:
                with pytest.raises(BrokenChainError, match=r"the file's name says|its previous is not"):
                    trust.verify(laid, society.registry_id)


def test_a_gap_is_named() -> None:
    society = Society()
    society.renew()
    society.renew()
    del society.files[record_path(TRUST, 2)]
    refused(society, 3, "the chain has a gap: registry/trust/0002.dsse.json should come before this record")


def test_a_version_is_about_one_registry() -> None:
    society = Society()
    assert verify(society)
    with pytest.raises(BrokenChainError, match=r'it is about registry "lab\.society"; this is "lab\.other"'):
        trust.verify(files(society), "lab.other")


def test_a_version_of_another_payload_type_is_none() -> None:
    society = Society()
    path = record_path(TRUST, 1)
    society.files[path] = sealed(owner.PAYLOAD_TYPE, society.root.payload(), *society.keyring["root"])
    refused(society, 1, "its payload type is")


def test_the_key_id_of_a_signature_does_not_make_it_somebody_s() -> None:
    """The third key's signature, under the second's name, is nobody's."""
    society = Society()
    first, second, third = society.keyring["root"]
    path = record_path(TRUST, 1)
    society.files[path] = sealed(trust.PAYLOAD_TYPE, society.root.payload(), first, third)
    assert verify(society)
    society.change(path, renamed, third.public.key_id, second.public.key_id)
    refused(society, 1, "it has 1 of 2 needed signatures")


def test_no_bit_of_a_version_with_just_enough_signatures_can_be_flipped() -> None:
    society = Society()
    path = record_path(TRUST, 1)
    whole = society.files[path]
    assert verify(society)
    for position in range(0, len(whole), 47):
        society.files[path] = flipped(whole, position, position % 8)
        with pytest.raises(BrokenChainError):
            verify(society)


def test_old_signatures_do_not_cover_new_words() -> None:
    society = Society()
    path = record_path(TRUST, 1)
    grabbing = replace(society.root, delegations=(delegation(society.newt, "lab"),))
    society.change(path, with_payload, grabbing.payload())
    refused(society, 1, "it has 0 of 2 needed signatures")


def test_nobody_rides_along_on_a_version() -> None:
    society = Society()
    society.renew()
    assert len(verify(society)) == 2
    (stranger,) = new_keys(1)
    society.change(
        record_path(TRUST, 2), lambda data: parsed(data).signed_with([(stranger.public.key_id, stranger)]).dump()
    )
    refused(society, 2, "has no say in it")


def test_a_surplus_signature_must_verify_as_well() -> None:
    society = Society()
    society.renew()
    third = society.keyring["root"][2].public.key_id
    good = society.files[record_path(TRUST, 2)]
    value = parsed(good).signatures[0].value
    society.files[record_path(TRUST, 2)] = with_signature(good, third, value)
    refused(society, 2, f"the signature by key {third[:16]}… does not verify")
