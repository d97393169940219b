"""Mallory signs with a key of his own and writes the owner's key id beside it: the id is a hint, and proves nothing."""

from __future__ import annotations

from dataclasses import replace

from nodespec.envelope import Signature
from tests.village import SCOUT, key, village


def test_a_borrowed_key_id_does_not_make_a_signature_valid() -> None:
    s = village()
    forged = Signature(key_id=key("Bob").public.key_id, value=key("Mallory").sign(s.signed(SCOUT).message))
    s.replace_signed(SCOUT, replace(s.signed(SCOUT), signatures=(forged,)))
    assert s.codes() == ["P017"]


def test_nor_does_a_valid_signature_under_somebody_elses_id() -> None:
    s = village()
    real = s.signed(SCOUT).signatures[0]
    s.replace_signed(SCOUT, replace(s.signed(SCOUT), signatures=(replace(real, key_id="0" * 64),)))
    assert s.codes() == ["P015"]
    s.replace_signed(SCOUT, replace(s.signed(SCOUT), signatures=(real,)))
    assert s.codes() == []
