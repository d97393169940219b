"""Signing with an old date.

Ada's key was revoked in March. The thief dates the signature in February; or far in the future, so that it looks
newest; or in a year that no clock has shown. No date that a signer writes decides anything: positions in chains do.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from nodespec.chain import record_path
from nodespec.judge import judge
from nodespec.tree import TRUST
from tests.society import NOW, Society, verdict

CACHE = "lab.memory/cache"
MOMENTS = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    NOW - timedelta(days=3650),
    NOW,
    NOW + timedelta(days=3650),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
]


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_no_date_makes_a_good_signature_bad(moment: datetime) -> None:
    society = Society()
    base = society.tree()
    path = society.register(CACHE, by=society.ada)
    society.reword(path, issued_at=moment)
    assert verdict(society.tree()) == []
    assert verdict(society.tree(), base) == []


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_no_date_makes_a_revoked_key_good(moment: datetime) -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    stolen = society.ada.key
    society.revoke(society.ada, stolen, "compromised")
    base = society.tree()
    society.reword(path, stolen, issued_at=moment, nonce="f" * 32)
    assert verdict(society.tree()) == [("P019", path)]
    assert set(verdict(society.tree(), base)) == {("P019", path), ("C001", path), ("C002", path)}


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_no_date_makes_an_old_attestation_new(moment: datetime) -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    society.update(CACHE)
    base, current = society.tree(), society.attestation(CACHE)
    assert current is not None
    society.update(CACHE)
    society.reword(path, issued_at=moment)
    assert verdict(society.tree(), base) == []
    society.reword(path, issued_at=moment, sequence=current.sequence)
    assert verdict(society.tree(), base) == [("C002", path)]


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_the_date_of_a_trust_root_decides_nothing_either(moment: datetime) -> None:
    """Only its expiry does, by the verifier's clock."""
    society = Society()
    society.renew(issued_at=moment)
    assert verdict(society.tree()) == []


def test_an_expiry_is_judged_by_the_verifier_s_clock() -> None:
    society = Society()
    expires = NOW + timedelta(days=1)
    society.renew(expires=expires)
    second = timedelta(seconds=1)
    for moment, codes in ((expires - second, []), (expires, ["P003"]), (expires + second, ["P003"])):
        found = judge(society.tree(), now=moment).findings
        assert [item.code for item in found] == codes
        assert {item.path for item in found} <= {record_path(TRUST, 2)}
