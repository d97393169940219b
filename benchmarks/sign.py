"""Sign a made-up registry: owners in place of the handles in its specs, a trust root, an attestation for each node.

Keys are fresh and ML-DSA signs with randomness, so two signed registries are never the same bytes; their shape and
size are.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nodespec import document, envelope, keys, owner, spec, statement, trust
from nodespec.attestation import Attestation, Party, Subject
from nodespec.chain import record_path
from nodespec.quorum import Quorum, in_order
from nodespec.registry import Registry
from nodespec.spec import LANES, MAX_TIER
from nodespec.tree import TRUST, attestation_path
from nodespec.trust import Delegation, Root

if TYPE_CHECKING:
    from pathlib import Path

    from nodespec.keys import PrivateKey

_HANDLE = re.compile(rb"GLYMPH:[0-9a-f]{64}")


def sign(folder: Path) -> int:
    """Sign every node below ``folder``; return how many there are."""
    paths = sorted((folder / "registry/nodes").rglob("*.yaml"))
    texts = {path: path.read_bytes() for path in paths}
    old = sorted({handle for data in texts.values() for handle in _HANDLE.findall(data)})
    private = {handle: keys.generate("ml-dsa-44") for handle in old}
    handles = {handle: _found(folder, f"Owner {number}", key) for number, (handle, key) in enumerate(private.items())}
    by_handle = {handles[handle]: key for handle, key in private.items()}
    moment = datetime.now(UTC).replace(microsecond=0)
    registry_id = Registry.open(folder).at().settings.registry_id
    prefixes = tuple(sorted({path.relative_to(folder / "registry/nodes").parts[0] for path in paths}))
    target = folder / record_path(TRUST, 1)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(trust_root(registry_id, tuple(by_handle), prefixes, moment)[0])
    for path, text in texts.items():
        data = _HANDLE.sub(lambda match: handles[match.group()].encode(), text)
        inside = str(path.relative_to(folder))
        value = document.parse(data).value
        assert value is not None
        subject = Subject.of_node(spec.from_value(value, inside), data)
        path.write_bytes(data)
        (folder / attestation_path(inside)).write_bytes(_attest(subject, registry_id, by_handle, moment))
    return len(paths)


def _found(folder: Path, name: str, key: PrivateKey) -> str:
    """Write an owner's genesis; return the handle."""
    record = owner.Record(sequence=0, previous=None, name=name, quorum=Quorum(keys=(key.public,), threshold=1))
    handle = owner.handle_of(record.payload())
    _write(folder, record_path(owner.folder_of(handle), 0), owner.PAYLOAD_TYPE, record.payload(), [key])
    return handle


def trust_root(
    registry_id: str, owners: tuple[str, ...], prefixes: tuple[str, ...], moment: datetime
) -> tuple[bytes, list[PrivateKey]]:
    """Return a trust root by which all owners publish everything and verify for others, and the checkpoint keys."""
    key, second = keys.generate("ml-dsa-44"), keys.generate("ed25519")
    single = Quorum(keys=(key.public,), threshold=1)
    root = Root(
        version=1,
        previous=None,
        registry_id=registry_id,
        issued_at=moment,
        expires=moment + timedelta(days=365),
        roles={
            "root": single,
            "checkpoint": Quorum(keys=in_order([key.public, second.public]), threshold=1),
            "maintainer": single,
        },
        verifiers=tuple(sorted(owners)),
        checkpoint_schemes=("ml-dsa-44", "ed25519"),
        attestation_schemes=("ml-dsa-44",),
        delegations=trust.in_order(
            [Delegation(owner=one, node_types=prefixes, lanes=LANES, max_tier=MAX_TIER) for one in owners]
        ),
    )
    return seal(trust.PAYLOAD_TYPE, root.payload(), [key]), [key, second]


def _attest(subject: Subject, registry_id: str, private: dict[str, PrivateKey], moment: datetime) -> bytes:
    verifier = subject.verifier if subject.needs_verifier else None
    claim = Attestation(
        path=subject.path,
        sha256=subject.sha256,
        registry_id=registry_id,
        node_id=subject.node_id,
        version=subject.version,
        action="register",
        owner=Party(handle=subject.owner, record=0),
        from_owner=None,
        verifier=Party(handle=verifier, record=0) if verifier else None,
        sequence=0,
        previous=None,
        issued_at=moment,
        nonce="0" * 32,
    )
    signers = [private[party.handle] for party in claim.parties]
    return seal(statement.PAYLOAD_TYPE, claim.payload, signers)


def seal(payload_type: str, payload: bytes, signers: list[PrivateKey]) -> bytes:
    """Return the envelope's bytes."""
    return envelope.seal(payload_type, payload, [(key.public.key_id, key) for key in signers]).dump()


def _write(folder: Path, path: str, payload_type: str, payload: bytes, signers: list[PrivateKey]) -> None:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(seal(payload_type, payload, signers))
