"""Taking the trust root back.

Version 2 dismissed a verifier and took a delegation away. Mallory restores version 1, which is validly signed: she
deletes version 2, or puts another version 2 in its place that the same keys once signed. The tree by itself is in
order. A base remembers, and so does whoever has pinned the root.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from nodespec.chain import record_path
from nodespec.pin import Pin
from nodespec.tree import TRUST
from tests.society import NOW, Society, delegation, new_keys, verdict

FIRST, SECOND = record_path(TRUST, 1), record_path(TRUST, 2)
GUARD = "lab.memory/guard"


def test_the_base_remembers_the_newer_version() -> None:
    society = Society()
    path = society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
    old = society.tree()
    society.renew(verifiers=())
    assert verdict(society.tree()) == [("P025", path)]
    society.update(GUARD, tier=3, verifier=None)
    base = society.tree()
    assert verdict(base) == []
    assert verdict(old) == []
    assert verdict(old, base) == [("C002", path), ("C004", SECOND)]


def test_a_version_under_the_same_number_is_no_better() -> None:
    society = Society()
    other = society.fork()
    society.renew(verifiers=())
    other.renew(delegations=(delegation(other.newt, "lab"),))
    for tree, base in ((society.tree(), other.tree()), (other.tree(), society.tree())):
        assert verdict(tree) == []
        assert verdict(tree, base) == [("C004", SECOND)]


def test_the_first_version_is_not_replaced() -> None:
    """Mallory founds the registry once more, with keys of her own. Inside, everything fits."""
    society = Society()
    society.register(GUARD, by=society.ada)
    base = society.tree()
    mallory = Society()
    society.files[FIRST] = mallory.files[FIRST]
    society.files |= {path: data for path, data in mallory.files.items() if path not in base.files}

    assert ("C004", FIRST) in verdict(society.tree(), base)


def test_who_has_pinned_the_root_needs_no_base() -> None:
    society = Society()
    society.renew()
    pinned = Pin.of(society.roots)
    assert pinned.contradicts(society.roots) is None
    assert pinned.contradicts([*society.roots, society.renew()]) is None
    assert "ends with version 1, and version 2 is pinned (rollback)" in str(pinned.contradicts(society.roots[:1]))
    another = replace(society.roots[1], issued_at=NOW + timedelta(days=1))
    assert "is not the one that is pinned" in str(pinned.contradicts([society.roots[0], another]))
    assert "is pinned" in str(pinned.contradicts(Society().roots))


def test_an_expired_root_does_not_come_back_either() -> None:
    """Rolling back to a version that has expired meanwhile is found even without a base."""
    society = Society()
    society.renew(expires=NOW - timedelta(days=1))
    old = society.tree()
    society.renew(expires=NOW + timedelta(days=1))
    base = society.tree()
    assert verdict(base) == []
    assert verdict(old) == [("P003", SECOND)]
    assert sorted(verdict(old, base)) == [("C004", record_path(TRUST, 3)), ("P003", SECOND)]


def test_the_keys_of_a_past_version_sign_no_new_one() -> None:
    society = Society()
    past = society.root_signers()
    society.renew(root_keys=new_keys(3))
    honest = society.fork()
    honest.renew()
    assert verdict(honest.tree()) == []
    grabbing = replace(society.next_root(), delegations=(delegation(society.newt, "lab"),))
    path = society.write_root(grabbing, society.keyring, past)
    assert verdict(society.tree()) == [("P002", path)]
