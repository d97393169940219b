"""What one tree says about who may publish what: its trust root, its owners, its attestations.

Every chain is verified once, when it is first asked for. Nothing is taken from outside the tree but the moment; whether
its first trust root is the right one is for :mod:`nodespec.pin`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from nodespec import attestation, envelope, owner, seal, trust
from nodespec.chain import BrokenChainError, record_path
from nodespec.envelope import MAX_BYTES, TOO_LARGE
from nodespec.quorum import short
from nodespec.tree import (
    ATTESTATION_SUFFIX,
    EXECUTABLE,
    NODES,
    OWNERS,
    REGULAR,
    SEAL_PATH,
    TOMBSTONES,
    TRUST,
    attestation_path,
    is_node_path,
    node_id,
    tombstone_path,
)
from nodespec.verification import Problem, Verification

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from nodespec.attestation import Attestation, Subject
    from nodespec.envelope import Envelope
    from nodespec.keys import PublicKey
    from nodespec.owner import Chain
    from nodespec.seal import Seal
    from nodespec.settings import Newcomers, Settings
    from nodespec.tree import Entry, Tree
    from nodespec.trust import Root


class Placed(NamedTuple):
    """A problem, and the file that has it."""

    path: str
    problem: Problem


class Provenance:
    """The provenance of one tree, as a verifier at ``now`` sees it."""

    def __init__(self, tree: Tree, settings: Settings, now: datetime) -> None:
        self.tree = tree
        self.settings = settings
        self.now = now
        self._chains: dict[str, Chain | Placed] = {}

    # The trust root.

    @cached_property
    def _trust(self) -> tuple[tuple[Root, ...], Placed | None]:
        files = self._folder(TRUST)
        if not files:
            message = "this registry has no trust root, so nothing in it is believed"
            return (), Placed(record_path(TRUST, 1), Problem(slug="trust-root-missing", message=message))
        try:
            return trust.verify(self._read_all(files), self.settings.registry_id), None
        except BrokenChainError as error:
            return (), Placed(error.path, Problem(slug="trust-root-broken", message=str(error)))

    def sound_roots(self) -> tuple[Root, ...]:
        """Return the versions up to the first that does not verify: the others are being signed, or broken."""
        data = self._read_all(self._folder(TRUST))
        for length in range(len(data), 0, -1):
            try:
                return trust.verify(data[:length], self.settings.registry_id)
            except BrokenChainError:
                continue
        return ()

    @property
    def roots(self) -> tuple[Root, ...]:
        """Every version of the trust root; none when the chain is missing or broken."""
        return self._trust[0]

    @property
    def root(self) -> Root:
        """The newest version; only to be asked for when there is one."""
        return self.roots[-1]

    @property
    def newcomers(self) -> Newcomers | None:
        """What an owner without a delegation may publish."""
        return self.settings.newcomers

    @property
    def example(self) -> bool:
        """Whether published keys may sign here."""
        return self.settings.example

    # Owners.

    def chain(self, handle: str) -> Chain | Problem:
        """Return an owner's verified chain, or why there is none."""
        found = self._chain(handle)
        return found.problem if isinstance(found, Placed) else found

    def _chain(self, handle: str) -> Chain | Placed:
        found = self._chains.get(handle)
        if found is None:
            found = self._chains[handle] = self._verify_chain(handle)
        return found

    def _verify_chain(self, handle: str) -> Chain | Placed:
        folder = owner.folder_of(handle)
        files = self._folder(folder)
        if not files:
            message = f"no owner {short(handle)} is known here"
            fix = "Bring the owner's chain along: nodespec owner create makes one; or correct the handle."
            return Placed(folder, Problem(slug="owner-unknown", message=message, fix=fix))
        data = self._read_all(files)
        if data[0][0] == record_path(folder, 0) and not owner.handle_matches(handle, data[0][1]):
            message = f"the genesis in {folder} stands for another handle"
            return Placed(data[0][0], Problem(slug="handle-mismatch", message=message))
        try:
            return owner.verify(handle, data, self.roots)
        except BrokenChainError as error:
            message = f"the chain of owner {short(handle)} is broken: {error}"
            return Placed(error.path, Problem(slug="owner-chain-broken", message=message))

    def handles(self) -> list[str]:
        """Return the handle of every owner who has a folder, in order."""
        paths = (entry.path for entry in self.tree.below(OWNERS) if entry.mode in (REGULAR, EXECUTABLE))
        folders = {path.removeprefix(OWNERS).partition("/")[0] for path in paths}
        return [owner.PREFIX + folder for folder in sorted(folders)]

    def chains(self) -> dict[str, Chain]:
        """Return every owner's chain that verifies, by handle."""
        found = {handle: self._chain(handle) for handle in self.handles()}
        return {handle: chain for handle, chain in found.items() if not isinstance(chain, Placed)}

    def names(self) -> dict[str, str]:
        """Return what people call each owner, by handle; of a chain that does not verify, what its genesis says."""
        found = {}
        for handle in self.handles():
            chain = self._chain(handle)
            if not isinstance(chain, Placed):
                found[handle] = chain.current.name
            elif (genesis := self.read(record_path(owner.folder_of(handle), 0))) is not None:
                found[handle] = owner.genesis_name(genesis)
        return found

    # Attestations.

    def verify(self, subject: Subject) -> Verification:
        """Verify the attestation beside a node's or a tombstone's file."""
        return attestation.verify(subject, self.read(attestation_path(subject.path)), self)

    def attestation(self, path: str) -> Attestation | None:
        """Return what the attestation beside ``path`` says, its signatures not verified; None when it says nothing."""
        data = self.read(attestation_path(path))
        try:
            return attestation.read(data)[1] if data is not None else None
        except ValueError:
            return None

    def envelope(self, path: str) -> Envelope | None:
        """Return a signed file as it stands, nothing in it verified; None when it is none."""
        data = self.read(path)
        try:
            return envelope.parse(data) if data is not None else None
        except ValueError:
            return None

    # What concerns no single node.

    def problems(self) -> Iterator[Placed]:
        """Yield what is wrong with the trust root, the owners, and the attestations that belong to nothing."""
        paths = (entry.path for folder in (NODES, TOMBSTONES) for entry in self.tree.below(folder))
        yield from self.problems_at(paths, self.handles())

    def problems_at(self, paths: Iterable[str], handles: Iterable[str] = ()) -> Iterator[Placed]:
        """Yield what is wrong with the trust root, the seal, these owners, and which of these paths stand alone."""
        yield from self._owner_problems(handles)
        yield from self._root_problems()
        yield from self._seal_problems()
        yield from self._stray_problems(paths)

    def _owner_problems(self, handles: Iterable[str]) -> Iterator[Placed]:
        for handle in handles:
            found = self._chain(handle)
            if isinstance(found, Placed):
                yield found
            else:
                last = found.current
                path = record_path(owner.folder_of(handle), last.sequence)
                yield from self._published(last.quorum.keys, path, f"owner {last.name}")

    def _stray_problems(self, paths: Iterable[str]) -> Iterator[Placed]:
        """Yield the attestations among ``paths`` that are about nothing, and the nodes whose name is locked."""
        for path in paths:
            if self.entry(path) is None:
                continue
            if path.endswith(ATTESTATION_SUFFIX):
                if self.entry(path.removesuffix(ATTESTATION_SUFFIX) + ".yaml") is None:
                    message = "this attestation stands beside no file that it could be about"
                    yield Placed(path, Problem(slug="orphan-attestation", message=message))
            elif is_node_path(path) and self.entry(tombstone_path(node_id(path))) is not None:
                message = f"the name {node_id(path)} is locked: its tombstone is {tombstone_path(node_id(path))}"
                yield Placed(path, Problem(slug="name-locked", message=message, at=("metadata", "name")))

    def _root_problems(self) -> Iterator[Placed]:
        if self._trust[1] is not None:
            yield self._trust[1]
            return
        root, path = self.root, record_path(TRUST, len(self.roots))
        if self.now >= root.expires:
            message = (
                f"the trust root expired at {root.expires:%Y-%m-%d %H:%M} UTC; nothing is believed until it is renewed"
            )
            yield Placed(path, Problem(slug="trust-root-expired", message=message))
        for version in self.roots:
            yield from self._published(version.keys, record_path(TRUST, version.version), "the trust root")

    @cached_property
    def seal(self) -> Seal | None:
        """The seal, its signatures not verified; None when there is none, or it says nothing."""
        data = self.read(SEAL_PATH)
        try:
            return seal.read(data)[1] if data is not None else None
        except ValueError:
            return None

    def _seal_problems(self) -> Iterator[Placed]:
        data = self.read(SEAL_PATH)
        if data is None or not self.roots:
            return
        try:
            found = seal.verify(data, self.roots, self.settings.registry_id)
        except ValueError as error:
            yield Placed(SEAL_PATH, Problem(slug="seal-broken", message=f"the seal does not verify: {error}"))
            return
        for path, message in seal.differences(found.files, self.protected()):
            yield Placed(path, Problem(slug="unsealed-change", message=message))

    def protected(self) -> tuple[tuple[str, str], ...]:
        """Return (path, hex SHA-256) of every protected file, in order."""
        return seal.digests(self.tree, self.settings.protected)

    def _published(self, keys: Iterable[PublicKey], path: str, who: str) -> Iterator[Placed]:
        if self.settings.example:
            return
        for key in keys:
            if key.published:
                message = f"{who} lists key {short(key.key_id)}, a published example key: anyone can sign with it"
                yield Placed(path, Problem(slug="published-key", message=message))

    def newcomer_quota(self, owners: Sequence[tuple[str, str]]) -> Iterator[Placed]:
        """Yield every node, given as (path, owner), of a newcomer who holds more than newcomers may."""
        newcomers = self.settings.newcomers
        if newcomers is None or not self.roots:
            return
        held: dict[str, list[str]] = {}
        for path, handle in owners:
            if not self.root.of_owner(handle):
                held.setdefault(handle, []).append(path)
        for paths in held.values():
            if len(paths) > newcomers.max_nodes:
                holds = f"who holds {len(paths)} nodes; newcomers may hold {newcomers.max_nodes}"
                message = f"nothing is delegated to this owner, {holds}"
                problem = Problem(slug="newcomer-quota", message=message, at=("identity", "owner_id"))
                yield from (Placed(path, problem) for path in paths)

    # Files.

    def entry(self, path: str) -> Entry | None:
        """Return a regular file of the tree, or None."""
        found = self.tree.entry(path)
        return found if found is not None and found.mode in (REGULAR, EXECUTABLE) else None

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file; None when there is none, TOO_LARGE when no signed file has so many."""
        entry = self.entry(path)
        if entry is None:
            return None
        return TOO_LARGE if self.tree.size(entry) > MAX_BYTES else self.tree.read(entry)

    def records(self, folder: str) -> list[str]:
        """Return the files of a chain, in order."""
        return [entry.path for entry in self._folder(folder)]

    def _folder(self, folder: str) -> list[Entry]:
        """Return the regular files right in a folder."""
        files = (entry for entry in self.tree.below(folder) if entry.mode in (REGULAR, EXECUTABLE))
        return [entry for entry in files if "/" not in entry.path.removeprefix(folder)]

    def _read_all(self, entries: Sequence[Entry]) -> list[tuple[str, bytes]]:
        return [(entry.path, self.read(entry.path) or b"") for entry in entries]
