"""Mallory changes a node and takes the signatures off, or leaves too few, hoping that none is asked for."""

from __future__ import annotations

from dataclasses import replace

from tests.village import GUARD, SCOUT, key, village


def test_no_signature_is_no_attestation() -> None:
    s = village()
    path = s.attestation_file(SCOUT)
    s.files[path] = replace(s.signed(SCOUT), signatures=()).dump()
    assert s.codes() == ["P009"]


def test_no_attestation_is_no_node() -> None:
    s = village()
    del s.files[s.attestation_file(SCOUT)]
    assert s.codes() == ["P008"]


def test_the_verifiers_signature_cannot_be_left_out() -> None:
    s = village()
    owners = tuple(item for item in s.signed(GUARD).signatures if item.key_id == key("Ada").public.key_id)
    assert len(owners) == 1
    s.replace_signed(GUARD, replace(s.signed(GUARD), signatures=owners))
    assert s.codes() == ["P023"]


def test_nor_can_the_owners() -> None:
    s = village()
    verifiers = tuple(item for item in s.signed(GUARD).signatures if item.key_id == key("Vera").public.key_id)
    s.replace_signed(GUARD, replace(s.signed(GUARD), signatures=verifiers))
    assert s.codes() == ["P015"]


def test_with_both_it_passes() -> None:
    s = village()
    assert len(s.signed(GUARD).signatures) == 2
    assert s.codes() == []
