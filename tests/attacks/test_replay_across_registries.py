"""Bob publishes in two registries. Mallory carries his signature from the one to the other."""

from __future__ import annotations

from nodespec.tree import SETTINGS_PATH
from tests.village import SCOUT, village


def test_a_signature_for_another_registry_says_nothing_here() -> None:
    s = village()
    s.attest(SCOUT, "Bob", registry_id="lab.elsewhere")
    assert s.codes() == ["P010"]
    s.attest(SCOUT, "Bob")
    assert s.codes() == []


def test_a_whole_registry_under_another_name_is_not_believed() -> None:
    s = village()
    s.files[SETTINGS_PATH] = s.files[SETTINGS_PATH].replace(b"lab.village", b"lab.elsewhere")
    assert s.codes() == ["P002"]
