"""Mallory copies a node and its attestation to another name, or to another type."""

from __future__ import annotations

from nodespec.tree import attestation_path, node_path
from tests.village import SCOUT, village

TWIN = "lab.dream/scouts_twin"


def test_a_copied_attestation_does_not_vouch_for_the_copy() -> None:
    s = village()
    s.files[node_path(TWIN)] = s.text(TWIN, "Bob")
    s.files[attestation_path(node_path(TWIN))] = s.files[s.attestation_file(SCOUT)]
    assert set(s.codes()) == {"P011", "P013"}
    del s.files[attestation_path(node_path(TWIN))]
    s.put(TWIN, "Bob")
    assert s.codes() == []


def test_nor_does_the_same_file_at_another_path() -> None:
    s = village()
    elsewhere = node_path("lab.dream.deep/scout")
    s.files[elsewhere] = s.files[node_path(SCOUT)]
    s.files[attestation_path(elsewhere)] = s.files[s.attestation_file(SCOUT)]
    findings = [(item.code, item.path) for item in s.findings()]
    assert ("P011", elsewhere) in findings
    assert {path for _, path in findings} == {elsewhere}
