"""Attestations: one spelling, one file that they are about, and no bit of them that anybody else could change."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from nodespec import attestation, document, spec, statement
from nodespec.attestation import ACTIONS, VERIFIED_TIER, Attestation, Party, Subject
from nodespec.tree import attestation_path, node_id
from tests.attacks.tampering import OTHER_SPELLINGS, accepted, flipped, spelled, stripped, with_payload, written
from tests.society import NOW, Node, Society, digest_of, new_keys, sealed

if TYPE_CHECKING:
    from nodespec.verification import Verification

CACHE, GUARD = "lab.memory/cache", "lab.memory/guard"

ADA, BOB, VERA = (Party(handle="GLYMPH:" + digit * 64, record=int(digit)) for digit in "123")
TRANSFER = Attestation(
    path="registry/nodes/lab/memory/cache.yaml",
    sha256="ab" * 32,
    registry_id="lab.society",
    node_id=CACHE,
    version="1.2.3",
    action="transfer",
    owner=BOB,
    from_owner=ADA,
    verifier=VERA,
    sequence=7,
    previous="cd" * 32,
    issued_at=NOW,
    nonce="0f" * 16,
)
"""An attestation in which no part is empty."""
REGISTER = replace(TRANSFER, action="register", from_owner=None, verifier=None, sequence=0, previous=None)
VALUE: dict[str, Any] = json.loads(TRANSFER.payload)
PREDICATE: dict[str, Any] = VALUE["predicate"]


def parse(value: Any) -> Attestation:
    return Attestation.parse(written(value))


def changed(**fields: Any) -> dict[str, Any]:
    """The whole statement, with other fields in the predicate."""
    return {**VALUE, "predicate": {**PREDICATE, **fields}}


def about(*subjects: Any) -> dict[str, Any]:
    return {**VALUE, "subject": list(subjects)}


# What it says.


def test_an_attestation_comes_back_from_its_payload() -> None:
    for claim in (TRANSFER, REGISTER, replace(TRANSFER, action="update", from_owner=None)):
        assert Attestation.parse(claim.payload) == claim
        assert claim.digest == digest_of(claim.payload)
    assert written(VALUE) == TRANSFER.payload


def test_an_attestation_with_one_part_wrong_is_refused() -> None:
    """Every key of every object is taken out and one is put in; every value is replaced by values of other types."""
    assert accepted(VALUE, parse, but=["predicate.verifier: None"]) == []
    assert accepted(json.loads(REGISTER.payload), parse) == []


@pytest.mark.parametrize("how", OTHER_SPELLINGS.values(), ids=OTHER_SPELLINGS)
def test_an_attestation_has_one_spelling(how: Any) -> None:
    other = how(TRANSFER.payload)
    assert other != TRANSFER.payload
    with pytest.raises(ValueError, match=r"\w"):
        Attestation.parse(other)


SUBJECT: dict[str, Any] = VALUE["subject"][0]
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no subject": (about(), "subject must be a list of 1 to"),
    "two subjects": (about(SUBJECT, SUBJECT), "subject must be a list of 1 to 1 items"),
    "a subject with a second digest": (
        about({**SUBJECT, "digest": {**SUBJECT["digest"], "sha1": "0" * 40}}),
        "the subject's digest must have exactly the keys sha256; unknown: sha1",
    ),
    "a subject with another digest": (about({**SUBJECT, "digest": {"sha512": "0" * 128}}), "unknown: sha512"),
    "a digest of few digits": (about({**SUBJECT, "digest": {"sha256": "ab"}}), "sha256 must be 64 lower-case hex"),
    "a digest in capitals": (about({**SUBJECT, "digest": {"sha256": "AB" * 32}}), "sha256 must be 64 lower-case hex"),
    "another type of statement": ({**VALUE, "_type": "https://in-toto.io/Statement/v0.1"}, "its _type is"),
    "another predicate": ({**VALUE, "predicateType": "urn:nodespec:seal:v1"}, "its predicateType is"),
    "an unknown action": (changed(action="delete"), "action must be one of register, update, transfer, deregister"),
    "an action in capitals": (changed(action="Transfer"), "action must be one of"),
    "an owner by name": (changed(owner={"handle": "Ada", "record": 0}), "owner must be GLYMPH: and 64 lower-case"),
    "an owner's record below zero": (
        changed(owner={**PREDICATE["owner"], "record": -1}),
        "owner.record must be a whole",
    ),
    "a nonce of few digits": (changed(nonce="0f" * 15), "nonce must be 32 lower-case hex digits"),
    "a nonce of many digits": (changed(nonce="0f" * 17), "nonce must be 32 lower-case hex digits"),
    "a nonce in capitals": (changed(nonce="0F" * 16), "nonce must be 32 lower-case hex digits"),
    "a moment with a zone": (changed(issued_at="2026-03-14T09:26:53+00:00"), "issued_at must be a moment"),
    "a digest before that is none": (changed(previous="cd"), "previous must be 64 lower-case hex digits"),
}


@pytest.mark.parametrize(("value", "reason"), REFUSED.values(), ids=REFUSED)
def test_an_attestation_is_refused_with_the_reason(value: dict[str, Any], reason: str) -> None:
    assert parse(VALUE) == TRANSFER
    assert value != VALUE
    with pytest.raises(ValueError, match=reason):
        parse(value)


def test_register_is_first_and_everything_else_follows() -> None:
    """Every action with every sequence and with a digest before or without: a first one registers, and no other."""
    for action in ACTIONS:
        for sequence in (0, 1, 2):
            for previous in (None, "cd" * 32):
                giver = ADA if action == "transfer" else None
                parts = {"action": action, "sequence": sequence, "previous": previous, "from_owner": giver}
                claim = replace(TRANSFER, **parts)
                first = (sequence == 0, previous is None)
                if first == ((True, True) if action == "register" else (False, False)):
                    assert Attestation.parse(claim.payload) == claim
                else:
                    with pytest.raises(
                        ValueError, match="sequence 0, previous null and action register belong together"
                    ):
                        Attestation.parse(claim.payload)


def test_a_transfer_names_a_giver_and_nothing_else_does() -> None:
    for action in ("update", "transfer", "deregister"):
        for giver in (None, ADA):
            claim = replace(TRANSFER, action=action, from_owner=giver)
            if (action == "transfer") == (giver is not None):
                assert Attestation.parse(claim.payload) == claim
            else:
                with pytest.raises(ValueError, match="action transfer and from_owner belong together"):
                    Attestation.parse(claim.payload)


def test_everybody_named_must_sign() -> None:
    assert TRANSFER.parties == (BOB, ADA, VERA)
    assert REGISTER.parties == (BOB,)


def test_an_attestation_is_read_from_one_spelling_of_its_envelope() -> None:
    key = new_keys(1)[0]
    data = sealed(statement.PAYLOAD_TYPE, TRANSFER.payload, key)
    assert attestation.read(data)[1] == TRANSFER
    for other in (data[:-1], data + b" ", spelled(data, lambda value: json.dumps(value).encode())):
        with pytest.raises(ValueError, match="not written canonically"):
            attestation.read(other)
    with pytest.raises(ValueError, match="its payload type is"):
        attestation.read(sealed("application/json", TRANSFER.payload, key))


# What it must be about.


def test_a_subject_is_what_the_file_says() -> None:
    node = Node(id=CACHE, owner=ADA.handle, tier=5, lane="core", verifier=VERA.handle, verified=True)
    text = node.text()
    found = spec.from_value(document.parse(text).value or {}, "registry/nodes/lab/memory/cache.yaml")
    assert Subject.of_node(found, text) == Subject(
        path="registry/nodes/lab/memory/cache.yaml",
        node_id=CACHE,
        node_type="lab.memory",
        version="1.0.0",
        owner=ADA.handle,
        sha256=digest_of(text),
        tier=5,
        lane="core",
        scheme="ml-dsa-44",
        verifier=VERA.handle,
        verified=True,
    )
    assert Subject.of_node(found, text, "elsewhere.yaml").path == "elsewhere.yaml"


def test_the_second_signature_is_needed_from_a_tier_on_in_a_lane_and_where_it_is_claimed() -> None:
    plain = Subject(path="", node_id="", node_type="", version="", owner="", sha256="")
    for tier in range(8):
        for lane in ("candidate", "core", "lukhas", "products"):
            for verified in (False, True):
                subject = replace(plain, tier=tier, lane=lane, verified=verified)
                assert subject.needs_verifier == (tier >= VERIFIED_TIER or lane == "core" or verified)
                assert not replace(subject, is_node=False).needs_verifier


# Whether it holds.


def verified(society: Society, path: str) -> Verification:
    provenance = society.provenance()
    value = document.parse(society.files[path]).value or {}
    return provenance.verify(Subject.of_node(spec.from_value(value, path), society.files[path]))


def slugs(society: Society, path: str) -> list[str]:
    return [problem.slug for problem in verified(society, path).problems]


def test_no_bit_of_an_attestation_can_be_flipped() -> None:
    """Every bit of every 53rd byte of the file, with one signature and with two."""
    society = Society()
    plain = society.register(CACHE, by=society.ada)
    seconded = society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
    for path in (plain, seconded):
        assert verified(society, path).held
        whole = society.files[attestation_path(path)]
        for position in range(0, len(whole), 53):
            for bit in range(8):
                society.files[attestation_path(path)] = flipped(whole, position, bit)
                found = verified(society, path)
                assert not found.held
                assert found.problems
        society.files[attestation_path(path)] = whole
        assert verified(society, path).held


def test_no_part_of_an_attestation_can_be_cut_off() -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    whole = society.files[attestation_path(path)]
    for length in (*range(0, len(whole), 101), len(whole) - 1):
        society.files[attestation_path(path)] = whole[:length]
        assert slugs(society, path) == ["attestation-malformed"]


def test_no_word_and_no_space_of_the_file_can_be_changed() -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    text = society.files[path]
    for old, new in (
        (b"roles: [probe]", b"roles: [prove]"),
        (b"The society", b"The Society"),
        (b"inputs: []", b"inputs:  []"),
    ):
        society.files[path] = text.replace(old, new)
        assert society.files[path] != text
        assert slugs(society, path) == ["digest-mismatch"]


def test_every_field_is_covered_by_the_signature() -> None:
    """Each field is changed under the old signature, which then is over something else."""
    society = Society()
    society.grant(society.bob, "lab.memory")
    society.register(CACHE, by=society.ada)
    path = society.transfer(CACHE, to=society.bob, tier=4, verifier=society.vera.handle)
    claim, whole = society.attestation(CACHE), society.files[attestation_path(path)]
    assert verified(society, path).held
    other: dict[str, Any] = {
        "path": "registry/nodes/lab/memory/other.yaml",
        "sha256": "00" * 32,
        "registry_id": "lab.other",
        "node_id": "lab.memory/other",
        "version": "9.9.9",
        "owner": society.ada.party(),
        "from_owner": society.bob.party(),
        "verifier": None,
        "sequence": 2,
        "previous": "00" * 32,
        "issued_at": claim.issued_at.replace(year=2027),
        "nonce": "f" * 32,
    }
    assert {*other, "action"} == set(Attestation.__dataclass_fields__)
    for name, value in other.items():
        society.files[attestation_path(path)] = with_payload(whole, replace(claim, **{name: value}).payload)
        assert (name, slugs(society, path)) == (name, ["signature-invalid"])
    update = replace(claim, action="update", from_owner=None)
    society.files[attestation_path(path)] = with_payload(whole, update.payload)
    assert slugs(society, path) == ["signature-invalid"]


def test_every_signature_of_a_transfer_with_a_verifier_is_needed() -> None:
    """Every set of the three signers; the message names whose signature is missing."""
    society = Society()
    society.grant(society.bob, "lab.memory")
    society.register(CACHE, by=society.ada)
    path = society.transfer(CACHE, to=society.bob, tier=4, verifier=society.vera.handle)
    claim = society.attestation(CACHE)
    keys = {
        "threshold-not-met": society.bob.key,
        "transfer-unsigned": society.ada.key,
        "verifier-missing": society.vera.key,
    }
    for count in range(1, 4):
        for present in combinations(keys, count):
            society.attest(claim, *(keys[slug] for slug in present))
            missing = [slug for slug in keys if slug not in present]
            found = slugs(society, path)
            if "threshold-not-met" not in missing:
                assert found == missing
            elif present == ("verifier-missing",):
                assert found == ["unlisted-key"], "the payload is not looked at before the owner has signed"
            else:
                assert found == ["threshold-not-met"]


def test_nothing_that_is_signed_is_looked_at_before_a_signature_verifies() -> None:
    """What a stranger signs may be no attestation at all: it is the signature that is complained of."""
    society = Society()
    path = society.register(CACHE, by=society.ada)
    for payload in (b"", b"{", b"[" * 10_000, written({"owner": society.ada.handle})):
        society.files[attestation_path(path)] = sealed(statement.PAYLOAD_TYPE, payload, society.bob.key)
        assert slugs(society, path) == ["unlisted-key"]
        society.files[attestation_path(path)] = sealed(statement.PAYLOAD_TYPE, payload, society.ada.key)
        assert slugs(society, path) == ["attestation-malformed"]


def test_a_threshold_of_two_counts_keys_of_the_record() -> None:
    """Every set of three keys; with a threshold of two, two are enough."""
    society = Society()
    trio = new_keys(3)
    society.rotate(society.ada, *trio, threshold=2)
    path = society.register(CACHE, by=society.ada)
    whole = society.cosign(path, *trio)
    data = society.files[whole]
    for count in (1, 2, 3):
        for signers in combinations(trio, count):
            society.files[whole] = stripped(data, *(key.public.key_id for key in {*trio} - {*signers}))
            assert slugs(society, path) == ([] if count >= 2 else ["threshold-not-met"])


def test_a_compromised_key_does_not_stop_the_others() -> None:
    """Two of three must sign. One of the signers is lost to a thief: the other two still count, one alone does not."""
    society = Society()
    first, second, third = trio = new_keys(3)
    society.rotate(society.ada, *trio, threshold=2)
    path = society.register(CACHE, by=society.ada)
    society.sign(path, first, second)
    society.revoke(society.ada, first, "compromised")
    assert slugs(society, path) == ["revoked-key"]
    society.sign(path, second, third)
    assert slugs(society, path) == []
    society.sign(path, *trio)
    assert slugs(society, path) == []


@pytest.mark.parametrize(
    ("reason", "from_record", "stands", "holds"),
    [
        ("superseded", 0, False, True),
        ("lost", 0, False, True),
        ("compromised", 0, False, False),
        ("compromised", 0, True, True),
        ("compromised", 1, False, False),
        ("compromised", 2, False, True),
    ],
)
def test_a_revocation_voids_by_position_but_for_what_stands(
    reason: str, from_record: int, stands: bool, holds: bool
) -> None:
    """The node names record 1; the revocation comes with record 3."""
    society = Society()
    society.rotate(society.ada)
    path = society.register(CACHE, by=society.ada)
    key = society.ada.key
    society.rotate(society.ada, key, *new_keys(1))
    standing = [society.attestation(CACHE).digest] if stands else []
    society.revoke(society.ada, key, reason, from_record=from_record, standing=standing)
    assert slugs(society, path) == ([] if holds else ["revoked-key"])
    assert verified(society, path).held == holds


def test_a_digest_that_stands_is_that_of_one_attestation() -> None:
    """The thief signs something else under the same record; only what the owner listed still counts."""
    society = Society()
    path = society.register(CACHE, by=society.ada)
    stolen = society.ada.key
    society.revoke(society.ada, stolen, "compromised", standing=[society.attestation(CACHE).digest])
    assert slugs(society, path) == []
    society.reword(path, stolen, nonce="e" * 32)
    assert slugs(society, path) == ["revoked-key"]


def test_a_message_names_the_key_and_the_owner() -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    key_id = society.ada.key.public.key_id
    society.revoke(society.ada, society.ada.key, "compromised")
    (problem,) = verified(society, path).problems
    assert problem.message == f"key {key_id[:16]}… of Ada is revoked as compromised from record 0 on"
    assert problem.at == ("identity", "owner_id")
    assert node_id(path) == CACHE
