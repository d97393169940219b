"""Mallory combines a file from one commit with an attestation from another, each of them genuine."""

from __future__ import annotations

from nodespec.tree import node_path
from tests.village import PROBE, SCOUT, village


def test_a_new_file_with_the_old_attestation() -> None:
    s = village()
    s.files[node_path(SCOUT)] = s.text(SCOUT, "Bob", version="1.1.0")
    assert set(s.codes()) == {"P012", "P013"}


def test_an_old_file_with_the_new_attestation() -> None:
    s = village()
    old = s.files[node_path(SCOUT)]
    s.put(SCOUT, "Bob", version="1.1.0")
    assert s.codes() == []
    s.files[node_path(SCOUT)] = old
    assert set(s.codes()) == {"P012", "P013"}


def test_two_attestations_that_changed_places() -> None:
    s = village()
    ours, theirs = s.attestation_file(SCOUT), s.attestation_file(PROBE)
    s.files[ours], s.files[theirs] = s.files[theirs], s.files[ours]
    assert set(s.codes()) == {"P015"}
