"""Owners: a handle that outlives every key, records that follow from one another, and keys that are given up."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from itertools import combinations, permutations
from typing import Any

import pytest

from nodespec import owner, trust
from nodespec.chain import MAX_NUMBER, BrokenChainError, Link, record_path
from nodespec.envelope import MAX_SIGNATURES, Envelope
from nodespec.owner import Chain, Record, Recovery, Revocation
from tests.attacks.tampering import OTHER_SPELLINGS, accepted, flipped, parsed, stripped, with_payload, written
from tests.society import Owner, Society, digest_of, new_keys, publics, quorum_of, revocation, sealed

KEYS = new_keys(2)
GONE, STOLEN = sorted(new_keys(2), key=lambda key: key.public.key_id)

GENESIS = Record(sequence=0, previous=None, name="Ada", quorum=quorum_of(KEYS, 2))
RICH = Record(
    sequence=3,
    previous="cd" * 32,
    name="Ada, and friends",
    quorum=quorum_of(KEYS, 1),
    revoked=(revocation(GONE, "lost"), revocation(STOLEN, "compromised", 1, ["ab" * 32, "ef" * 32])),
    recovery=Recovery(registry_id="lab.society", root_version=2),
)
"""A record in which no part is empty."""
VALUE: dict[str, Any] = json.loads(RICH.payload())


def link(payload: bytes, number: int = RICH.sequence) -> Link:
    unsigned = Envelope(payload_type=owner.PAYLOAD_TYPE, payload=payload, signatures=())
    return Link(path=f"{number:04d}", number=number, envelope=unsigned)


def read(value: Any) -> Record:
    return owner.read_alone(link(written(value)))


def changed(**fields: Any) -> dict[str, Any]:
    return {**VALUE, **fields}


# The handle.


def test_a_handle_is_the_digest_of_the_genesis_and_its_domain() -> None:
    payload = GENESIS.payload()
    handle = owner.handle_of(payload)
    assert handle == "GLYMPH:" + sha256(b"glymph-owner/v1\0" + payload).hexdigest()
    assert owner.folder_of(handle) == f"registry/owners/{handle[7:]}/"
    assert owner.handle_of(replace(GENESIS, name="Eve").payload()) != handle
    assert owner.handle_of(b"") != "GLYMPH:" + sha256(b"").hexdigest()


def test_a_genesis_file_is_somebody_s_or_not_and_what_cannot_be_read_is_another_matter() -> None:
    handle = owner.handle_of(GENESIS.payload())
    file = sealed(owner.PAYLOAD_TYPE, GENESIS.payload(), *KEYS)
    assert owner.handle_matches(handle, file)
    assert not owner.handle_matches("GLYMPH:" + "00" * 32, file)
    assert owner.handle_matches(handle, b"no envelope")


def test_a_name_is_found_in_a_genesis_that_can_be_read() -> None:
    file = sealed(owner.PAYLOAD_TYPE, GENESIS.payload(), *KEYS)
    assert owner.genesis_name(file) == "Ada"
    assert owner.genesis_name(sealed(trust.PAYLOAD_TYPE, GENESIS.payload(), *KEYS)) == ""
    assert owner.genesis_name(sealed(owner.PAYLOAD_TYPE, RICH.payload(), *KEYS)) == ""
    assert owner.genesis_name(b"no envelope") == ""


# One record.


def test_a_record_comes_back_from_its_payload() -> None:
    assert owner.read_alone(link(RICH.payload())) == RICH
    assert owner.read(link(GENESIS.payload(), 0), None) == GENESIS
    assert written(VALUE) == RICH.payload()


def test_a_record_with_one_part_wrong_is_refused() -> None:
    """Every key of every object is taken out and one is put in; every value is replaced by values of other types."""
    before = link(b"{}", 2)
    good = changed(previous=digest_of(b"{}"))
    assert owner.read(link(written(good)), before).name == RICH.name
    known_good = ["recovery: None"]
    assert accepted(good, lambda value: owner.read(link(written(value)), before), but=known_good) == []
    genesis = json.loads(GENESIS.payload())
    assert accepted(genesis, lambda value: owner.read(link(written(value), 0), None)) == []


@pytest.mark.parametrize("how", OTHER_SPELLINGS.values(), ids=OTHER_SPELLINGS)
def test_a_record_has_one_spelling(how: Any) -> None:
    other = how(RICH.payload())
    assert other != RICH.payload()
    with pytest.raises(ValueError, match=r"\w"):
        owner.read_alone(link(other))


def with_revocation(**fields: Any) -> dict[str, Any]:
    """The stolen key's revocation, which is the second, with other fields."""
    return changed(revoked=[VALUE["revoked"][0], {**VALUE["revoked"][1], **fields}])


SEVENTEEN = [key.fields for key in publics(*new_keys(MAX_SIGNATURES + 1, "ed25519"))]

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no keys": (changed(keys=[]), "keys must be a list of 1 to 16 items"),
    "seventeen keys": (changed(keys=SEVENTEEN), "keys must be a list of 1 to 16 items"),
    "keys out of order": (changed(keys=VALUE["keys"][::-1]), "once each, in order of their ids"),
    "a key twice": (changed(keys=VALUE["keys"][:1] * 2), "once each, in order of their ids"),
    "a key under another's id": (
        changed(keys=[{**VALUE["keys"][0], "keyid": VALUE["keys"][1]["keyid"]}]),
        "keyid or scheme is not that of its bytes",
    ),
    "a threshold of zero": (changed(threshold=0), "threshold must be a whole number from 1"),
    "a threshold above the keys": (changed(threshold=3), "a threshold of 3 with 2 keys"),
    "no name": (changed(name=""), "name must be 1 to 200 printable characters"),
    "a name of spaces": (changed(name=" "), "name must be 1 to 200 printable characters"),
    "a name with a space at its end": (changed(name="Ada "), "name must be 1 to 200 printable characters"),
    "a name of two lines": (changed(name="Ada\nEve"), "name must be 1 to 200 printable characters"),
    "a name that turns the line round": (changed(name="Ada \u202eevE"), "name must be 1 to 200 printable characters"),
    "a name with a joint that nobody sees": (changed(name="A\u200bda"), "name must be 1 to 200 printable characters"),
    "a name that colours the terminal": (changed(name="\x1b[31mAda"), "name must be 1 to 200 printable characters"),
    "a name that is too long": (changed(name="a" * 201), "name must be 1 to 200 printable characters"),
    "revocations out of order": (changed(revoked=VALUE["revoked"][::-1]), "in order of keyid, each key once"),
    "a key revoked twice": (changed(revoked=VALUE["revoked"][:1] * 2), "in order of keyid, each key once"),
    "an unknown reason": (with_revocation(reason="tired"), "reason must be one of superseded, lost, compromised"),
    "a key id of few digits": (with_revocation(keyid="ff"), "keyid must be 64 lower-case hex digits"),
    "a position beyond every chain": (with_revocation(from_record=10_000), "from_record must be a whole number"),
    "standing out of order": (with_revocation(standing=["ef" * 32, "ab" * 32]), "standing must be in order"),
    "a standing digest twice": (with_revocation(standing=["ab" * 32] * 2), "standing must be in order"),
    "standing beside another reason": (with_revocation(reason="lost"), "only beside reason compromised"),
    "standing in capitals": (with_revocation(standing=["AB" * 32]), "standing must be 64 lower-case hex digits"),
    "a recovery by version zero": (
        changed(recovery={"registry_id": "lab", "root_version": 0}),
        "root_version must be a whole number from 1",
    ),
    "another number than the file's": (changed(sequence=4), "its sequence is 4; the file's name says 3"),
    "a number beyond every chain": (changed(sequence=10_000), "sequence must be a whole number from 0 to 9,999"),
}


@pytest.mark.parametrize(("value", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_record_is_refused_with_the_reason(value: dict[str, Any], reason: str) -> None:
    assert read(VALUE) == RICH
    assert value != VALUE
    with pytest.raises(ValueError, match=reason):
        read(value)


def test_the_limits_are_exact() -> None:
    for name in ("a", "a" * 200, "Ada Lovelace", "Ådå", "愛", "O'Neil & Söhne"):
        assert read(changed(name=name)).name == name
    assert len(read(changed(keys=SEVENTEEN[:-1])).quorum.keys) == MAX_SIGNATURES
    assert read(changed(threshold=2)).quorum.threshold == 2
    assert read(with_revocation(from_record=MAX_NUMBER)).revoked[1].from_record == MAX_NUMBER


def test_a_genesis_neither_recovers_nor_revokes() -> None:
    recovering = replace(GENESIS, recovery=Recovery(registry_id="lab", root_version=1))
    revoking = replace(GENESIS, revoked=(revocation(STOLEN, "lost"),))
    for record in (recovering, revoking):
        assert owner.read_alone(link(replace(record, sequence=1).payload(), 1))
        with pytest.raises(ValueError, match="a genesis neither recovers nor revokes"):
            owner.read(link(record.payload(), 0), None)


# The chain.


def files(society: Society, who: Owner) -> list[tuple[str, bytes]]:
    folder = owner.folder_of(who.handle)
    return sorted((path, data) for path, data in society.files.items() if path.startswith(folder))


def verify(society: Society, who: Owner) -> Chain:
    return owner.verify(who.handle, files(society, who), society.roots)


def refused(society: Society, who: Owner, reason: str, record: int = -1) -> None:
    with pytest.raises(BrokenChainError, match=reason) as refusal:
        verify(society, who)
    assert refusal.value.path == who.path(record)


def test_a_chain_comes_back_whole() -> None:
    society = Society()
    ada = society.ada
    society.rotate(ada, *new_keys(3), threshold=2)
    society.revoke(ada, ada.key, "lost")
    society.recover(ada)
    chain = verify(society, ada)
    assert (chain.handle, chain.records) == (ada.handle, tuple(ada.records))
    assert chain.current == ada.records[-1]


def test_an_owner_keeps_the_handle_through_every_change_of_keys() -> None:
    society = Society()
    handle = society.ada.handle
    for _ in range(3):
        society.rotate(society.ada)
        assert verify(society, society.ada).handle == handle
    assert not {*society.ada.wallets[0]} & {*society.ada.wallets[-1]}


def test_without_a_genesis_there_is_no_chain() -> None:
    society = Society()
    with pytest.raises(BrokenChainError, match="there is no genesis record"):
        owner.verify(society.ada.handle, [], society.roots)
    society.rotate(society.ada)
    del society.files[society.ada.path(0)]
    refused(society, society.ada, "the chain has a gap: .*/0000.dsse.json should come before this record")


def test_a_genesis_stands_for_one_handle() -> None:
    society = Society()
    society.files[society.ada.path(0)] = society.files[society.bob.path(0)]
    refused(society, society.ada, "the handle is not the one that this genesis stands for")


def test_a_genesis_needs_its_own_threshold() -> None:
    """Every set of three keys, two of which must sign."""
    society = Society()
    trio = new_keys(3)
    cleo = society.join("Cleo", *trio, threshold=2)
    for count in (1, 2, 3):
        for signers in combinations(trio, count):
            society.files[cleo.path()] = sealed(owner.PAYLOAD_TYPE, cleo.records[0].payload(), *signers)
            if count >= 2:
                assert verify(society, cleo).current.name == "Cleo"
            else:
                refused(society, cleo, "it has 1 of 2 needed signatures by its own keys")


def test_succession_needs_the_threshold_of_both_records() -> None:
    """Every set of the three old and three new keys: two of each are needed."""
    society = Society()
    old, new = new_keys(3), new_keys(3)
    cleo = society.join("Cleo", *old, threshold=2)
    record = society.rotate(cleo, *new, threshold=2)
    signatures = sealed(owner.PAYLOAD_TYPE, record.payload(), *old, *new)
    for count in range(1, 7):
        for signers in combinations((*old, *new), count):
            absent = {*old, *new} - {*signers}
            society.files[cleo.path()] = stripped(signatures, *(key.public.key_id for key in absent))
            of_old, of_new = len({*old} & {*signers}), len({*new} & {*signers})
            if of_new < 2:
                refused(society, cleo, f"it has {of_new} of 2 needed signatures by its own keys")
            elif of_old < 2:
                refused(society, cleo, f"it has {of_old} of 2 needed signatures by the keys of record 0")
            else:
                assert verify(society, cleo).current == record


def test_records_are_neither_skipped_nor_swapped_nor_repeated() -> None:
    """Four records, and every other way to lay some of them side by side."""
    society = Society()
    for _ in range(3):
        society.rotate(society.ada)
    whole = [data for _, data in files(society, society.ada)]
    folder = owner.folder_of(society.ada.handle)
    for count in range(1, 5):
        for chosen in permutations(range(4), count):
            laid = [(record_path(folder, number), whole[index]) for number, index in enumerate(chosen)]
            if chosen == tuple(range(count)):
                assert len(owner.verify(society.ada.handle, laid, society.roots).records) == count
            else:
                with pytest.raises(BrokenChainError, match=r"the file's name says|its previous is not"):
                    owner.verify(society.ada.handle, laid, society.roots)


def test_the_same_words_in_another_owner_s_chain_do_not_follow() -> None:
    """Both owners have one key and rotate to one key, and still neither record follows from the other's."""
    society = Society()
    for who in (society.ada, society.bob):
        society.rotate(who)
        assert verify(society, who)
    society.files[society.ada.path()] = society.files[society.bob.path()]
    refused(society, society.ada, "its previous is not the SHA-256 of the record before")


def test_a_record_of_another_payload_type_is_none() -> None:
    society = Society()
    path = society.ada.path()
    society.files[path] = sealed(trust.PAYLOAD_TYPE, society.ada.records[0].payload(), society.ada.key)
    refused(society, society.ada, "its payload type is")


def test_no_bit_of_a_record_with_just_enough_signatures_can_be_flipped() -> None:
    society = Society()
    society.rotate(society.ada)
    for path in (society.ada.path(0), society.ada.path(1)):
        whole = society.files[path]
        assert verify(society, society.ada)
        for position in range(0, len(whole), 47):
            society.files[path] = flipped(whole, position, position % 8)
            with pytest.raises(BrokenChainError):
                verify(society, society.ada)
        society.files[path] = whole


def test_old_signatures_do_not_cover_new_words() -> None:
    society = Society()
    record = society.rotate(society.ada)
    society.change(society.ada.path(), with_payload, replace(record, name="Eve").payload())
    refused(society, society.ada, "it has 0 of 1 needed signature")


# Recovery.


def test_a_recovery_needs_the_root_s_threshold_and_its_own() -> None:
    """Every set of the three root keys and the new key: two of the former, and the latter."""
    society = Society()
    rescuers = society.keyring["root"]
    record = society.recover(society.ada)
    new = society.ada.key
    signatures = sealed(owner.PAYLOAD_TYPE, record.payload(), *rescuers, new)
    for count in range(1, 5):
        for signers in combinations((*rescuers, new), count):
            absent = {*rescuers, new} - {*signers}
            society.files[society.ada.path()] = stripped(signatures, *(key.public.key_id for key in absent))
            of_root = len({*rescuers} & {*signers})
            if new not in signers:
                refused(society, society.ada, "it has 0 of 1 needed signature by its own keys")
            elif of_root < 2:
                reason = f"it has {of_root} of 2 needed signatures by the root keys of version 1, which a recovery"
                refused(society, society.ada, reason)
            else:
                assert verify(society, society.ada).current == record


def test_the_owner_s_old_key_does_not_recover() -> None:
    society = Society()
    old = society.ada.key
    record = society.recover(society.ada)
    assert verify(society, society.ada)
    society.files[society.ada.path()] = sealed(owner.PAYLOAD_TYPE, record.payload(), old, society.ada.key)
    refused(society, society.ada, "it has 0 of 2 needed signatures by the root keys")


def test_the_root_does_not_rotate_for_an_owner_without_saying_so() -> None:
    society = Society()
    record = replace(society.recover(society.ada), recovery=None)
    signers = (*society.root_signers(), society.ada.key)
    society.files[society.ada.path()] = sealed(owner.PAYLOAD_TYPE, record.payload(), *signers)
    refused(society, society.ada, "it has 0 of 1 needed signature by the keys of record 0")


def test_a_recovery_is_by_the_version_that_it_names() -> None:
    society = Society()
    old = society.root_signers()
    society.renew(root_keys=new_keys(3))
    record = society.recover(society.ada)
    assert record.recovery == Recovery(registry_id="lab.society", root_version=2)
    assert verify(society, society.ada)
    society.files[society.ada.path()] = sealed(owner.PAYLOAD_TYPE, record.payload(), *old, society.ada.key)
    refused(society, society.ada, "it has 0 of 2 needed signatures by the root keys of version 2")


def test_a_recovery_by_a_version_that_is_not_here_is_refused() -> None:
    society = Society()
    society.renew()
    society.recover(society.ada)
    assert verify(society, society.ada)
    with pytest.raises(BrokenChainError, match="a recovery by version 2 of the trust root, which is not here"):
        owner.verify(society.ada.handle, files(society, society.ada), society.roots[:1])


def test_a_recovery_is_in_one_registry() -> None:
    society = Society()
    record = society.recover(society.ada)
    elsewhere = replace(record, recovery=Recovery(registry_id="lab.elsewhere", root_version=1))
    signers = (*society.root_signers(), society.ada.key)
    society.files[society.ada.path()] = sealed(owner.PAYLOAD_TYPE, elsewhere.payload(), *signers)
    refused(society, society.ada, r'it is a recovery in registry "lab\.elsewhere"')


# Revocation.


def test_a_revoked_key_does_not_come_back() -> None:
    for reason in owner.REASONS:
        society = Society()
        gone = society.ada.key
        society.revoke(society.ada, gone, reason)
        society.rotate(society.ada)
        assert verify(society, society.ada)
        society.rotate(society.ada, gone, *new_keys(1))
        refused(society, society.ada, f"it lists key {gone.public.key_id[:16]}…, which is revoked")


def test_a_key_is_not_kept_and_revoked_at_once() -> None:
    society = Society()
    kept = society.ada.key
    society.rotate(society.ada, kept, revoked=[revocation(kept, "lost")])
    refused(society, society.ada, "which is revoked")


def test_a_retired_key_that_was_not_revoked_may_come_back() -> None:
    society = Society()
    old = society.ada.key
    society.rotate(society.ada)
    society.rotate(society.ada, old)
    assert verify(society, society.ada).current.quorum.keys == (old.public,)


def test_only_a_key_that_was_there_can_be_revoked() -> None:
    society = Society()
    society.rotate(society.ada, revoked=[revocation(society.bob.key, "lost")])
    refused(society, society.ada, "which no earlier record lists")


def test_a_revocation_goes_back_and_not_ahead() -> None:
    for position, good in ((0, True), (1, True), (2, False), (3, False)):
        society = Society()
        society.rotate(society.ada, society.ada.key, *new_keys(1))
        society.revoke(society.ada, society.ada.key, "compromised", from_record=position)
        if good:
            assert verify(society, society.ada).current.revoked[0].from_record == position
        else:
            refused(society, society.ada, "it revokes a key from a record on that is not before it")


def test_a_key_that_was_retired_long_ago_can_still_be_found_compromised() -> None:
    society = Society()
    old = society.ada.key
    society.revoke(society.ada, old, "superseded")
    assert verify(society, society.ada).void(old.public.key_id, 0, "ab" * 32) is None
    kept = society.ada.wallets[-1]
    society.rotate(society.ada, *kept, revoked=[revocation(old, "compromised", 0)])
    found = verify(society, society.ada).void(old.public.key_id, 0, "ab" * 32)
    assert found is not None
    assert found.reason == "compromised"


@pytest.mark.parametrize("reason", owner.REASONS)
@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("stands", [True, False])
def test_what_a_revoked_key_signed_counts_before_the_position_or_where_it_stands(
    reason: str, position: int, stands: bool
) -> None:
    digest = "ab" * 32
    standing = (digest,) if stands and reason == "compromised" else ()
    item = Revocation(key_id="00" * 32, reason=reason, from_record=position, standing=standing)
    for record in range(4):
        void = reason == "compromised" and record >= position
        assert item.voids(record, digest) == (void and not stands)
        assert item.voids(record, "cd" * 32) == void


def test_the_strictest_revocation_of_a_key_decides() -> None:
    """A later record can void more of what a key signed, and none can make good what one has voided."""
    society = Society()
    ada, stolen = society.ada, society.ada.key
    society.rotate(ada, stolen, *new_keys(1))
    society.revoke(ada, stolen, "compromised", from_record=1)
    lenient = verify(society, ada)
    assert lenient.void(stolen.public.key_id, 0, "ab" * 32) is None
    assert lenient.void(stolen.public.key_id, 1, "ab" * 32) is not None
    society.rotate(ada, *ada.wallets[-1], revoked=[revocation(stolen, "compromised", 0, ["ab" * 32])])
    strict = verify(society, ada)
    assert strict.void(stolen.public.key_id, 0, "cd" * 32) is not None
    assert strict.void(stolen.public.key_id, 0, "ab" * 32) is None
    assert strict.void(stolen.public.key_id, 1, "ab" * 32) is not None
    assert strict.void(ada.key.public.key_id, 1, "cd" * 32) is None


def test_nobody_rides_along_on_a_record() -> None:
    society = Society()
    society.rotate(society.ada)
    assert len(verify(society, society.ada).records) == 2
    (stranger,) = new_keys(1)
    for record in (1, 0):
        pairs = [(stranger.public.key_id, stranger)]
        society.change(society.ada.path(record), lambda data: parsed(data).signed_with(pairs).dump())  # noqa: B023  # at once
        refused(society, society.ada, "has no say in it", record)
