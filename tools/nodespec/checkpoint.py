"""The signed statement about a commit.

A checkpoint says: at this commit, this registry consisted of exactly these files. It is a DSSE envelope
(:mod:`nodespec.envelope`) of an in-toto Statement v1, canonical JSON, with one subject and this predicate::

    _type          "https://in-toto.io/Statement/v1"
    predicateType  "urn:nodespec:checkpoint:v1"
    subject        [{"name": "<registry id>@<commit>",
                     "digest": {"gitCommit": …, "gitTree": …, "nodespecManifestRoot": as in the predicate}}]
    predicate      registry_id, commit, tree      which registry, and the full hex ids
                   manifest {root, files}         Merkle root over the folders, number of files
                   sequence, previous             0 and null, or one more than the previous statement's and the
                                                  hex SHA-256 of its payload
                   trust_root_version             the newest version that the commit holds; null where it holds none
                   issued_at                      UTC, whole seconds: 2026-03-14T09:26:53Z

It holds Git's ids so that a reader finds the commit, and a verification relies on none of them: the manifest is SHA-256
throughout. Verification is :func:`verify`, in numbered steps; every one must hold. Making a checkpoint costs what
changed since the one that it follows (:mod:`nodespec.manifest_update`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from nodespec import claims, envelope, manifest_update, statement
from nodespec.encoding import quoted
from nodespec.errors import NodespecError, UsageError
from nodespec.frozen import frozen
from nodespec.keys import HMAC_SCHEME, HmacKey, PrivateKey, PublicKey
from nodespec.manifest_update import Base, Extent
from nodespec.provenance import Provenance
from nodespec.quorum import valid_signers
from nodespec.verification import Step, Verification

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodespec.commit import CommitTree
    from nodespec.envelope import Envelope, Signer
    from nodespec.manifest_update import Folders
    from nodespec.registry import Registry, Snapshot
    from nodespec.settings import Settings
    from nodespec.trust import Root

PREDICATE = "urn:nodespec:checkpoint:v1"

CLOCK_SKEW = timedelta(minutes=5)
"""A statement from further in the future than clocks usually differ is refused."""

GIT_ID = 40
"""Hex digits of Git's SHA-1."""

_PREDICATE_KEYS = (
    "registry_id",
    "commit",
    "tree",
    "manifest",
    "sequence",
    "previous",
    "trust_root_version",
    "issued_at",
)


@frozen
class Statement:
    """What a checkpoint says; ids and digests in hex, ``issued_at`` in UTC."""

    registry_id: str
    commit: str
    tree: str
    root: str
    files: int
    sequence: int
    previous: str | None
    trust_root_version: int | None
    issued_at: datetime

    def payload(self) -> bytes:
        """Return the canonical JSON that is signed."""
        subject = statement.subject(
            f"{self.registry_id}@{self.commit}",
            gitCommit=self.commit,
            gitTree=self.tree,
            nodespecManifestRoot=self.root,
        )
        predicate = {
            "registry_id": self.registry_id,
            "commit": self.commit,
            "tree": self.tree,
            "manifest": {"root": self.root, "files": self.files},
            "sequence": self.sequence,
            "previous": self.previous,
            "trust_root_version": self.trust_root_version,
            "issued_at": claims.moment(self.issued_at),
        }
        return statement.payload([subject], PREDICATE, predicate)

    @classmethod
    def parse(cls, payload: bytes) -> Statement:
        """Read a payload; raise ``ValueError`` unless it is exactly what :meth:`payload` writes."""
        _, predicate = statement.parse(payload, PREDICATE)
        fields = claims.members(predicate, _PREDICATE_KEYS, "the predicate")
        listing = claims.members(fields["manifest"], ("root", "files"), "manifest")
        previous, version = fields["previous"], fields["trust_root_version"]
        found = cls(
            registry_id=claims.text(fields["registry_id"], "registry_id"),
            commit=claims.digest(fields["commit"], "commit", digits=GIT_ID),
            tree=claims.digest(fields["tree"], "tree", digits=GIT_ID),
            root=claims.digest(listing["root"], "root"),
            files=claims.count(listing["files"], "files"),
            sequence=claims.count(fields["sequence"], "sequence"),
            previous=None if previous is None else claims.digest(previous, "previous"),
            trust_root_version=None if version is None else claims.count(version, "trust_root_version", least=1),
            issued_at=claims.parse_moment(fields["issued_at"], "issued_at"),
        )
        if found.payload() != payload:
            raise ValueError("not a checkpoint statement in its one canonical form")
        return found


@frozen
class CheckpointVerification(Verification):
    """The steps in order, up to the first that failed; ``statement`` only when the signatures verified."""

    statement: Statement | None = None


@frozen
class Previous:
    """The checkpoint that another follows, verified; ``tree`` is its commit, None where its root is no start."""

    envelope: Envelope
    statement: Statement
    tree: CommitTree | None


def describe(
    snapshot: Snapshot, *, issued_at: datetime, previous: Previous | None = None, folders: Folders | None = None
) -> Statement:
    """Return the statement about a commit; ``previous`` is what :func:`verify_previous` returned.

    With a ``previous`` to start from, and its commit's folders in ``folders``, only what changed since is read.
    """
    if snapshot.commit is None:
        raise UsageError("a checkpoint is about a commit, not about a work tree", hint="name one, such as HEAD")
    before = previous.statement if previous else None
    if before is not None and before.registry_id != snapshot.settings.registry_id:
        raise UsageError(f"the previous checkpoint is of another registry, {quoted(before.registry_id)}")
    base = Base(previous.tree, Extent(before.root, before.files)) if previous and previous.tree and before else None
    found = manifest_update.extent(snapshot.tree, base, folders)
    roots = Provenance(snapshot.tree, snapshot.settings, issued_at).roots
    return Statement(
        registry_id=snapshot.settings.registry_id,
        commit=snapshot.commit.id,
        tree=snapshot.commit.tree,
        root=found.root,
        files=found.files,
        sequence=before.sequence + 1 if before else 0,
        previous=previous.envelope.digest if previous else None,
        trust_root_version=len(roots) or None,
        issued_at=issued_at.replace(microsecond=0),
    )


def sign(about: Statement, keys: Sequence[PrivateKey | HmacKey]) -> Envelope:
    """Return the envelope with one signature of each key."""
    signers: list[tuple[str, Signer]] = [
        (key.key_id if isinstance(key, HmacKey) else key.public.key_id, key) for key in keys
    ]
    return envelope.seal(statement.PAYLOAD_TYPE, about.payload(), signers)


@frozen
class Trust:
    """Whom the verifier believes: public keys, and the schemes that must all have signed; or a shared key.

    All of it comes from the verifier's side, never from the message: ``registry_id`` is which registry is meant.
    Made by :meth:`of_root`, :meth:`of_keys` or :meth:`of_shared`.
    """

    registry_id: str
    keys: tuple[PublicKey, ...] = ()
    required: frozenset[str] = frozenset()
    threshold: int = 1
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
    def of_root(cls, root: Root, settings: Settings, now: datetime) -> Trust:
        """Believe the checkpoint role of a trust root that verifies and, by a pin, is the right one.

        Raises ``UsageError`` when the root has expired, or lists published keys outside an example registry.
        """
        if now >= root.expires:
            raise UsageError(f"the trust root expired at {claims.moment(root.expires)}", hint="nodespec trust rotate")
        role = root.roles["checkpoint"]
        known = cls.of_keys(role.keys, settings)
        required = frozenset(settings.required_schemes) | frozenset(root.checkpoint_schemes)
        return replace(known, required=required, threshold=role.threshold)

    @classmethod
    def of_shared(cls, key: HmacKey, settings: Settings) -> Trust:
        """Believe whoever holds the shared key of the compatibility scheme."""
        return cls(registry_id=settings.registry_id, shared=key)

    def check(self, sealed: Envelope) -> str:
        """Return who signed, in words; raise ``ValueError`` unless everybody did who has to."""
        by_id = {signature.key_id: signature.value for signature in sealed.signatures}
        if self.shared is not None:
            if not self.shared.verify(by_id.get(HMAC_SCHEME, b""), sealed.message):
                raise ValueError(f"no {HMAC_SCHEME} signature by this shared key")
            return f"{HMAC_SCHEME} (compatibility scheme: made by somebody who holds the shared key, which you do too)"
        valid = valid_signers(sealed, self.keys)
        signed = {key.scheme: key for key in self.keys if key.key_id in valid}
        missing = sorted(self.required - signed.keys())
        if missing or len(valid) < self.threshold:
            unknown = sorted(by_id.keys() - {key.key_id for key in self.keys})
            shown = ", ".join(key[:16] + "…" for key in unknown)
            others = f"; signed by keys you do not trust: {shown}" if unknown else ""
            schemes = ", ".join(missing) or f"{self.threshold} keys"
            raise ValueError(f"no valid signature of {schemes} by a trusted key{others}")
        return ", ".join(f"{scheme} by {key.key_id[:16]}…" for scheme, key in sorted(signed.items()))


def verify(
    data: bytes,
    registry: Registry,
    trust: Trust,
    *,
    now: datetime,
    commit: str | None = None,
    max_age: timedelta | None = None,
) -> CheckpointVerification:
    """Verify a checkpoint against a repository.

    1. The file is one strict DSSE envelope of an in-toto statement.
    2. For every required scheme, a trusted key of that scheme signed it.
    3. The payload, now believed, is a checkpoint statement in its one form.
    4. It is about the registry that the verifier means.
    5. It is about ``commit`` where one is meant; the commit is here, and its tree is the one named.
    6. The manifest made from the commit, of which every file is hashed, has this root and count.
    7. It is not from the future, and not older than ``max_age`` where one is given.

    What the caller still owes stands in the result: that this is the newest checkpoint, and that main has
    not been rewritten since, only a log can show.
    """
    return _taken(data, registry, trust, now, commit, max_age, whole=True)


def verify_previous(data: bytes, registry: Registry, trust: Trust, snapshot: Snapshot, *, now: datetime) -> Previous:
    """Return the checkpoint that a new one may follow: it verifies, and its commit comes before the snapshot's.

    The steps are those of :func:`verify`, but 6: its files were hashed when somebody whom ``trust`` believes signed it,
    and are not hashed again. Raises ``UsageError`` when a step fails.
    """
    result = _taken(data, registry, trust, now, None, None, whole=False)
    if not result.held or result.statement is None:
        hint = "nodespec checkpoint verify FILE shows every step; --anew follows none"
        raise UsageError(f"the previous checkpoint does not verify: {result.steps[-1].seen}", hint=hint)
    if not registry.git.descends(snapshot.commit, result.statement.commit):
        hint = "checkpoints follow history; choose one of an earlier commit"
        raise UsageError("the previous checkpoint is about a commit that does not come before this one", hint=hint)
    tree = registry.git.tree(registry.git.resolve(result.statement.commit))
    return Previous(envelope=envelope.parse(data), statement=result.statement, tree=tree)


def _taken(
    data: bytes,
    registry: Registry,
    trust: Trust,
    now: datetime,
    commit: str | None,
    max_age: timedelta | None,
    *,
    whole: bool,
) -> CheckpointVerification:
    """Take the steps of :func:`verify`; 6 only when ``whole``."""
    steps: list[Step] = []
    found = None
    try:
        sealed = _open(data, steps)  # 1
        _check_signatures(sealed, trust, steps)  # 2
        found = Statement.parse(sealed.payload)  # 3
        steps.append(Step(name="statement", held=True, seen=f"sequence {found.sequence}"))
        _check_registry(found, trust.registry_id, steps)  # 4
        snapshot = _check_commit(found, registry, commit)  # 5
        if whole:
            _check_manifest(found, snapshot, steps)  # 5, as far as it takes reading the commit; 6
        _check_time(found, now, max_age, steps)  # 7
    except _Failed as failure:
        steps.append(Step(name=failure.name, held=False, seen=str(failure)))
    except ValueError as error:
        steps.append(Step(name="statement", held=False, seen=str(error)))
    owed = ["whether this is the newest checkpoint (a log shows that)"]
    if max_age is None:
        owed.append("whether it is recent enough for you (--max-age checks that)")
    return CheckpointVerification(steps=tuple(steps), statement=found, owed=tuple(owed))


class _Failed(Exception):  # noqa: N818  # not an error: how a step ends the verification
    def __init__(self, name: str, seen: str) -> None:
        super().__init__(seen)
        self.name = name


def _open(data: bytes, steps: list[Step]) -> Envelope:
    try:
        sealed = envelope.parse(data)
    except ValueError as error:
        raise _Failed("envelope", f"not a DSSE envelope: {error}") from None
    if sealed.payload_type != statement.PAYLOAD_TYPE:
        raise _Failed("envelope", f"its payload type is {quoted(sealed.payload_type)}")
    steps.append(
        Step(
            name="envelope", held=True, seen=f"{len(sealed.signatures)} signature{'s' * (len(sealed.signatures) != 1)}"
        )
    )
    return sealed


def _check_signatures(sealed: Envelope, trust: Trust, steps: list[Step]) -> None:
    try:
        steps.append(Step(name="signatures", held=True, seen=trust.check(sealed)))
    except ValueError as error:
        raise _Failed("signatures", str(error)) from None


def _check_registry(found: Statement, registry_id: str, steps: list[Step]) -> None:
    if found.registry_id != registry_id:
        raise _Failed("registry", f"it is about {quoted(found.registry_id)}; this is {quoted(registry_id)}")
    steps.append(Step(name="registry", held=True, seen=registry_id))


def _check_commit(found: Statement, registry: Registry, commit: str | None) -> Snapshot:
    if commit is not None and found.commit != commit:
        raise _Failed("commit", f"it is about commit {found.commit[:10]}, not {commit[:10]}")
    try:
        snapshot = registry.at(found.commit)
        here = snapshot.commit
    except NodespecError as error:
        raise _Failed("commit", str(error)) from None
    if here is None or (found.commit, found.tree) != (here.id, here.tree):
        tree = here.tree[:10] if here else "nothing"
        raise _Failed("commit", f"commit {found.commit[:10]} has tree {tree}, not {found.tree[:10]}")
    return snapshot


def _check_manifest(found: Statement, snapshot: Snapshot, steps: list[Step]) -> None:
    try:
        here = describe(snapshot, issued_at=found.issued_at)
    except NodespecError as error:
        raise _Failed("commit", str(error)) from None
    if found.registry_id != here.registry_id:
        raise _Failed("commit", f"the registry at that commit is called {quoted(here.registry_id)}")
    if found.trust_root_version != here.trust_root_version:
        message = f"the commit's trust root has version {here.trust_root_version}, not {found.trust_root_version}"
        raise _Failed("commit", message)
    steps.append(Step(name="commit", held=True, seen=found.commit))
    if (found.root, found.files) != (here.root, here.files):
        raise _Failed("manifest", f"the commit's files have root {here.root}, the checkpoint says {found.root}")
    steps.append(Step(name="manifest", held=True, seen=f"root {here.root}, {here.files} files"))


def _check_time(found: Statement, now: datetime, max_age: timedelta | None, steps: list[Step]) -> None:
    issued = claims.moment(found.issued_at)
    if found.issued_at > now + CLOCK_SKEW:
        raise _Failed("time", f"issued at {issued}, which is in the future")
    if max_age is not None and now - found.issued_at > max_age:
        raise _Failed("time", f"issued at {issued}, more than {max_age} ago")
    steps.append(Step(name="time", held=True, seen=f"issued at {issued}"))
