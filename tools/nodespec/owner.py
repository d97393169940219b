r"""Owners: a handle that outlives every key, and the chain of records that says which keys speak for it.

``registry/owners/<64 hex>/0000.dsse.json``, ``0001…`` are one owner's records, a chain (:mod:`nodespec.chain`) of
DSSE envelopes with the payload type ``application/vnd.nodespec.owner-record.v1+json``. A payload is canonical JSON
(RFC 8785)::

    sequence   0 (genesis), 1, 2 …: the file's number
    previous   null, or the hex SHA-256 of the payload before
    name       what people call the owner, 1 to 200 characters
    keys       1 to 16 of {keyid, scheme, public: base64 of the DER SubjectPublicKeyInfo}, in order of keyid
    threshold  how many of them must sign for the owner
    revoked    keys that stop here: {keyid, reason superseded|lost|compromised, from_record, standing}
    recovery   null, or {registry_id, root_version}: the trust root put the owner back in possession

**Handle.** ``GLYMPH:`` and the hex SHA-256 of ``"glymph-owner/v1\0"`` ‖ the genesis payload. Whoever shows another
genesis shows another owner.

**Succession.** A genesis is signed by its own threshold. Every later record is signed by the threshold of the record
before it *and* by its own, so that nobody hands over to keys that nobody holds. A recovery, for an owner who cannot do
the former, is signed by the threshold of the trust root's version that it names instead, and by its own.

**Revocation.** A revoked key is in none of the records from that one on. *superseded* and *lost* change nothing about
what it signed. *compromised* says from which record of this chain on its signatures mean nothing: an attestation that
names record ``from_record`` or a later one does not count this key, unless ``standing`` lists the attestation's
digest (the hex SHA-256 of its payload): those stood in a checkpoint from before the loss. Positions are numbers of
this chain, and no date has a say.

A worked example, with the public key of RFC 8032's first test vector:

>>> from nodespec.keys import load_der
>>> der = "302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
>>> key = load_der(bytes.fromhex(der))
>>> genesis = Record(sequence=0, previous=None, name="Ada", quorum=Quorum(keys=(key,), threshold=1))
>>> genesis.payload().decode()[:72]
'{"keys":[{"keyid":"06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455'
>>> handle_of(genesis.payload())
'GLYMPH:e054c78df5ad52b2d79117b6d3f3e421b2acef5f77ff8feed88bea06cc9d319c'
>>> folder_of(handle_of(genesis.payload()))
'registry/owners/e054c78df5ad52b2d79117b6d3f3e421b2acef5f77ff8feed88bea06cc9d319c/'
"""

from __future__ import annotations

import unicodedata
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from nodespec import chain, claims, envelope, quorum
from nodespec.chain import BrokenChainError, Link
from nodespec.encoding import canonical_json, quoted
from nodespec.frozen import frozen
from nodespec.quorum import Quorum
from nodespec.tree import OWNERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nodespec.trust import Root

PAYLOAD_TYPE = "application/vnd.nodespec.owner-record.v1+json"
DOMAIN = b"glymph-owner/v1\0"
PREFIX = "GLYMPH:"
REASONS = ("superseded", "lost", "compromised")
_FIELDS = ("name", "keys", "threshold", "revoked", "recovery")


@frozen
class Revocation:
    """A key that stops; ``standing`` are the digests of the attestations that still count although it signed them."""

    key_id: str
    reason: str
    from_record: int
    standing: tuple[str, ...] = ()

    def fields(self) -> dict[str, Any]:
        """Return it as the payload holds it."""
        return {
            "keyid": self.key_id,
            "reason": self.reason,
            "from_record": self.from_record,
            "standing": list(self.standing),
        }

    def voids(self, record: int, attestation: str) -> bool:
        """Say whether the key's signature on an attestation that names ``record`` means nothing."""
        return self.reason == "compromised" and record >= self.from_record and attestation not in self.standing


@frozen
class Recovery:
    """The trust root's version whose threshold signed instead of the record before."""

    registry_id: str
    root_version: int


@frozen
class Record:
    """One record: who speaks for the owner from here on."""

    sequence: int
    previous: str | None
    name: str
    quorum: Quorum
    revoked: tuple[Revocation, ...] = ()
    recovery: Recovery | None = None

    def payload(self) -> bytes:
        """Return the canonical JSON that is signed."""
        recovery = None
        if self.recovery is not None:
            recovery = {"registry_id": self.recovery.registry_id, "root_version": self.recovery.root_version}
        return canonical_json(
            {
                "sequence": self.sequence,
                "previous": self.previous,
                "name": self.name,
                "keys": [key.fields for key in self.quorum.keys],
                "threshold": self.quorum.threshold,
                "revoked": [item.fields() for item in self.revoked],
                "recovery": recovery,
            }
        )


@frozen
class Chain:
    """An owner: the handle and every record, all verified."""

    handle: str
    records: tuple[Record, ...]

    @property
    def current(self) -> Record:
        """The record that speaks for the owner now."""
        return self.records[-1]

    def void(self, key_id: str, record: int, attestation: str) -> Revocation | None:
        """Return the revocation, if any, by which this key's signature on this attestation means nothing."""
        for later in self.records:
            for item in later.revoked:
                if item.key_id == key_id and item.voids(record, attestation):
                    return item
        return None


def handle_of(genesis: bytes) -> str:
    """Return the handle that a genesis payload stands for.

    >>> handle_of(b"{}")
    'GLYMPH:e3ca772ae4cc4d12b9546f506b2e016f2115c2845cec6ff09f8b786d357340ef'
    """
    return PREFIX + sha256(DOMAIN + genesis).hexdigest()


_LOOKS_LIKE = str.maketrans(
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0456\u0458\u0455\u0501\u04bb\u04cf\u051b\u051d"
    "\u03b1\u03b2\u03b5\u03b6\u03b7\u03b9\u03ba\u03bc\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7",
    "abekmhopctyxijsdhlqwabezhikmnoptyx",
)
"""Cyrillic and Greek letters of which one of the cases cannot be told from a Latin one (UTS #39, confusables)."""


def likeness(name: str) -> str:
    """Return what is left of a name for somebody who reads it in passing: letters and digits, in one case and script.

    >>> likeness("Dana's Lab"), likeness("DANA S. LAB"), likeness("\uff24ana's lab"), likeness("D\u0430na's Lab")
    ('danaslab', 'danaslab', 'danaslab', 'danaslab')
    """
    plain = unicodedata.normalize("NFKC", name).casefold().translate(_LOOKS_LIKE)
    return "".join(filter(str.isalnum, plain))


def folder_of(handle: str) -> str:
    """Return where an owner's records stand."""
    return f"{OWNERS}{handle.removeprefix(PREFIX)}/"


def verify(handle: str, files: Sequence[tuple[str, bytes]], roots: Sequence[Root]) -> Chain:
    """Return the chain; raise :class:`BrokenChainError` at the first record that does not follow from those before it.

    1. The files are numbered from 0000 without a gap; each is one canonical envelope of an owner record.
    2. Its payload is in its one form, carries the file's number and names the payload before it.
    3. The handle is the genesis's (:func:`handle_matches` asks this alone).
    4. The record's own threshold has signed it.
    5. After the genesis, the threshold of the record before has signed it, too; in a recovery, that of the trust root.
    6. Nobody else has signed it, and no signature is false.
    7. No key comes back after it was revoked, and nothing is revoked that was not there.

    What the caller still owes: that no record is missing at the end, which only a base to compare with can show.
    """
    records: list[Record] = []
    keys = _Keys()
    before: Link | None = None
    for link in chain.links(files, folder_of(handle), PAYLOAD_TYPE, first=0):  # 1
        try:
            record = read(link, before)  # 2
            if not records and handle_of(link.envelope.payload) != handle:  # 3
                raise ValueError("the handle is not the one that this genesis stands for")
            quorums = [(record.quorum, "its own keys"), *(_before(record, records[-1], roots) if records else ())]
            for who, whose in quorums:  # 4, 5
                tally = who.counted(link.envelope)
                if not tally.reached:
                    raise ValueError(f"it has {tally} by {whose}")
            quorum.refuse_strangers(link.envelope, (key for who, _ in quorums for key in who.keys))  # 6
            keys.follow(record)  # 7
        except ValueError as error:
            raise BrokenChainError(link.path, str(error)) from None
        records.append(record)
        before = link
    if not records:
        raise BrokenChainError(chain.record_path(folder_of(handle), 0), "there is no genesis record")
    return Chain(handle=handle, records=tuple(records))


def handle_matches(handle: str, genesis: bytes) -> bool:
    """Say whether a genesis file, if it can be read at all, is this owner's; what cannot be read is another matter."""
    try:
        return handle_of(envelope.parse(genesis).payload) == handle
    except ValueError:
        return True


def genesis_name(genesis: bytes) -> str:
    """Return the name in a genesis file, by which people find an owner whose chain is under way; empty without one."""
    try:
        sealed = envelope.parse_exact(genesis, PAYLOAD_TYPE)
        return read(Link(path="", number=0, envelope=sealed), None).name
    except ValueError:
        return ""


def _before(record: Record, last: Record, roots: Sequence[Root]) -> Iterator[tuple[Quorum, str]]:
    """Yield who must sign besides the record's own keys, and whose keys these are."""
    wanted = record.recovery
    if wanted is None:
        yield last.quorum, f"the keys of record {last.sequence}"
        return
    root = next((root for root in roots if root.version == wanted.root_version), None)
    if root is None:
        raise ValueError(f"it is a recovery by version {wanted.root_version} of the trust root, which is not here")
    if wanted.registry_id != root.registry_id:
        raise ValueError(f"it is a recovery in registry {quoted(wanted.registry_id)}")
    yield root.roles["root"], f"the root keys of version {root.version}, which a recovery needs"


def check(records: Sequence[Record]) -> None:
    """Raise ``ValueError`` when the last of these records could never follow from the others, whoever signs it."""
    unsigned = envelope.Envelope(payload_type=PAYLOAD_TYPE, payload=records[-1].payload(), signatures=())
    read_alone(Link(path="", number=records[-1].sequence, envelope=unsigned))
    keys = _Keys()
    for record in records:
        keys.follow(record)


class _Keys:
    """The keys that a chain has listed so far, and those that it has revoked."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.revoked: set[str] = set()

    def follow(self, record: Record) -> None:
        """Take the next record in; raise ``ValueError`` when it may not follow."""
        self.revoked |= {item.key_id for item in record.revoked}
        back = next((key for key in record.quorum.keys if key.key_id in self.revoked), None)
        if back is not None:
            raise ValueError(f"it lists key {quorum.short(back.key_id)}, which is revoked")
        for item in record.revoked:
            if item.key_id not in self.known:
                raise ValueError(f"it revokes key {quorum.short(item.key_id)}, which no earlier record lists")
            if item.from_record >= record.sequence:
                raise ValueError("it revokes a key from a record on that is not before it")
        self.known |= {key.key_id for key in record.quorum.keys}


def read(link: Link, before: Link | None) -> Record:
    """Return what a record says, whoever signed it; raise ``ValueError`` when it is not one that follows ``before``."""
    return _parse(link, chain.fields(link, _FIELDS, "sequence", chain.digest_of(before)))


def read_alone(link: Link) -> Record:
    """Return what a record says, without looking at the one before it; raise ``ValueError``."""
    return _parse(link, chain.fields(link, _FIELDS, "sequence", chain.ANY))


def _parse(link: Link, value: dict[str, Any]) -> Record:
    revoked = tuple(_revocation(item) for item in claims.items(value["revoked"], "revoked"))
    record = Record(
        sequence=link.number,
        previous=value["previous"],
        name=claims.title(value["name"], "name"),
        quorum=Quorum(
            keys=quorum.parse_keys(value["keys"]), threshold=claims.count(value["threshold"], "threshold", least=1)
        ),
        revoked=revoked,
        recovery=None if value["recovery"] is None else _recovery(value["recovery"]),
    )
    if [item.key_id for item in revoked] != sorted({item.key_id for item in revoked}):
        raise ValueError("revoked must be in order of keyid, each key once")
    if link.number == 0 and (record.recovery or record.revoked):
        raise ValueError("a genesis neither recovers nor revokes")
    return record


def _revocation(value: Any) -> Revocation:
    fields = claims.members(value, ("keyid", "reason", "from_record", "standing"), "a revocation")
    standing = [claims.digest(item, "standing") for item in claims.items(fields["standing"], "standing")]
    reason = claims.one_of(fields["reason"], REASONS, "reason")
    if standing != sorted(set(standing)) or (standing and reason != "compromised"):
        raise ValueError("standing must be in order, each digest once, and only beside reason compromised")
    return Revocation(
        key_id=claims.digest(fields["keyid"], "keyid"),
        reason=reason,
        from_record=claims.count(fields["from_record"], "from_record", most=chain.MAX_NUMBER),
        standing=tuple(standing),
    )


def _recovery(value: Any) -> Recovery:
    fields = claims.members(value, ("registry_id", "root_version"), "recovery")
    return Recovery(
        registry_id=claims.text(fields["registry_id"], "registry_id"),
        root_version=claims.count(fields["root_version"], "root_version", least=1, most=chain.MAX_NUMBER),
    )
