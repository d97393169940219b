"""Completing what others began: which keys a partly signed file still waits for.

Work of several parties is a file that goes from hand to hand, in a branch or by mail: a version of the trust root, an
owner's record, an attestation. Each signer adds a signature; nobody sends a private key. What is asked here is only
*whose* signatures a file can take; whether they suffice is for the verification.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from nodespec import attestation, chain, owner, seal, trust
from nodespec.encoding import quoted
from nodespec.errors import UsageError
from nodespec.frozen import frozen
from nodespec.quorum import short
from nodespec.tree import ATTESTATION_SUFFIX, NODES, OWNERS, SEAL_PATH, TOMBSTONES, TRUST, attestation_path, node_id
from nodespec.verification import Problem

if TYPE_CHECKING:
    from nodespec.attestation import Attestation
    from nodespec.chain import Link
    from nodespec.envelope import Envelope
    from nodespec.owner import Chain
    from nodespec.provenance import Provenance
    from nodespec.quorum import Quorum
    from nodespec.seal import Seal
    from nodespec.trust import Root


@frozen
class Waiting:
    """A file, what it says in a sentence, each quorum that must sign, by its name, and those who sign now."""

    path: str
    envelope: Envelope
    says: str
    quorums: tuple[tuple[str, Quorum], ...]
    details: tuple[str, ...] = ()
    verifier: bool = False

    @property
    def signing(self) -> tuple[tuple[str, Quorum], ...]:
        """The quorums whose keys may sign now: the verifier's, or all others."""
        return tuple(item for item in self.quorums if item[0].startswith("the verifier") == self.verifier)

    @property
    def missing(self) -> tuple[str, ...]:
        """Say in words whose signatures are missing."""
        tallies = ((name, quorum.counted(self.envelope)) for name, quorum in self.quorums)
        return tuple(f"{name} ({tally})" for name, tally in tallies if not tally.reached)


def waiting(provenance: Provenance, path: str, *, verifier: bool = False, base: Provenance | None = None) -> Waiting:
    """Return what the file at ``path`` waits for; of an attestation, with ``verifier``, the second signature only.

    ``base`` is what a seal is compared with, to say what it changes.

    Raises ``UsageError`` when it is not a file that is signed, or says nothing that could be signed.
    """
    data = provenance.read(path)
    if data is None:
        raise UsageError(f"{path} does not exist")
    try:
        if path.startswith(TRUST):
            return _trust(provenance, path)
        if path.startswith(OWNERS):
            return _owner(provenance, path)
        if path == SEAL_PATH:
            return _seal(provenance, data, base.seal if base is not None else None)
        if path.startswith((NODES, TOMBSTONES)) and path.endswith(ATTESTATION_SUFFIX):
            return _attestation(provenance, path, data, verifier=verifier)
    except ValueError as error:
        raise UsageError(f"{path} cannot be signed: {error}") from None
    hint = "give a node's id, or a file that ends in .dsse.json under registry/"
    raise UsageError(f"{path} is not a file that is signed", hint=hint)


def _links(provenance: Provenance, path: str, payload_type: str, first: int) -> tuple[Link | None, Link]:
    folder = path.rpartition("/")[0] + "/"
    files = [(other, provenance.read(other) or b"") for other in provenance.records(folder) if other <= path]
    found = chain.links(files, folder, payload_type, first=first)
    return (found[-2] if len(found) > 1 else None), found[-1]


def _trust(provenance: Provenance, path: str) -> Waiting:
    before, link = _links(provenance, path, trust.PAYLOAD_TYPE, 1)
    root = trust.read(link, before)
    quorums = [(f"the root keys of version {root.version}", root.roles["root"])]
    if before is not None:
        quorums.append((f"the root keys of version {root.version - 1}", trust.read_alone(before).roles["root"]))
    if root.registry_id != provenance.settings.registry_id:
        raise ValueError(f"it is about registry {quoted(root.registry_id)}")
    says = f"version {root.version} of the trust root of {root.registry_id}, until {root.expires:%Y-%m-%d}"
    details = changes(trust.read_alone(before) if before else None, root)
    return Waiting(path=path, envelope=link.envelope, says=says, quorums=tuple(quorums), details=details)


def changes(before: Root | None, root: Root) -> tuple[str, ...]:
    """Say what a version of the trust root changes, or, of the first, what it holds."""
    lines = []
    for name, role in root.roles.items():
        old = before.roles[name] if before else None
        if old is None or old.threshold != role.threshold:
            lines.append(f"{name}: {role.threshold} of {len(role.keys)} keys must sign")
        lines += _key_changes(name, old, role)
    was, now = _grants(before) if before else set(), _grants(root)
    lines += [f"+ {item}" for item in sorted(now - was)] + [f"- {item}" for item in sorted(was - now)]
    return tuple(lines)


def _key_changes(name: str, old: Quorum | None, new: Quorum) -> list[str]:
    was, now = ({key.key_id for key in (quorum.keys if quorum else ())} for quorum in (old, new))
    return [f"+ {name} key {short(key)}" for key in sorted(now - was)] + [
        f"- {name} key {short(key)}" for key in sorted(was - now)
    ]


def _grants(root: Root) -> set[str]:
    found = {f"delegation to {short(item.owner)}: {item}" for item in root.delegations}
    found |= {f"verifier {short(handle)}" for handle in root.verifiers}
    found |= {f"checkpoint scheme {scheme}" for scheme in root.checkpoint_schemes}
    return found | {f"attestation scheme {scheme}" for scheme in root.attestation_schemes}


def _owner(provenance: Provenance, path: str) -> Waiting:
    before, link = _links(provenance, path, owner.PAYLOAD_TYPE, 0)
    handle = owner.PREFIX + path.removeprefix(OWNERS).partition("/")[0]
    record = owner.read(link, before)
    quorums = [(f"the keys of record {record.sequence}", record.quorum)]
    if record.recovery is not None:
        version = record.recovery.root_version
        root = next((root for root in provenance.roots if root.version == version), None)
        if root is None:
            raise ValueError(f"version {version} of the trust root is not here")
        quorums.append((f"the root keys of version {version}", root.roles["root"]))
    elif before is not None:
        quorums.append((f"the keys of record {record.sequence - 1}", owner.read_alone(before).quorum))
    if record.recovery is not None and record.recovery.registry_id != provenance.settings.registry_id:
        raise ValueError(f"it is a recovery in registry {quoted(record.recovery.registry_id)}")
    how = "a recovery by the trust root, " if record.recovery else ""
    says = f"{how}record {record.sequence} of owner {record.name} ({short(handle)})"
    old = owner.read_alone(before).quorum if before else None
    details = (
        f"{record.quorum.threshold} of {len(record.quorum.keys)} keys must sign from now on",
        *_key_changes("owner", old, record.quorum),
        *(f"revoked as {item.reason}: key {short(item.key_id)}" for item in record.revoked),
    )
    return Waiting(path=path, envelope=link.envelope, says=says, quorums=tuple(quorums), details=details)


def _attestation(provenance: Provenance, path: str, data: bytes, *, verifier: bool) -> Waiting:
    sealed, claim = attestation.read(data)
    about = provenance.read(claim.path) or b""
    if attestation_path(claim.path) != path or sha256(about).hexdigest() != claim.sha256:
        raise ValueError(f"it is not about the bytes that stand in {claim.path}")
    if claim.registry_id != provenance.settings.registry_id:
        raise ValueError(f"it was made for registry {quoted(claim.registry_id)}")
    if node_id(claim.path) != claim.node_id:
        raise ValueError(f"it is about {quoted(claim.node_id)}, whose file is another")
    parties = (("the owner", claim.owner), ("the former owner", claim.from_owner), ("the verifier", claim.verifier))
    quorums = []
    for name, party in parties:
        if party is None:
            continue
        found = provenance.chain(party.handle)
        if isinstance(found, Problem):
            raise ValueError(found.message)
        if party.record >= len(found.records):
            raise ValueError(f"it names record {party.record} of {found.current.name}, which does not exist")
        quorums.append((f"{name} {called(found)}", found.records[party.record].quorum))
    details = tuple(f"{name}" for name, _ in quorums)
    return Waiting(
        path=path, envelope=sealed, says=describe(claim), quorums=tuple(quorums), details=details, verifier=verifier
    )


def _seal(provenance: Provenance, data: bytes, before: Seal | None) -> Waiting:
    sealed, claim = seal.read(data)
    if claim.registry_id != provenance.settings.registry_id:
        raise ValueError(f"it was made for registry {quoted(claim.registry_id)}")
    if not provenance.roots:
        raise ValueError("there is no trust root that verifies, so there are no maintainers")
    if seal.differences(claim.files, provenance.protected()):
        raise ValueError("it is not about the files that stand here")
    quorums = (("the maintainers", provenance.root.roles["maintainer"]),)
    says = f"seal {claim.sequence} of {claim.registry_id} over {len(claim.files)} files"
    details = sealed_changes(before, claim)
    return Waiting(path=SEAL_PATH, envelope=sealed, says=says, quorums=quorums, details=details)


def sealed_changes(before: Seal | None, after: Seal) -> tuple[str, ...]:
    """Say which files a seal adds, changes and lets go, compared with the one before it."""
    was, now = dict(before.files if before else ()), dict(after.files)
    signs = ((path, "+" if path not in was else "-" if path not in now else "~") for path in sorted(was | now))
    return tuple(f"{sign} {path}" for path, sign in signs if was.get(path) != now.get(path))


def called(chain: Chain) -> str:
    """Return how people know an owner: by a name that anybody may take, and the handle that nobody else has."""
    return f"{chain.current.name} ({short(chain.handle)})"


def describe(claim: Attestation) -> str:
    """Say in a sentence what an attestation says.

    It goes to people who are about to sign, so it names what they answer for.
    """
    what = f"{claim.action} {claim.node_id} {claim.version} in {claim.registry_id}"
    return f"{what} (sequence {claim.sequence}, SHA-256 {claim.sha256})"
