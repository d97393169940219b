"""The thief is faster than Bob: he rotates Bob's chain to a key of his own. The root's key holders give it back."""

from __future__ import annotations

from tests.village import SCOUT, key, village


def test_the_root_recovers_the_owner_and_the_thief_is_out() -> None:
    s = village()
    s.add_record("Bob", [key("thief")], [key("Bob"), key("thief")])
    s.put(SCOUT, "Bob", version="6.6.6")
    assert s.codes() == []  # the thief is Bob, as far as anybody can tell
    s.recover("Bob", "Bob 3")
    assert s.codes() == ["P019"]  # and is not any more
    s.put(SCOUT, "Bob", version="6.6.7")
    assert s.codes() == []


def test_the_thief_cannot_recover_himself() -> None:
    s = village()
    s.recover("Bob", "thief", signers=[key("Bob")])
    assert set(s.codes()) == {"P007"}


def test_a_recovery_for_another_registry_is_none_here() -> None:
    from nodespec.owner import Recovery

    s = village()
    s.recover("Bob", "Bob 2", recovery=Recovery(registry_id="lab.elsewhere", root_version=1))
    assert set(s.codes()) == {"P007"}
