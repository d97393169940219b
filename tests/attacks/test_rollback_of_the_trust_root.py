"""Version 2 took a delegation away. Mallory restores version 1, which is validly signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodespec import pin
from nodespec.chain import record_path
from nodespec.pin import Pin
from nodespec.tree import TRUST
from tests.village import village

if TYPE_CHECKING:
    from pathlib import Path


def test_the_base_remembers() -> None:
    old = village()
    base = old.copy()
    base.next_root(verifiers=())
    assert "C004" not in base.codes(old)
    assert old.codes(base) == ["C004"]


def test_another_version_of_the_same_number_is_no_better() -> None:
    base = village()
    head = base.copy()
    base.next_root()
    head.next_root(checkpoint_schemes=("ed25519",))
    assert head.codes(base) == ["C004"]


def test_a_client_that_pinned_remembers_without_a_base(tmp_path: Path) -> None:
    s = village()
    old = list(s.roots)
    s.next_root()
    path = pin.save(tmp_path, Pin.of(s.roots))
    kept = pin.load(tmp_path, "lab.village")
    assert path.exists()
    assert kept is not None
    assert kept.contradicts(s.roots) is None
    assert "rollback" in (kept.contradicts(old) or "")


def test_a_client_that_pinned_knows_the_first_one() -> None:
    s, other = village(), village()
    kept = Pin.of(s.roots)
    changed = other.roots[0].__class__(**{name: getattr(other.roots[0], name) for name in other.roots[0].__slots__})
    assert kept.contradicts([changed]) is None
    other.roots.clear()
    other.found(verifiers=())
    assert "is pinned" in (kept.contradicts(other.roots) or "")
    assert record_path(TRUST, 1) in other.files
