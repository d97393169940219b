"""Family P: every rule is broken once, alone, and the same registry without the mistake passes.

A case is a function that builds a registry, with the mistake or without it, and says where the finding is expected:
``(path, JSON pointer)``, several where the same mistake is found in several places.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from nodespec import keys, statement, trust
from nodespec.attestation import Subject
from nodespec.chain import record_path
from nodespec.envelope import MAX_BYTES
from nodespec.judge import judge
from nodespec.owner import folder_of
from nodespec.rules import RULES
from nodespec.tree import (
    NODE_SCHEMA_PATH,
    SEAL_PATH,
    SETTINGS_PATH,
    TRUST,
    attestation_path,
    node_id,
    node_path,
    tombstone_path,
)
from tests.attacks.tampering import (
    flipped,
    renamed,
    signature_of,
    spelled,
    stripped,
    with_payload,
    with_signature,
    written,
)
from tests.cases import Case, Cases, name_of
from tests.society import NOW, Node, Society, findings, new_keys, published_key, sealed, verdict

CACHE, LOOM, GUARD, PLOT = "lab.memory/cache", "lab.dream/loom", "lab.memory/guard", "garden/plot"
OWNER = "/identity/owner_id"
CARE = b"policy: lab.care\nrules: [{id: kind, expr: 'true', message: Be kind.}]\n"
VERIFIER = "/security/attestation/verifier"
SCHEME = "/provenance_manifest/signing_scheme"

Places = list[tuple[str, str]]
Build = Callable[[Society, bool], Places]


CASES: Cases[Build] = Cases()
breaks = CASES.breaks


def where(society: Society) -> list[tuple[str, str, str]]:
    return [(finding.code, finding.path, finding.pointer) for finding in findings(society.tree())]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_the_mistake_is_found_once_in_its_place_and_its_correction_passes(case: Case[Build]) -> None:
    society = Society()
    expected = [(case.code, *place) for place in case.build(society, True)]
    assert where(society) == sorted(expected)
    assert expected
    society = Society()
    case.build(society, False)
    assert where(society) == []


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_the_finding_says_what_is_and_what_to_do(case: Case[Build]) -> None:
    society = Society()
    case.build(society, True)
    for finding in findings(society.tree()):
        assert (finding.slug, finding.severity) == (RULES[case.code].slug, "error")
        assert 20 < len(finding.message) < 400
        assert 20 < len(finding.fix) < 400
        assert ((finding.line, finding.column) != (1, 1)) == bool(finding.pointer)


def test_every_rule_of_the_family_has_a_case() -> None:
    assert sorted({case.code for case in CASES}) == sorted(code for code in RULES if code[0] == "P")


# The society itself.


def busy() -> Society:
    """Something of everything: nodes of all kinds, a second signature, a tombstone, rotated and recovered owners."""
    society = Society()
    for identifier, owner in ((CACHE, society.ada), (LOOM, society.bob), (PLOT, society.newt)):
        society.register(identifier, by=owner)
    society.register(GUARD, by=society.ada, tier=6, lane="core", verifier=society.vera.handle, verified=True)
    society.rotate(society.ada)
    society.update(CACHE)
    society.grant(society.bob, "lab.memory")
    society.transfer(CACHE, to=society.bob)
    society.deregister(LOOM)
    society.recover(society.newt)
    society.renew(root_keys=new_keys(3))
    society.seal()
    return society


def test_an_honest_society_passes_every_family() -> None:
    society = busy()
    report = judge(society.tree(), now=NOW)
    assert report.findings == ()
    assert (report.specs, report.blocked) == (3, ())
    assert {report.families[letter] for letter in "TFSNPG"} == {"run"}


def test_nothing_has_passed_when_there_is_nobody_to_believe() -> None:
    society = busy()
    for version in society.roots:
        del society.files[record_path(TRUST, version.version)]
    report = judge(society.tree(), now=NOW)
    assert report.families["P"] == "not run"
    assert "P" in report.blocked
    assert report.exit_code() == 1


def test_every_step_says_what_it_saw() -> None:
    society = busy()
    for path in (node_path(GUARD), tombstone_path(LOOM)):
        verification = society.provenance().verify(subject_at(society, path))
        assert verification.held
        assert all(step.held and step.seen for step in verification.steps)
        assert "a base shows that" in " ".join(verification.owed)
    names = [step.name for step in society.provenance().verify(subject_at(society, node_path(GUARD))).steps]
    assert names == [
        "envelope",
        "owner chain",
        "signature",
        "subject",
        "bytes",
        "owner",
        "scheme",
        "verifier chain",
        "verifier",
        "no others",
        "delegation",
    ]


def subject_at(society: Society, path: str) -> Subject:
    from nodespec.reading import load, load_tombstone

    provenance = society.provenance()
    entry, data = provenance.entry(path), provenance.read(path)
    assert entry
    assert data
    if path == tombstone_path(node_id(path)):
        return Subject.of_tombstone(load_tombstone(provenance.tree, entry), data)
    return Subject.of_node(load(provenance.tree, entry), data)


# P001 to P003: the trust root.


@breaks("P001")
def no_trust_root(society: Society, wrong: bool) -> Places:
    society.register(CACHE, by=society.ada)
    path = record_path(TRUST, 1)
    if wrong:
        del society.files[path]
    return [(path, "")]


@breaks("P002")
def a_first_root_signed_by_one_of_two(society: Society, wrong: bool) -> Places:
    path = record_path(TRUST, 1)
    if wrong:
        society.change(path, stripped, society.root_signers()[0].public.key_id)
    return [(path, "")]


@breaks("P002")
def a_new_root_that_only_its_own_keys_signed(society: Society, wrong: bool) -> Places:
    old = society.root_signers()
    society.renew(root_keys=new_keys(3))
    path = record_path(TRUST, 2)
    if wrong:
        society.change(path, stripped, *(key.public.key_id for key in old))
    return [(path, "")]


@breaks("P002")
def a_new_root_that_only_the_old_keys_signed(society: Society, wrong: bool) -> Places:
    society.renew(root_keys=new_keys(3))
    path = record_path(TRUST, 2)
    if wrong:
        society.change(path, stripped, society.root_signers()[0].public.key_id)
    return [(path, "")]


@breaks("P002")
def a_root_for_another_registry(society: Society, wrong: bool) -> Places:
    society.renew(registry_id="lab.elsewhere" if wrong else society.registry_id)
    return [(record_path(TRUST, 2), "")]


@breaks("P002")
def a_missing_version(society: Society, wrong: bool) -> Places:
    society.renew()
    society.renew()
    if wrong:
        del society.files[record_path(TRUST, 2)]
    return [(record_path(TRUST, 3), "")]


@breaks("P003")
def a_root_that_expires_now(society: Society, wrong: bool) -> Places:
    society.register(CACHE, by=society.ada)
    society.renew(expires=NOW if wrong else NOW + timedelta(seconds=1))
    return [(record_path(TRUST, 2), "")]


def test_an_expired_version_still_passes_trust_on() -> None:
    society = Society()
    society.renew(expires=NOW - timedelta(days=1))
    assert verdict(society.tree()) == [("P003", record_path(TRUST, 2))]
    society.renew(expires=NOW + timedelta(days=1))
    assert verdict(society.tree()) == []


# P004: published keys.


@breaks("P004")
def a_published_key_in_the_trust_root(society: Society, wrong: bool) -> Places:
    third = published_key() if wrong else new_keys(1)[0]
    society.renew(root_keys=(*society.keyring["root"][:2], third))
    return [(record_path(TRUST, 2), "")]


@breaks("P004")
def a_published_key_in_an_owner_s_record(society: Society, wrong: bool) -> Places:
    spare = published_key() if wrong else new_keys(1)[0]
    society.rotate(society.ada, society.ada.key, spare)
    return [(society.ada.path(), "")]


@breaks("P004")
def a_published_key_under_a_node(society: Society, wrong: bool) -> Places:
    """Its owner has given it up since, so only the node's attestation shows it."""
    society.rotate(society.ada, published_key() if wrong else new_keys(1)[0])
    path = society.register(CACHE, by=society.ada)
    society.rotate(society.ada)
    return [(path, OWNER)]


@breaks("P004")
def a_published_key_of_the_verifier(society: Society, wrong: bool) -> Places:
    society.rotate(society.vera, published_key() if wrong else new_keys(1)[0])
    path = society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
    society.rotate(society.vera)
    return [(path, VERIFIER)]


def test_an_example_registry_may_use_published_keys() -> None:
    for example in (False, True):
        society = Society(example=example)
        society.rotate(society.ada, published_key())
        path = society.register(CACHE, by=society.ada)
        assert verdict(society.tree()) == ([] if example else [("P004", path), ("P004", society.ada.path())])


def test_every_key_in_the_folder_of_published_keys_is_known_as_such() -> None:
    from tests.society import PUBLISHED

    files = sorted((PUBLISHED / "keys").glob("*.pub.pem"))
    found = {keys.load_public(file.read_bytes(), name=file.name).key_id for file in files}
    assert found == keys.PUBLISHED_KEY_IDS
    assert not new_keys(1)[0].public.published


# P005 to P007: owners.


@breaks("P005")
def an_owner_without_a_chain(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada)
    if wrong:
        del society.files[society.ada.path()]
    return [(path, OWNER)]


@breaks("P005")
def a_verifier_without_a_chain(society: Society, wrong: bool) -> Places:
    """The verifier's signature then belongs to nobody, so that it is left out here; else it would be P015 as well."""
    path = society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
    if wrong:
        society.change(attestation_path(path), stripped, society.vera.key.public.key_id)
        del society.files[society.vera.path()]
    return [(path, VERIFIER)]


@breaks("P005")
def a_former_owner_without_a_chain(society: Society, wrong: bool) -> Places:
    """As for the verifier, the signature of somebody unknown is left out."""
    society.grant(society.bob, "lab.memory")
    society.register(CACHE, by=society.ada)
    path = society.transfer(CACHE, to=society.bob)
    if wrong:
        society.change(attestation_path(path), stripped, society.ada.key.public.key_id)
        del society.files[society.ada.path()]
    return [(path, OWNER)]


@breaks("P006")
def a_folder_that_is_not_its_genesis_s(society: Society, wrong: bool) -> Places:
    folder = folder_of("GLYMPH:" + "ab" * 32 if wrong else society.ada.handle)
    society.files[record_path(folder, 0)] = society.files.pop(society.ada.path())
    return [(record_path(folder, 0), "")]


@breaks("P006")
def somebody_else_s_genesis_in_the_owner_s_folder(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada)
    if wrong:
        society.files[society.ada.path()] = society.files[society.bob.path()]
    return [(path, OWNER), (society.ada.path(), "")]


@breaks("P007")
def a_genesis_that_its_key_did_not_sign(society: Society, wrong: bool) -> Places:
    mallory = society.join("Mallory", *new_keys(2), threshold=2)
    if wrong:
        society.change(mallory.path(), stripped, mallory.key.public.key_id)
    return [(mallory.path(), "")]


@breaks("P007")
def a_record_that_the_one_before_did_not_sign(society: Society, wrong: bool) -> Places:
    old = society.ada.key
    society.rotate(society.ada)
    if wrong:
        society.change(society.ada.path(), stripped, old.public.key_id)
    return [(society.ada.path(), "")]


@breaks("P007")
def a_record_that_its_own_key_did_not_sign(society: Society, wrong: bool) -> Places:
    society.rotate(society.ada)
    if wrong:
        society.change(society.ada.path(), stripped, society.ada.key.public.key_id)
    return [(society.ada.path(), "")]


@breaks("P007")
def a_recovery_by_one_root_key_of_two(society: Society, wrong: bool) -> Places:
    society.recover(society.ada)
    if wrong:
        society.change(society.ada.path(), stripped, society.root_signers()[1].public.key_id)
    return [(society.ada.path(), "")]


@breaks("P007")
def a_broken_chain_under_a_node(society: Society, wrong: bool) -> Places:
    """It is a finding on the chain, and on every node that relies on it."""
    path = society.register(CACHE, by=society.ada)
    society.rotate(society.ada)
    if wrong:
        society.change(society.ada.path(), stripped, society.ada.key.public.key_id)
    return [(path, OWNER), (society.ada.path(), "")]


# P008 and P009: the attestation itself.


@breaks("P008")
def a_node_without_an_attestation(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada)
    if wrong:
        del society.files[attestation_path(path)]
    return [(path, "")]


@breaks("P008")
def a_tombstone_without_an_attestation(society: Society, wrong: bool) -> Places:
    society.register(CACHE, by=society.ada)
    path = society.deregister(CACHE)
    if wrong:
        del society.files[attestation_path(path)]
    return [(path, "")]


@breaks("P009")
def an_attestation_with_a_space_too_many(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada)
    if wrong:
        society.change(attestation_path(path), bytes.replace, b":", b": ", 1)
    return [(path, "")]


@breaks("P009")
def an_attestation_of_another_payload_type(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada)
    claim = society.attestation(CACHE)
    kind = "application/json" if wrong else statement.PAYLOAD_TYPE
    society.files[attestation_path(path)] = sealed(kind, claim.payload, society.ada.key)
    return [(path, "")]


@breaks("P009")
def an_attestation_whose_payload_says_too_much(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada)
    claim = society.attestation(CACHE)
    payload = spelled(claim.payload, lambda value: written({**value, "extra": 1})) if wrong else claim.payload
    society.files[attestation_path(path)] = sealed(statement.PAYLOAD_TYPE, payload, society.ada.key)
    return [(path, "")]


@breaks("P009")
def an_attestation_that_is_too_large_to_be_read(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada)
    if wrong:
        society.files[attestation_path(path)] += b" " * MAX_BYTES
    return [(path, "")]


# P010 to P014: what the attestation is about.


@breaks("P010")
def an_attestation_for_another_registry(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada)
    society.reword(path, registry_id="lab.elsewhere" if wrong else society.registry_id)
    return [(path, "")]


@breaks("P011")
def an_attestation_for_another_node(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada)
    society.reword(path, node_id="lab.memory/other" if wrong else CACHE)
    return [(path, "")]


@breaks("P011")
def an_attestation_that_deregisters_a_living_node(society: Society, wrong: bool) -> Places:
    society.register(CACHE, by=society.ada)
    path = society.update(CACHE)
    society.reword(path, action="deregister" if wrong else "update")
    return [(path, "")]


@breaks("P011")
def an_attestation_that_updates_a_tombstone(society: Society, wrong: bool) -> Places:
    society.register(CACHE, by=society.ada)
    path = society.deregister(CACHE)
    society.reword(path, action="update" if wrong else "deregister")
    return [(path, "")]


@breaks("P012")
def an_attestation_for_another_version(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada)
    society.reword(path, version="1.0.1" if wrong else "1.0.0")
    return [(path, "/metadata/version")]


@breaks("P013")
def a_node_with_a_comment_more(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada)
    text = society.files[path]
    if wrong:
        society.files[path] = text + b"# harmless\n"
    return [(path, "")]


@breaks("P013")
def a_tombstone_with_another_reason(society: Society, wrong: bool) -> Places:
    society.register(CACHE, by=society.ada)
    path = society.deregister(CACHE)
    if wrong:
        society.change(path, bytes.replace, b"no longer needed", b"unsafe")
    return [(path, "")]


@breaks("P014")
def an_attestation_for_another_owner(society: Society, wrong: bool) -> Places:
    """Ada signs that Bob owns her node."""
    path = society.register(CACHE, by=society.ada)
    named = society.bob if wrong else society.ada
    society.reword(path, society.ada.key, owner=named.party())
    return [(path, OWNER)]


# P015 to P019: who signed.


@breaks("P015")
def a_signature_by_a_stranger_alone(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada)
    society.sign(path, new_keys(1)[0] if wrong else society.ada.key)
    return [(path, OWNER)]


@breaks("P015")
def a_signature_by_a_stranger_beside_the_owner_s(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada)
    if wrong:
        society.cosign(path, society.bob.key)
    return [(path, "")]


@breaks("P016")
def a_record_that_does_not_exist(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada)
    society.reword(path, society.ada.key, owner=replace(society.ada.party(), record=1 if wrong else 0))
    return [(path, OWNER)]


@breaks("P016")
def a_record_of_the_verifier_that_does_not_exist(society: Society, wrong: bool) -> Places:
    path = society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
    party = replace(society.vera.party(), record=1 if wrong else 0)
    society.reword(path, society.ada.key, society.vera.key, verifier=party)
    return [(path, VERIFIER)]


@breaks("P017")
def a_signature_with_a_bit_the_other_way_round(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada)
    key, file = society.ada.key, attestation_path(path)
    value = signature_of(society.files[file], key)
    if wrong:
        society.change(file, with_signature, key.public.key_id, flipped(value, 100))
    return [(path, OWNER)]


@breaks("P017")
def a_second_signature_that_is_false(society: Society, wrong: bool) -> Places:
    """One good signature is enough for this owner, and a false one beside it is found all the same."""
    society.rotate(society.ada, *new_keys(2))
    path = society.register(CACHE, by=society.ada)
    society.cosign(path, *society.ada.wallets[-1])
    key, file = society.ada.wallets[-1][1], attestation_path(path)
    if wrong:
        society.change(file, with_signature, key.public.key_id, flipped(signature_of(society.files[file], key), 7))
    return [(path, "")]


@breaks("P018")
def one_signature_of_two(society: Society, wrong: bool) -> Places:
    society.rotate(society.ada, *new_keys(3), threshold=2)
    path = society.register(CACHE, by=society.ada)
    society.sign(path, *society.ada.wallets[-1][: 1 if wrong else 2])
    return [(path, OWNER)]


@breaks("P018")
def a_key_of_another_record(society: Society, wrong: bool) -> Places:
    """Ada's retired key is one of hers, and does not speak for the record that she names."""
    retired = society.ada.key
    society.rotate(society.ada)
    path = society.register(CACHE, by=society.ada)
    society.sign(path, retired if wrong else society.ada.key)
    return [(path, OWNER)]


@breaks("P018")
def a_transfer_that_only_the_giver_signed(society: Society, wrong: bool) -> Places:
    society.grant(society.bob, "lab.memory")
    society.register(CACHE, by=society.ada)
    path = society.transfer(CACHE, to=society.bob)
    if wrong:
        society.sign(path, society.ada.key)
    return [(path, OWNER)]


@breaks("P019")
def a_key_that_its_owner_revoked_as_compromised(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada)
    society.revoke(society.ada, society.ada.key, "compromised" if wrong else "superseded")
    return [(path, OWNER)]


@breaks("P019")
def a_key_of_the_verifier_that_was_compromised(society: Society, wrong: bool) -> Places:
    path = society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
    society.revoke(society.vera, society.vera.key, "compromised" if wrong else "lost")
    return [(path, VERIFIER)]


# P020 and P021: schemes.


@breaks("P020")
def a_scheme_that_the_trust_root_does_not_allow(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada)
    society.renew(attestation_schemes=("ed25519",) if wrong else ("ml-dsa-44",))
    return [(path, SCHEME)]


@breaks("P021")
def a_file_that_declares_another_scheme(society: Society, wrong: bool) -> Places:
    """Both are Ada's keys, and either speaks for her; the file promises a signature of one kind."""
    society.rotate(society.ada, *new_keys(1, "ed25519"), *new_keys(1, "ml-dsa-44"))
    path = society.register(CACHE, by=society.ada)
    society.sign(path, society.ada.wallets[-1][0 if wrong else 1])
    return [(path, SCHEME)]


@pytest.mark.parametrize("scheme", ["ml-dsa-44", "ml-dsa-65", "ml-dsa-87"])
def test_any_ml_dsa_may_be_promised_and_is_then_asked_for(scheme: str) -> None:
    society = Society()
    society.renew(attestation_schemes=("ml-dsa-44", "ml-dsa-65", "ml-dsa-87"))
    society.rotate(society.ada, *new_keys(1, scheme))
    society.register(CACHE, by=society.ada, scheme=scheme)
    assert verdict(society.tree()) == []
    for other in {"ml-dsa-44", "ml-dsa-65", "ml-dsa-87"} - {scheme}:
        path = society.update(CACHE, scheme=other)
        assert where(society) == [("P021", path, SCHEME)]


def test_one_signature_of_the_declared_scheme_is_enough_among_several() -> None:
    society = Society()
    society.rotate(society.ada, *new_keys(1, "ed25519"), *new_keys(1, "ml-dsa-44"), threshold=2)
    society.register(CACHE, by=society.ada)
    assert verdict(society.tree()) == []


def test_the_old_name_of_a_scheme_means_the_same() -> None:
    society = Society()
    society.register(CACHE, by=society.ada, scheme="dilithium2")
    assert verdict(society.tree()) == []


# P022 to P025: the other party.


@breaks("P022")
def a_transfer_that_the_giver_did_not_sign(society: Society, wrong: bool) -> Places:
    society.grant(society.bob, "lab.memory")
    society.register(CACHE, by=society.ada)
    path = society.transfer(CACHE, to=society.bob)
    if wrong:
        society.sign(path, society.bob.key)
    return [(path, OWNER)]


@breaks("P023")
def a_node_of_tier_four_without_the_verifier_s_signature(society: Society, wrong: bool) -> Places:
    path = society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
    if wrong:
        society.sign(path, society.ada.key)
    return [(path, VERIFIER)]


@breaks("P023")
def a_node_in_lane_core_whose_attestation_names_no_verifier(society: Society, wrong: bool) -> Places:
    path = society.register(GUARD, by=society.ada, lane="core", verifier=society.vera.handle)
    if wrong:
        society.reword(path, verifier=None)
    return [(path, VERIFIER)]


@breaks("P023")
def verified_is_claimed_and_nobody_verified(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada, verifier=society.vera.handle, verified=True)
    if wrong:
        society.reword(path, verifier=None)
    return [(path, VERIFIER)]


@breaks("P023")
def another_verifier_than_the_file_names(society: Society, wrong: bool) -> Places:
    """Bob is as good a verifier as Vera, and still not the one in the file; his signature is left out (else P015)."""
    society.renew(verifiers=tuple(sorted((society.vera.handle, society.bob.handle))))
    path = society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
    if wrong:
        society.reword(path, society.ada.key, verifier=society.bob.party())
    return [(path, VERIFIER)]


def test_below_tier_four_a_verifier_may_be_named_and_not_sign_yet() -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada, tier=3, verifier=society.vera.handle)
    assert verdict(society.tree()) == []
    assert attestation_path(path) in society.files


@breaks("P024")
def an_owner_who_is_the_verifier(society: Society, wrong: bool) -> Places:
    society.renew(verifiers=tuple(sorted((society.vera.handle, society.ada.handle))))
    verifier = society.ada if wrong else society.vera
    path = society.register(GUARD, by=society.ada, tier=4, verifier=verifier.handle)
    return [(path, VERIFIER)]


@breaks("P024")
def a_verifier_who_lists_a_key_of_the_owner(society: Society, wrong: bool) -> Places:
    society.rotate(society.vera, society.vera.key, society.ada.key if wrong else new_keys(1)[0])
    path = society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
    return [(path, VERIFIER)]


@breaks("P025")
def a_verifier_whom_nobody_appointed(society: Society, wrong: bool) -> Places:
    verifier = society.bob if wrong else society.vera
    path = society.register(GUARD, by=society.ada, tier=4, verifier=verifier.handle)
    return [(path, VERIFIER)]


@breaks("P025")
def a_verifier_who_was_dismissed(society: Society, wrong: bool) -> Places:
    path = society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
    society.renew(verifiers=() if wrong else (society.vera.handle,))
    return [(path, VERIFIER)]


# P026 and P027: how far a delegation goes, and what is open to newcomers.


@breaks("P026")
def a_type_that_is_delegated_to_somebody_else(society: Society, wrong: bool) -> Places:
    path = society.register("lab.memory/loom" if wrong else "lab.dream/loom", by=society.bob)
    return [(path, "/node_type")]


@breaks("P026")
def a_type_that_only_begins_like_the_delegated_one(society: Society, wrong: bool) -> Places:
    path = society.register("lab.memorypalace/cache" if wrong else "lab.memory.palace/cache", by=society.ada)
    return [(path, "/node_type")]


@breaks("P026")
def a_lane_that_is_not_delegated(society: Society, wrong: bool) -> Places:
    narrow = replace(society.root.of_owner(society.ada.handle)[0], lanes=("candidate", "lukhas"))
    society.renew(delegations=(narrow,))
    path = society.register(CACHE, by=society.ada, lane="products" if wrong else "lukhas")
    return [(path, "/identity/lane")]


@breaks("P026")
def a_tier_above_the_delegated_ones(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada, tier=7 if wrong else 6, verifier=society.vera.handle)
    return [(path, "/identity/tier")]


@breaks("P026")
def a_newcomer_below_somebody_s_type(society: Society, wrong: bool) -> Places:
    path = society.register("lab.memory.cache/plot" if wrong else "lab.garden/plot", by=society.newt)
    return [(path, "/node_type")]


@breaks("P026")
def a_newcomer_in_a_lane_that_is_not_open(society: Society, wrong: bool) -> Places:
    path = society.register(PLOT, by=society.newt, lane="lukhas" if wrong else "candidate")
    return [(path, "/identity/lane")]


@breaks("P026")
def a_newcomer_above_the_open_tiers(society: Society, wrong: bool) -> Places:
    path = society.register(PLOT, by=society.newt, tier=2 if wrong else 1)
    return [(path, "/identity/tier")]


@breaks("P026")
def a_newcomer_where_nothing_is_open(society: Society, wrong: bool) -> Places:
    path = society.register(PLOT, by=society.newt)
    if wrong:
        society.configure()
    return [(path, OWNER)]


def test_delegations_add_up_and_are_not_mixed() -> None:
    """Ada holds one type up to tier 6, and another, in one lane, up to tier 2: she has not both at once."""
    society = Society()
    wide = society.root.of_owner(society.ada.handle)[0]
    narrow = replace(wide, node_types=("lab.garden",), lanes=("candidate",), max_tier=2)
    society.renew(delegations=trust.in_order([wide, narrow]))
    for identifier, tier in ((CACHE, 3), ("lab.garden/plot", 2)):
        society.register(identifier, by=society.ada, tier=tier)
    assert verdict(society.tree()) == []
    path = society.update("lab.garden/plot", tier=3)
    assert where(society) == [("P026", path, "/identity/tier")]


@breaks("P027")
def a_newcomer_with_one_node_too_many(society: Society, wrong: bool) -> Places:
    """No order says which were first, so it is found on each of them."""
    paths = [society.register(f"garden/plot-{n}", by=society.newt) for n in range(3 if wrong else 2)]
    society.register(CACHE, by=society.ada)
    return [(path, OWNER) for path in paths]


# P028 and P029: files that must not stand together, or alone.


@breaks("P028")
def a_node_under_the_name_of_a_tombstone(society: Society, wrong: bool) -> Places:
    society.register(CACHE, by=society.ada)
    society.deregister(CACHE)
    path = society.put(Node(id=CACHE if wrong else "lab.memory/cache-2", owner=society.ada.handle), "register")
    return [(path, "/metadata/name")]


def test_the_tombstone_of_another_owner_locks_the_name_as_well() -> None:
    society = Society()
    society.register(PLOT, by=society.newt)
    society.deregister(PLOT)
    path = society.put(Node(id=PLOT, owner=society.join("Mallory").handle), "register")
    assert verdict(society.tree()) == [("P028", path)]


@breaks("P029")
def an_attestation_of_a_node_that_is_gone(society: Society, wrong: bool) -> Places:
    path = society.register(CACHE, by=society.ada)
    if wrong:
        del society.files[path]
    return [(attestation_path(path), "")]


@breaks("P029")
def an_attestation_of_a_tombstone_that_is_gone(society: Society, wrong: bool) -> Places:
    society.register(CACHE, by=society.ada)
    path = society.deregister(CACHE)
    if wrong:
        del society.files[path]
    return [(attestation_path(path), "")]


# P030 and P031: the seal.


@breaks("P030")
def a_seal_that_no_maintainer_signed(society: Society, wrong: bool) -> Places:
    society.seal()
    payload = society.provenance().seal.payload()
    key = society.ada.key if wrong else society.keyring["maintainer"][1]
    society.files[SEAL_PATH] = sealed(statement.PAYLOAD_TYPE, payload, key)
    return [(SEAL_PATH, "")]


@breaks("P030")
def a_seal_for_another_registry(society: Society, wrong: bool) -> Places:
    society.seal()
    made = replace(society.provenance().seal, registry_id="lab.elsewhere" if wrong else society.registry_id)
    society.files[SEAL_PATH] = sealed(statement.PAYLOAD_TYPE, made.payload(), society.keyring["maintainer"][0])
    return [(SEAL_PATH, "")]


@breaks("P030")
def a_seal_with_other_words_under_its_signature(society: Society, wrong: bool) -> Places:
    society.seal()
    made = replace(society.provenance().seal, issued_at=NOW + timedelta(days=1))
    if wrong:
        society.change(SEAL_PATH, with_payload, made.payload())
    return [(SEAL_PATH, "")]


@breaks("P031")
def a_policy_that_was_not_sealed(society: Society, wrong: bool) -> Places:
    path = "registry/policies/lab.care.cel.yaml"
    if not wrong:
        society.files[path] = CARE
    society.seal()
    society.files[path] = CARE
    return [(path, "")]


@breaks("P031")
def a_knob_that_was_turned_after_the_seal(society: Society, wrong: bool) -> Places:
    society.seal()
    society.configure(newcomers={"lanes": "[candidate]", "max_tier": 1, "max_nodes": 20 if wrong else 2})
    return [(SETTINGS_PATH, "")]


@breaks("P031")
def a_schema_that_is_gone(society: Society, wrong: bool) -> Places:
    path = "schemas/lab.extra.schema.json"
    society.files[path] = b"{}\n"
    society.seal()
    if wrong:
        del society.files[path]
    return [(path, "")]


def test_a_registry_without_a_seal_protects_nothing_by_it() -> None:
    society = Society()
    society.files["registry/policies/lab.care.cel.yaml"] = CARE
    assert verdict(society.tree()) == []
    society.seal()
    assert NODE_SCHEMA_PATH in dict(society.provenance().seal.files)
    assert verdict(society.tree()) == []


# The readers for people.


def test_people_find_an_owner_by_name_even_while_the_chain_is_broken() -> None:
    society = Society()
    society.rotate(society.ada)
    society.change(society.ada.path(), stripped, society.ada.key.public.key_id)
    provenance = society.provenance()
    assert provenance.names()[society.ada.handle] == "Ada"
    assert society.ada.handle not in provenance.chains()
    assert sorted(chain.current.name for chain in provenance.chains().values()) == ["Bob", "Newt", "Vera"]


def test_the_key_id_on_a_signature_proves_nothing() -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    mallory = new_keys(1)[0]
    society.sign(path, mallory)
    society.change(attestation_path(path), renamed, mallory.public.key_id, society.ada.key.public.key_id)
    assert where(society) == [("P017", path, OWNER)]
