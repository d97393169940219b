"""The trust root: whom a registry believes, and for what.

``registry/trust/0001.dsse.json``, ``0002…`` are its versions, a chain (:mod:`nodespec.chain`) of DSSE envelopes with
the payload type ``application/vnd.nodespec.trust-root.v1+json``. A payload is canonical JSON (RFC 8785)::

    version              1, 2, 3 …: the file's number
    previous             null, or the hex SHA-256 of the payload before
    registry_id          which registry this is about
    issued_at, expires   UTC, 2026-03-14T09:26:53Z; after expires nothing is believed until a new version is signed
    keys                 every key of the roles: {keyid, scheme, public: base64 of the DER SubjectPublicKeyInfo}
    roles                {root, checkpoint, maintainer}, each {keys: key ids, threshold}
    verifiers            handles of the owners who may be the second signature on others' nodes
    checkpoint_schemes   a checkpoint counts when keys of all these schemes signed it
    attestation_schemes  an owner's signature counts when it is of one of these
    delegations          [{owner, node_types: prefixes, lanes, max_tier}]: who may publish what

**Succession.** Version 1 is signed by the threshold of its own root role, and believed because the client has pinned it
(:mod:`nodespec.pin`). Version N+1 is signed by the root thresholds of N *and* of N+1, and is exactly one more. The
expiry of earlier versions is not checked: they only pass on trust, and a registry that slept must be able to wake.

Lists are in order and without repetition, so that one meaning has one spelling: keys by id, handles and prefixes as
text, lanes and schemes in the order of their definition, delegations by their canonical JSON.

A worked example, with the public key of RFC 8032's first test vector in every role:

>>> from datetime import UTC, datetime
>>> from nodespec.keys import load_der
>>> der = "302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
>>> alone = Quorum(keys=(load_der(bytes.fromhex(der)),), threshold=1)
>>> lab = Delegation(owner="GLYMPH:" + "ab" * 32, node_types=("lab",), lanes=("candidate",), max_tier=3)
>>> root = Root(
...     version=1,
...     previous=None,
...     registry_id="acme",
...     issued_at=datetime(2026, 3, 14, tzinfo=UTC),
...     expires=datetime(2027, 3, 14, tzinfo=UTC),
...     roles=dict.fromkeys(ROLES, alone),
...     verifiers=(),
...     checkpoint_schemes=("ed25519",),
...     attestation_schemes=("ml-dsa-44",),
...     delegations=(lab,),
... )
>>> root.payload().decode()[:98]
'{"attestation_schemes":["ml-dsa-44"],"checkpoint_schemes":["ed25519"],"delegations":[{"lanes":["ca'
>>> str(root.of_owner(lab.owner)[0])
'lab in candidate up to tier 3'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodespec import chain, claims, quorum
from nodespec.chain import BrokenChainError, Link
from nodespec.encoding import canonical_json, quoted
from nodespec.frozen import frozen
from nodespec.keys import SCHEMES
from nodespec.quorum import Quorum
from nodespec.spec import LANES, MAX_TIER
from nodespec.tree import MAX_TYPE_SEGMENTS, SEGMENT, TRUST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nodespec.keys import PublicKey

PAYLOAD_TYPE = "application/vnd.nodespec.trust-root.v1+json"
ROLES = ("root", "checkpoint", "maintainer")
_FIELDS = (
    "registry_id",
    "issued_at",
    "expires",
    "keys",
    "roles",
    "verifiers",
    "checkpoint_schemes",
    "attestation_schemes",
    "delegations",
)


@frozen
class Delegation:
    """An owner may publish nodes of these types and below, in these lanes, up to this tier."""

    owner: str
    node_types: tuple[str, ...]
    lanes: tuple[str, ...]
    max_tier: int

    def fields(self) -> dict[str, Any]:
        """Return it as the payload holds it."""
        return {
            "owner": self.owner,
            "node_types": list(self.node_types),
            "lanes": list(self.lanes),
            "max_tier": self.max_tier,
        }

    def covers_type(self, node_type: str) -> bool:
        """Say whether one of the prefixes is the type, or is followed by a dot in it."""
        return any(node_type == prefix or node_type.startswith(f"{prefix}.") for prefix in self.node_types)

    def __str__(self) -> str:
        """Return it in words."""
        return f"{', '.join(self.node_types)} in {', '.join(self.lanes)} up to tier {self.max_tier}"


@frozen
class Root:
    """One version of the trust root."""

    version: int
    previous: str | None
    registry_id: str
    issued_at: datetime
    expires: datetime
    roles: dict[str, Quorum]
    verifiers: tuple[str, ...]
    checkpoint_schemes: tuple[str, ...]
    attestation_schemes: tuple[str, ...]
    delegations: tuple[Delegation, ...]

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        """Every key of every role."""
        return quorum.in_order(key for role in self.roles.values() for key in role.keys)

    def payload(self) -> bytes:
        """Return the canonical JSON that is signed."""
        roles = {
            name: {"keys": [key.key_id for key in role.keys], "threshold": role.threshold}
            for name, role in self.roles.items()
        }
        return canonical_json(
            {
                "version": self.version,
                "previous": self.previous,
                "registry_id": self.registry_id,
                "issued_at": claims.moment(self.issued_at),
                "expires": claims.moment(self.expires),
                "keys": [key.fields for key in self.keys],
                "roles": roles,
                "verifiers": list(self.verifiers),
                "checkpoint_schemes": list(self.checkpoint_schemes),
                "attestation_schemes": list(self.attestation_schemes),
                "delegations": [item.fields() for item in self.delegations],
            }
        )

    def of_owner(self, owner: str) -> tuple[Delegation, ...]:
        """Return what is delegated to an owner."""
        return tuple(item for item in self.delegations if item.owner == owner)

    def holders_of(self, node_type: str) -> tuple[str, ...]:
        """Return the owners to whom the type, or a prefix of it, is delegated."""
        return tuple(item.owner for item in self.delegations if item.covers_type(node_type))


def in_order(delegations: Sequence[Delegation]) -> tuple[Delegation, ...]:
    """Return delegations as the payload lists them."""
    return tuple(sorted(set(delegations), key=lambda item: canonical_json(item.fields())))


def verify(files: Sequence[tuple[str, bytes]], registry_id: str) -> tuple[Root, ...]:
    """Return every version; raise :class:`BrokenChainError` at the first that does not follow from those before it.

    1. The files are numbered from 0001 without a gap; each is one canonical envelope of a trust root.
    2. Its payload is in its one form, carries the file's number and names the payload before it.
    3. It is about this registry.
    4. The threshold of its own root role has signed it.
    5. From version 2 on, the threshold of the version before has signed it, too.
    6. Nobody else has signed it, and no signature is false.

    What the caller still owes: that version 1 is the one it was told of (a pin), that no version is missing at the end
    (the highest that it has seen), and that the last one has not expired.
    """
    roots: list[Root] = []
    before: Link | None = None
    for link in chain.links(files, TRUST, PAYLOAD_TYPE, first=1):  # 1
        try:
            root = read(link, before)  # 2
            if root.registry_id != registry_id:  # 3
                raise ValueError(f"it is about registry {quoted(root.registry_id)}; this is {quoted(registry_id)}")
            _check_signed(link, root, "its own root keys")  # 4
            if roots:
                _check_signed(link, roots[-1], f"the root keys of version {roots[-1].version}")  # 5
            signers = (key for version in (*roots[-1:], root) for key in version.roles["root"].keys)
            quorum.refuse_strangers(link.envelope, signers)  # 6
        except ValueError as error:
            raise BrokenChainError(link.path, str(error)) from None
        roots.append(root)
        before = link
    return tuple(roots)


def _check_signed(link: Link, root: Root, whose: str) -> None:
    tally = root.roles["root"].counted(link.envelope)
    if not tally.reached:
        raise ValueError(f"it has {tally} by {whose}")


def read(link: Link, before: Link | None) -> Root:
    """Return what a version says, whoever signed it; raise ``ValueError`` when it does not follow ``before``."""
    return _parse(link, chain.fields(link, _FIELDS, "version", chain.digest_of(before)))


def read_alone(link: Link) -> Root:
    """Return what a version says, without looking at the one before it; raise ``ValueError``."""
    return _parse(link, chain.fields(link, _FIELDS, "version", chain.ANY))


def _parse(link: Link, value: dict[str, Any]) -> Root:
    keys = {key.key_id: key for key in quorum.parse_keys(value["keys"])}
    roles = claims.members(value["roles"], ROLES, "roles")
    delegations = tuple(_delegation(item) for item in claims.items(value["delegations"], "delegations"))
    root = Root(
        version=link.number,
        previous=value["previous"],
        registry_id=claims.text(value["registry_id"], "registry_id"),
        issued_at=claims.parse_moment(value["issued_at"], "issued_at"),
        expires=claims.parse_moment(value["expires"], "expires"),
        roles={name: _role(roles[name], name, keys) for name in ROLES},
        verifiers=tuple(claims.handle(item, "a verifier") for item in claims.items(value["verifiers"], "verifiers")),
        checkpoint_schemes=claims.words(value["checkpoint_schemes"], SCHEMES, "checkpoint_schemes", least=1),
        attestation_schemes=claims.words(value["attestation_schemes"], SCHEMES, "attestation_schemes", least=1),
        delegations=in_order(delegations),
    )
    if root.payload() != link.envelope.payload or list(root.verifiers) != sorted(set(root.verifiers)):
        raise ValueError("it is not in its one form: lists in order, nothing twice, no key that has no role")
    return root


def _role(value: Any, name: str, keys: dict[str, PublicKey]) -> Quorum:
    role = claims.members(value, ("keys", "threshold"), f"role {name}")
    ids = [claims.digest(item, f"a key id of role {name}") for item in claims.items(role["keys"], name, least=1)]
    if ids != sorted(set(ids)):
        raise ValueError(f"role {name} must list its keys in order, each once")
    unknown = next((item for item in ids if item not in keys), None)
    if unknown is not None:
        raise ValueError(f"role {name} names key {quorum.short(unknown)}, which is not among keys")
    try:
        return Quorum(keys=tuple(keys[item] for item in ids), threshold=claims.count(role["threshold"], "threshold"))
    except ValueError as error:
        raise ValueError(f"role {name}: {error}") from None


def _delegation(value: Any) -> Delegation:
    fields = claims.members(value, ("owner", "node_types", "lanes", "max_tier"), "a delegation")
    prefixes = tuple(_prefix(item) for item in claims.items(fields["node_types"], "node_types", least=1))
    if list(prefixes) != sorted(set(prefixes)):
        raise ValueError("node_types must be in order, each once")
    return Delegation(
        owner=claims.handle(fields["owner"], "the owner of a delegation"),
        node_types=prefixes,
        lanes=claims.words(fields["lanes"], LANES, "lanes", least=1),
        max_tier=claims.count(fields["max_tier"], "max_tier", most=MAX_TIER),
    )


def _prefix(value: Any) -> str:
    segments = claims.text(value, "a node type").split(".")
    if len(segments) > MAX_TYPE_SEGMENTS or not all(map(SEGMENT.match, segments)):
        raise ValueError(f"{quoted(value)} is not a node type, or the beginning of one")
    return str(value)
