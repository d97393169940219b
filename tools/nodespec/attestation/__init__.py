"""Attestations: who stands behind a file, signed over exactly its bytes.

- ``payload``: what an attestation says, the format;
- ``subject``: what it must be about, a node's or a tombstone's file;
- ``steps``: whether it holds, in eleven steps.
"""

from nodespec.attestation.payload import ACTIONS, PREDICATE, Attestation, Party, read
from nodespec.attestation.steps import Believed, beyond_delegation, verify
from nodespec.attestation.subject import VERIFIED_TIER, Subject

__all__ = [
    "ACTIONS",
    "PREDICATE",
    "VERIFIED_TIER",
    "Attestation",
    "Believed",
    "Party",
    "Subject",
    "beyond_delegation",
    "read",
    "verify",
]
