"""A roster that the registry publishes, so that a gate in a fresh clone need not search every file.

Whoever makes checkpoints signs who sends and hears what at a commit (``nodespec checkpoint roster``). A gate that has
no roster of its own believes this one as it believes the base: its statement must be signed as a checkpoint must, by
the checkpoint role of the base's trust root. It may be of an earlier commit; what differs since is read.

The file is the text of a :class:`~nodespec.roster.Roster`, and one more line: a DSSE envelope of an in-toto Statement
v1, canonical JSON, with one subject and this predicate::

    predicateType  "urn:nodespec:roster:v1"
    subject        [{"name": "<registry id>@<commit>", "digest": {"sha256": of the lines above}}]
    predicate      registry_id, commit     which registry, and the full hex id
                   issued_at               UTC, whole seconds: 2026-03-14T09:26:53Z

It is kept in Git, as a blob that the ref :data:`REF` names: whoever wants it fetches it, as an object like any other.
What it says is bound to the contents of two folders, by Git's ids of them, and not to a moment: an old one is as true
as a new one, and of less use.
"""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from nodespec import claims, envelope, statement, workers
from nodespec.checkpoint import CLOCK_SKEW, GIT_ID
from nodespec.encoding import printable, quoted
from nodespec.errors import RegistryError
from nodespec.impact import dangling_of
from nodespec.reading import Unreadable, load
from nodespec.roster import Roster
from nodespec.rules.graph import NodeFacts
from nodespec.tree import NODES, TOMBSTONES, Entry, is_node_path, is_tombstone_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from nodespec.checkpoint import Trust
    from nodespec.commit import CommitTree
    from nodespec.envelope import Signer
    from nodespec.tree import Progress

PREDICATE = "urn:nodespec:roster:v1"

REF = "refs/nodespec/roster"
"""Names the blob in which a repository keeps the newest signed roster."""

MAX_BYTES = 1 << 28
"""Bytes of a file beyond which it is not read: seven times what 100,000 nodes take."""


def of_commit(
    tree: CommitTree, before: Roster | None = None, *, jobs: int = 1, progress: Progress | None = None
) -> Roster:
    """Return the roster of a commit; with one of an earlier commit, only what differs since is read.

    Raises ``RegistryError`` where a node cannot be read: a roster without it would say that nobody sends its signals.
    """
    ids, come = [], list[Entry]()
    for folder in (NODES, TOMBSTONES):
        oid, odd = tree.folder(folder.rstrip("/"))
        pairs, defects = tree.changes(folder.rstrip("/"), "", oid) if before is None else ([], [])
        for defect in (*odd, *defects):
            raise RegistryError(f"{printable(defect.path)}: {defect.what}", hint="run: nodespec validate")
        ids.append(oid)
        come += [new for _, new in pairs if new is not None]
    nodes: list[NodeFacts] = []
    left: dict[str, frozenset[str]] = {}
    if before is not None:
        apart = before.differing(tree)
        if apart is None:
            return of_commit(tree, jobs=jobs, progress=progress)
        nodes, left = before.everybody()
        nodes = [node for node in nodes if node.path not in apart]
        left = {path: names for path, names in left.items() if path not in apart}
        come = [entry for entry in map(tree.entry, sorted(apart)) if entry is not None]
    read = [entry for entry in come if is_node_path(entry.path) or is_tombstone_path(entry.path)]
    start = partial(_reader, tree)
    for found in workers.each(read, start(), jobs=jobs, progress=progress, start=start):
        if isinstance(found, NodeFacts):
            nodes.append(found)
        elif found[1]:
            left[found[0]] = frozenset(found[1])
    return Roster.of(ids[0], ids[1], sorted(nodes), left)


def _reader(tree: CommitTree) -> Callable[[Entry], NodeFacts | tuple[str, tuple[str, ...]]]:
    return partial(_said, tree)


def _said(tree: CommitTree, entry: Entry) -> NodeFacts | tuple[str, tuple[str, ...]]:
    """Return what a node's file says, or, for a tombstone, its path and what it leaves dangling."""
    if is_tombstone_path(entry.path):
        return entry.path, dangling_of(tree, entry)
    node = load(tree, entry)
    if isinstance(node, Unreadable):
        raise RegistryError(f"{printable(node.path)}:{node.line}: {node.reason}", hint="run: nodespec validate")
    return NodeFacts.of(node)


def sign(
    roster: Roster, registry_id: str, commit: str, issued_at: datetime, signers: Sequence[tuple[str, Signer]]
) -> bytes:
    """Return the file: the roster, and a statement about it with a signature of each (key id, signer)."""
    text = roster.text[: roster.names_end]
    about = _payload(registry_id, commit, issued_at, text)
    return text + envelope.seal(statement.PAYLOAD_TYPE, about, signers).dump()


def verify(data: bytes, trust: Trust, *, now: datetime) -> Roster:
    """Return the roster that a file holds; raise ``ValueError`` with the reason why it is not to be believed.

    Its last line is one strict DSSE envelope; everybody signed it whom ``trust`` asks for; its payload is a statement
    in its one form, about these very bytes and the registry that is meant; and it is not from the future.
    """
    end = data.rfind(b"\n", 0, max(0, len(data) - 1)) + 1
    try:
        sealed = envelope.parse_exact(data[end:], statement.PAYLOAD_TYPE)
    except ValueError as error:
        raise ValueError(f"its last line is no DSSE envelope: {error}") from None
    trust.check(sealed)
    _, predicate = statement.parse(sealed.payload, PREDICATE)
    fields = claims.members(predicate, ("registry_id", "commit", "issued_at"), "the predicate")
    registry_id = claims.text(fields["registry_id"], "registry_id")
    commit = claims.digest(fields["commit"], "commit", digits=GIT_ID)
    issued_at = claims.parse_moment(fields["issued_at"], "issued_at")
    if registry_id != trust.registry_id:
        raise ValueError(f"it is about {quoted(registry_id)}; this is {quoted(trust.registry_id)}")
    if _payload(registry_id, commit, issued_at, memoryview(data)[:end]) != sealed.payload:
        raise ValueError("the signed statement is about other bytes than those above it")
    if issued_at > now + CLOCK_SKEW:
        raise ValueError(f"it was issued at {claims.moment(issued_at)}, which is in the future")
    return Roster.of_text(data, end, word=f"a roster of commit {commit[:10]} that the checkpoint role signed")


def _payload(registry_id: str, commit: str, issued_at: datetime, text: bytes | memoryview) -> bytes:
    subject = statement.subject(f"{registry_id}@{commit}", sha256=sha256(text).hexdigest())
    predicate = {"registry_id": registry_id, "commit": commit, "issued_at": claims.moment(issued_at)}
    return statement.payload([subject], PREDICATE, predicate)
