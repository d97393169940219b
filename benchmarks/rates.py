"""How many attestations one core signs and verifies in a second, beside the bare ML-DSA-44 signature.

Everything runs in this process and in turns, on the example registry: a full verification reads the envelope,
authenticates it by the owner's chain (verified once, as in any run), parses the payload, and checks digest, binding,
threshold, scheme and delegation.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.generate import CHECKOUT
from nodespec import attestation, envelope, keys
from nodespec.attestation import Subject
from nodespec.owner import Chain
from nodespec.provenance import Provenance
from nodespec.registry import Registry
from nodespec.tree import attestation_path

if TYPE_CHECKING:
    from collections.abc import Callable

NODE = "matriz.perception.sensor/olfactory_probe_v0"
"""A node with one signature, of the default scheme."""

_BATCH = 500
_TURNS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Verifications in a second, full and bare, and milliseconds within which 95 of 100 end."""

    full: float
    bare: float
    sign_p95: float
    verify_p95: float


def measure() -> Rates:
    """Measure on this machine, now."""
    snapshot = Registry.open(CHECKOUT).at()
    provenance = Provenance(snapshot.tree, snapshot.settings, datetime.now(UTC))
    node = snapshot.get(NODE)
    data, signed = provenance.read(node.path), provenance.read(attestation_path(node.path))
    assert data is not None
    assert signed is not None
    sealed = envelope.parse(signed)
    claim = attestation.Attestation.parse(sealed.payload)
    chain = provenance.chain(node.owner)
    assert isinstance(chain, Chain)
    public, message = chain.current.quorum.keys[0], sealed.message
    private = keys.generate("ml-dsa-44")

    def full() -> None:
        assert attestation.verify(Subject.of_node(node, data), signed, provenance).held

    def bare() -> None:
        public._key.verify(sealed.signatures[0].value, message)

    def sign() -> None:
        envelope.seal(sealed.payload_type, claim.payload, [(private.public.key_id, private)])

    full_times, bare_times, sign_times = [], [], []
    for _ in range(_TURNS):
        full_times.append(_times(full))
        bare_times.append(_times(bare))
        sign_times.append(_times(sign))
    return Rates(
        full=_BATCH / median(map(sum, full_times)),
        bare=_BATCH / median(map(sum, bare_times)),
        sign_p95=median(map(_p95, sign_times)),
        verify_p95=median(map(_p95, full_times)),
    )


def _times(work: Callable[[], None]) -> list[float]:
    taken = []
    for _ in range(_BATCH):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return taken


def _p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.95)] * 1000
