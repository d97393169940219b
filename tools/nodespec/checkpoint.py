"""The signed statement about a commit.

A checkpoint says: at this commit, this registry consisted of exactly these files. It is a DSSE envelope
(:mod:`nodespec.envelope`) of an in-toto Statement v1, canonical JSON, with one subject and this predicate::

    _type          "https://in-toto.io/Statement/v1"
    predicateType  "urn:nodespec:checkpoint:v1"
    subject        [{"name": "<registry id>@<commit>",
                     "digest": {"gitCommit": …, "gitTree": …, "sha256": SHA-256 of the manifest's text}}]
    predicate      registry_id, commit, tree      which registry, and the full hex ids
                   manifest {root, files}         Merkle root over the folders, number of files
                   sequence, previous             0 and null, or one more than the previous statement's and the
                                                  hex SHA-256 of its payload
                   trust_root_version             null until the registry has a trust root
                   issued_at                      UTC, whole seconds: 2026-03-14T09:26:53Z

It holds Git's ids so that a reader finds the commit, and relies on none of them: the manifest is SHA-256
throughout. Verification is :func:`verify`, in numbered steps; every one must hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from nodespec import envelope, manifest
from nodespec.encoding import canonical_json, quoted, strict_json
from nodespec.errors import NodespecError, UsageError
from nodespec.keys import HMAC_SCHEME, HmacKey, PrivateKey, PublicKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodespec.envelope import Envelope, Signer
    from nodespec.registry import Registry, Snapshot
    from nodespec.settings import Settings

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:nodespec:checkpoint:v1"

CLOCK_SKEW = timedelta(minutes=5)
"""A statement from further in the future than clocks usually differ is refused."""

_HEX64 = re.compile(r"[0-9a-f]{64}\Z")
_HEX40 = re.compile(r"[0-9a-f]{40}\Z")
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a checkpoint says; ids and digests in hex, ``issued_at`` in UTC."""

    registry_id: str
    commit: str
    tree: str
    root: str
    files: int
    manifest_sha256: str
    sequence: int
    previous: str | None
    issued_at: datetime

    def payload(self) -> bytes:
        """Return the canonical JSON that is signed."""
        digest = {"gitCommit": self.commit, "gitTree": self.tree, "sha256": self.manifest_sha256}
        predicate = {
            "registry_id": self.registry_id,
            "commit": self.commit,
            "tree": self.tree,
            "manifest": {"root": self.root, "files": self.files},
            "sequence": self.sequence,
            "previous": self.previous,
            "trust_root_version": None,
            "issued_at": self.issued_at.astimezone(UTC).strftime(_TIME),
        }
        return canonical_json(
            {
                "_type": STATEMENT,
                "subject": [{"name": f"{self.registry_id}@{self.commit}", "digest": digest}],
                "predicateType": PREDICATE,
                "predicate": predicate,
            }
        )

    @classmethod
    def parse(cls, payload: bytes) -> Statement:
        """Read a payload; raise ``ValueError`` unless it is exactly what :meth:`payload` writes."""
        fields = strict_json(payload)
        try:
            predicate = fields["predicate"]
            statement = cls(
                registry_id=predicate["registry_id"],
                commit=_matching(_HEX40, predicate["commit"]),
                tree=_matching(_HEX40, predicate["tree"]),
                root=_matching(_HEX64, predicate["manifest"]["root"]),
                files=_count(predicate["manifest"]["files"]),
                manifest_sha256=_matching(_HEX64, fields["subject"][0]["digest"]["sha256"]),
                sequence=_count(predicate["sequence"]),
                previous=None if predicate["previous"] is None else _matching(_HEX64, predicate["previous"]),
                issued_at=datetime.strptime(predicate["issued_at"], _TIME).replace(tzinfo=UTC),
            )
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(f"not a checkpoint statement ({type(error).__name__})") from None
        if statement.payload() != payload:
            raise ValueError("not a checkpoint statement in its one canonical form")
        return statement


def _matching(pattern: re.Pattern[str], value: Any) -> str:
    if not isinstance(value, str) or not pattern.match(value):
        raise ValueError(f"{quoted(value)} is not a digest")
    return value


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{quoted(value)} is not a count")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a verification: what was looked at, whether it held, and what was seen."""

    name: str
    held: bool
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The steps in order, up to the first that failed; ``statement`` only when the signatures verified."""

    steps: tuple[Step, ...]
    statement: Statement | None
    owed: tuple[str, ...]

    @property
    def held(self) -> bool:
        """Whether every step held."""
        return all(step.held for step in self.steps)


def describe(snapshot: Snapshot, *, issued_at: datetime, previous: Envelope | None = None) -> Statement:
    """Return the statement about a commit; ``previous`` is an envelope whose signatures were verified."""
    if snapshot.commit is None:
        raise UsageError("a checkpoint is about a commit, not about a work tree", hint="name one, such as HEAD")
    listing = manifest.of_tree(snapshot.tree)
    before = Statement.parse(previous.payload) if previous else None
    if before is not None and before.registry_id != snapshot.settings.registry_id:
        raise UsageError(f"the previous checkpoint is of another registry, {quoted(before.registry_id)}")
    return Statement(
        registry_id=snapshot.settings.registry_id,
        commit=snapshot.commit.id,
        tree=snapshot.commit.tree,
        root=listing.root,
        files=len(listing.files),
        manifest_sha256=sha256(listing.dump()).hexdigest(),
        sequence=before.sequence + 1 if before else 0,
        previous=sha256(previous.payload).hexdigest() if previous else None,
        issued_at=issued_at.replace(microsecond=0),
    )


def sign(statement: Statement, keys: Sequence[PrivateKey | HmacKey]) -> Envelope:
    """Return the envelope with one signature of each key."""
    signers: list[tuple[str, Signer]] = [
        (key.key_id if isinstance(key, HmacKey) else key.public.key_id, key) for key in keys
    ]
    return envelope.seal(envelope.STATEMENT_TYPE, statement.payload(), signers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whom the verifier believes: public keys, and the schemes that must all have signed; or a shared key.

    All of it comes from the verifier's side, never from the message: ``registry_id`` is which registry is meant.
    Made by :meth:`of_keys` or :meth:`of_shared`.
    """

    registry_id: str
    keys: tuple[PublicKey, ...] = ()
    required: frozenset[str] = frozenset()
    shared: HmacKey | None = None

    @classmethod
    def of_keys(cls, keys: Sequence[PublicKey], settings: Settings) -> Trust:
        """Believe these keys; required is a signature of each of their schemes, and of each the registry asks for.

        Raises ``UsageError`` when there is no key, or a published one outside an example registry.
        """
        if not keys:
            hint = "give one with --key FILE.pub.pem, or make your own: nodespec keys new"
            raise UsageError("no public key is trusted, so nothing can be verified", hint=hint)
        published = next((key for key in keys if key.published), None)
        if published is not None and not settings.example:
            hint = "make your own: nodespec keys new; or say example: true in registry.yaml if this is one"
            short = f"{published.key_id[:16]}…"
            raise UsageError(f"key {short} is a published example key; anyone can sign with it", hint=hint)
        required = frozenset(settings.required_schemes) | {key.scheme for key in keys}
        return cls(registry_id=settings.registry_id, keys=tuple(keys), required=required)

    @classmethod
    def of_shared(cls, key: HmacKey, settings: Settings) -> Trust:
        """Believe whoever holds the shared key of the compatibility scheme."""
        return cls(registry_id=settings.registry_id, shared=key)


def verify(
    data: bytes,
    registry: Registry,
    trust: Trust,
    *,
    now: datetime,
    commit: str | None = None,
    max_age: timedelta | None = None,
) -> Verification:
    """Verify a checkpoint against a repository.

    1. The file is one strict DSSE envelope of an in-toto statement.
    2. For every required scheme, a trusted key of that scheme signed it.
    3. The payload, now believed, is a checkpoint statement in its one form.
    4. It is about the registry that the verifier means.
    5. It is about ``commit`` where one is meant; the commit is here, and its tree is the one named.
    6. The manifest made from the commit has this root, count and digest.
    7. It is not from the future, and not older than ``max_age`` where one is given.

    What the caller still owes stands in the result: that this is the newest checkpoint, and that main has
    not been rewritten since, only a log can show.
    """
    steps: list[Step] = []
    statement = None
    try:
        sealed = _open(data, steps)  # 1
        _check_signatures(sealed, trust, steps)  # 2
        statement = Statement.parse(sealed.payload)  # 3
        steps.append(Step(name="statement", held=True, seen=f"sequence {statement.sequence}"))
        _check_commit(statement, registry, trust.registry_id, commit, steps)  # 4, 5, 6
        _check_time(statement, now, max_age, steps)  # 7
    except _Failed as failure:
        steps.append(Step(name=failure.name, held=False, seen=str(failure)))
    except ValueError as error:
        steps.append(Step(name="statement", held=False, seen=str(error)))
    owed = ["whether this is the newest checkpoint (a log shows that)"]
    if max_age is None:
        owed.append("whether it is recent enough for you (--max-age checks that)")
    return Verification(steps=tuple(steps), statement=statement, owed=tuple(owed))


def verify_previous(data: bytes, registry: Registry, trust: Trust, snapshot: Snapshot, *, now: datetime) -> Envelope:
    """Return the checkpoint that a new one may follow: it verifies, and its commit comes before the snapshot's."""
    result = verify(data, registry, trust, now=now)
    if not result.held or result.statement is None:
        hint = "nodespec checkpoint verify FILE shows every step"
        raise UsageError(f"the previous checkpoint does not verify: {result.steps[-1].seen}", hint=hint)
    if not registry.git.descends(snapshot.commit, result.statement.commit):
        hint = "checkpoints follow history; choose one of an earlier commit"
        raise UsageError("the previous checkpoint is about a commit that does not come before this one", hint=hint)
    return envelope.parse(data)


class _Failed(Exception):  # noqa: N818  # not an error: how a step ends the verification
    def __init__(self, name: str, seen: str) -> None:
        super().__init__(seen)
        self.name = name


def _open(data: bytes, steps: list[Step]) -> Envelope:
    try:
        sealed = envelope.parse(data)
    except ValueError as error:
        raise _Failed("envelope", f"not a DSSE envelope: {error}") from None
    if sealed.payload_type != envelope.STATEMENT_TYPE:
        raise _Failed("envelope", f"its payload type is {quoted(sealed.payload_type)}")
    steps.append(
        Step(
            name="envelope", held=True, seen=f"{len(sealed.signatures)} signature{'s' * (len(sealed.signatures) != 1)}"
        )
    )
    return sealed


def _check_signatures(sealed: Envelope, trust: Trust, steps: list[Step]) -> None:
    by_id = {signature.key_id: signature.value for signature in sealed.signatures}
    if trust.shared is not None:
        if not trust.shared.verify(by_id.get(HMAC_SCHEME, b""), sealed.message):
            raise _Failed("signatures", f"no {HMAC_SCHEME} signature by this shared key")
        seen = f"{HMAC_SCHEME} (compatibility scheme: made by somebody who holds the shared key, which you do too)"
        steps.append(Step(name="signatures", held=True, seen=seen))
        return
    signed = {
        key.scheme: key for key in trust.keys if key.key_id in by_id and key.verify(by_id[key.key_id], sealed.message)
    }
    missing = sorted(trust.required - signed.keys())
    if missing or not signed:
        unknown = sorted(by_id.keys() - {key.key_id for key in trust.keys})
        others = f"; signed by keys you do not trust: {', '.join(key[:16] + '…' for key in unknown)}" if unknown else ""
        schemes = ", ".join(missing) or "any scheme"
        raise _Failed("signatures", f"no valid signature of {schemes} by a trusted key{others}")
    seen = ", ".join(f"{scheme} by {key.key_id[:16]}…" for scheme, key in sorted(signed.items()))
    steps.append(Step(name="signatures", held=True, seen=seen))


def _check_commit(
    statement: Statement, registry: Registry, registry_id: str, commit: str | None, steps: list[Step]
) -> None:
    if statement.registry_id != registry_id:
        raise _Failed("registry", f"it is about {quoted(statement.registry_id)}; this is {quoted(registry_id)}")
    steps.append(Step(name="registry", held=True, seen=registry_id))
    if commit is not None and statement.commit != commit:
        raise _Failed("commit", f"it is about commit {statement.commit[:10]}, not {commit[:10]}")
    try:
        snapshot = registry.at(statement.commit)
        here = describe(snapshot, issued_at=statement.issued_at)
    except NodespecError as error:
        raise _Failed("commit", str(error)) from None
    if statement.registry_id != here.registry_id:
        raise _Failed("commit", f"the registry at that commit is called {quoted(here.registry_id)}")
    if (statement.commit, statement.tree) != (here.commit, here.tree):
        raise _Failed("commit", f"commit {here.commit[:10]} has tree {here.tree[:10]}, not {statement.tree[:10]}")
    steps.append(Step(name="commit", held=True, seen=statement.commit))
    if (statement.root, statement.files, statement.manifest_sha256) != (here.root, here.files, here.manifest_sha256):
        raise _Failed("manifest", f"the commit's files have root {here.root}, the checkpoint says {statement.root}")
    steps.append(Step(name="manifest", held=True, seen=f"root {here.root}, {here.files} files"))


def _check_time(statement: Statement, now: datetime, max_age: timedelta | None, steps: list[Step]) -> None:
    issued = statement.issued_at.strftime(_TIME)
    if statement.issued_at > now + CLOCK_SKEW:
        raise _Failed("time", f"issued at {issued}, which is in the future")
    if max_age is not None and now - statement.issued_at > max_age:
        raise _Failed("time", f"issued at {issued}, more than {max_age} ago")
    steps.append(Step(name="time", held=True, seen=f"issued at {issued}"))
