"""A policy was made stricter. Mallory restores the lax one with its seal, which the maintainers once signed."""

from __future__ import annotations

from nodespec.tree import POLICIES, SEAL_PATH
from tests.village import village

POLICY = f"{POLICIES}lab.care.cel.yaml"


def test_a_policy_and_its_old_seal_do_not_come_back() -> None:
    lax = village()
    lax.files[POLICY] = b"policy: lab.care\n"
    lax.seal()
    strict = lax.copy()
    strict.files[POLICY] = b"policy: lab.care\nstrict: true\n"
    strict.seal()
    assert strict.codes(lax) == []
    assert lax.codes(strict) == ["C008"]


def test_the_lax_policy_under_the_strict_seal_is_found_out_without_a_base() -> None:
    s = village()
    s.files[POLICY] = b"policy: lab.care\nstrict: true\n"
    s.seal()
    assert s.codes() == []
    s.files[POLICY] = b"policy: lab.care\n"
    assert s.codes() == ["P031"]
    del s.files[POLICY]
    assert s.codes() == ["P031"]


def test_taking_the_seal_off_is_no_way_out() -> None:
    base = village()
    base.seal()
    head = base.copy()
    del head.files[SEAL_PATH]
    assert head.codes(base) == ["C008"]
