"""nodespec owner."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from nodespec import countersign, envelope, journal, owner, quorum, signing
from nodespec.chain import record_path
from nodespec.cli.common import color_option, colored, echo, note, repo_option
from nodespec.cli.sign import say_missing
from nodespec.cli.terminal import table
from nodespec.cli.trust import key_ids, public_keys
from nodespec.cli.workspace import Workspace, now, signing_options, wallet
from nodespec.encoding import json_text, printable, quoted
from nodespec.errors import RegistryError, UsageError
from nodespec.owner import Chain, Record, Recovery, Revocation
from nodespec.quorum import Quorum, short
from nodespec.tree import is_node_path, is_tombstone_path
from nodespec.verification import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nodespec.envelope import Envelope
    from nodespec.keys import PublicKey
    from nodespec.signing import Wallet


@click.group("owner")
def owner_command() -> None:
    """Make, change and show owners: handles, and the chains of keys that speak for them."""


@owner_command.command("create")
@click.argument("name")
@click.option(
    "--with", "more", multiple=True, metavar="KEY", help="A further key: a public key file, or a name of yours."
)
@click.option("--threshold", type=int, default=1, show_default=True, help="How many of the keys must sign.")
@signing_options
def create_command(
    name: str, more: tuple[str, ...], threshold: int, repo: str, key_names: tuple[str, ...], signer: str | None
) -> int:
    """Make a new owner called NAME, with your key (main, unless --key names another)."""
    workspace = Workspace.open(repo, now())
    keys = wallet(key_names, signer)
    own = list(keys.keys) if signer else public_keys(key_names or ("main",))
    record = Record(sequence=0, previous=None, name=_name(name), quorum=_quorum([*own, *public_keys(more)], threshold))
    _check(workspace, [record])
    handle = owner.handle_of(record.payload())
    path = record_path(owner.folder_of(handle), 0)
    if workspace.provenance.read(path) is not None:
        raise UsageError(f"this owner exists: {handle}", hint="the same name with the same keys is the same owner")
    _refuse_taken(workspace, record.name, handle)
    _write(workspace, path, _signed(record, [record.quorum], keys))
    echo(f"{handle}\n")
    note(f"made owner {printable(name)}; put the handle under identity.owner_id of its nodes")
    again = Workspace.open(workspace.root, workspace.provenance.now)
    if countersign.waiting(again.provenance, path).missing:
        say_missing(countersign.waiting(again.provenance, path))
    return 0


@owner_command.command("rotate")
@click.argument("who", metavar="OWNER")
@click.option("--add", multiple=True, metavar="KEY", help="A key to add: a public key file, or a name of yours.")
@click.option("--drop", multiple=True, metavar="KEY", help="A key to retire: a file, a name of yours, or its id.")
@click.option("--threshold", type=int, help="How many of the keys must sign from now on.")
@click.option("--name", metavar="NAME", help="A new name for people.")
@signing_options
def rotate_command(
    who: str,
    add: tuple[str, ...],
    drop: tuple[str, ...],
    threshold: int | None,
    name: str | None,
    repo: str,
    key_names: tuple[str, ...],
    signer: str | None,
) -> int:
    """Add a record with other keys. The old keys and the new ones sign; what was signed before stays good."""
    if not add and not drop and threshold is None and name is None:
        raise UsageError("nothing would change", hint="say what does: --add, --drop, --threshold or --name")
    workspace = Workspace.open(repo, now())
    chain = _chain(workspace, who)
    retired = tuple(Revocation(key_id=key, reason="superseded", from_record=0) for key in _key_ids(chain, drop))
    record = _next(chain, add=public_keys(add), revoked=retired, threshold=threshold)
    if name is not None:
        record = replace(record, name=_name(name))
        _refuse_taken(workspace, record.name, chain.handle)
    keys = wallet(key_names, signer)
    return _append(workspace, chain, record, [chain.current.quorum, record.quorum], keys)


@owner_command.command("revoke")
@click.argument("who", metavar="OWNER")
@click.argument("gone", nargs=-1, required=True, metavar="KEY…")
@click.option(
    "--reason", type=click.Choice(owner.REASONS), required=True, help="compromised voids what the key signed."
)
@click.option(
    "--from-record", type=int, default=0, show_default=True, help="compromised: from which record of the chain on."
)
@click.option(
    "--standing-at", metavar="REV", help="compromised: what stood at this commit, and is unchanged, stays good."
)
@click.option(
    "--add", multiple=True, metavar="KEY", help="A key that takes over: a public key file, or a name of yours."
)
@click.option("--threshold", type=int, help="How many of the keys must sign from now on.")
@signing_options
def revoke_command(
    who: str,
    gone: tuple[str, ...],
    reason: str,
    from_record: int,
    standing_at: str | None,
    add: tuple[str, ...],
    threshold: int | None,
    repo: str,
    key_names: tuple[str, ...],
    signer: str | None,
) -> int:
    """Take keys out of use. With reason compromised, what they signed becomes a finding until it is signed again.

    KEY is a public key file, the name of a key of yours, or a key id. Choose for --standing-at a commit from before the
    loss, whose checkpoint you verified.
    """
    workspace = Workspace.open(repo, now())
    chain = _chain(workspace, who)
    standing = _standing(workspace, chain.handle, standing_at)
    revoked = _revocations(_key_ids(chain, gone), reason, from_record, standing)
    record = _next(chain, add=public_keys(add), revoked=revoked, threshold=threshold)
    return _append(workspace, chain, record, [chain.current.quorum, record.quorum], wallet(key_names, signer))


@owner_command.command("recover")
@click.argument("who", metavar="OWNER")
@click.option(
    "--with",
    "new",
    multiple=True,
    required=True,
    metavar="KEY",
    help="A new key: a public key file, or a name of yours.",
)
@click.option(
    "--reason",
    type=click.Choice(owner.REASONS),
    required=True,
    help="Why the old keys stop; compromised voids what they signed.",
)
@click.option(
    "--from-record", type=int, default=0, show_default=True, help="compromised: from which record of the chain on."
)
@click.option(
    "--standing-at", metavar="REV", help="compromised: what stood at this commit, and is unchanged, stays good."
)
@click.option("--threshold", type=int, default=1, show_default=True, help="How many of the new keys must sign.")
@signing_options
def recover_command(
    who: str,
    new: tuple[str, ...],
    reason: str,
    from_record: int,
    standing_at: str | None,
    threshold: int,
    repo: str,
    key_names: tuple[str, ...],
    signer: str | None,
) -> int:
    """Put an owner back in possession who lost the keys, or whose keys were stolen; or put somebody in charge.

    The root keys sign, and the new ones. Every key that the owner ever had is revoked.
    """
    workspace = Workspace.open(repo, now())
    workspace.require_trust()
    chain = _chain(workspace, who)
    root = workspace.provenance.root
    standing = _standing(workspace, chain.handle, standing_at)
    gone = {item.key_id for record in chain.records for item in record.revoked if item.reason == reason}
    old = sorted({key.key_id for record in chain.records for key in record.quorum.keys} - gone)
    record = Record(
        sequence=chain.current.sequence + 1,
        previous=_digest(chain.current),
        name=chain.current.name,
        quorum=_quorum(public_keys(new), threshold),
        revoked=_revocations(old, reason, from_record, standing),
        recovery=Recovery(registry_id=root.registry_id, root_version=root.version),
    )
    return _append(workspace, chain, record, [root.roles["root"], record.quorum], wallet(key_names, signer))


@owner_command.command("list")
@repo_option
@color_option
def list_command(repo: str, color: str) -> int:
    """List every owner."""
    workspace = Workspace.open(repo, now(), reading=True)
    rows = []
    held = _held(workspace)
    for handle in workspace.provenance.handles():
        found = workspace.provenance.chain(handle)
        if isinstance(found, Problem):
            rows.append((handle, "BROKEN", "", "", ""))
            note(f"{handle}: {found.message}")
        else:
            last = found.current
            rule = f"{last.quorum.threshold} of {len(last.quorum.keys)}"
            rows.append((handle, printable(last.name), str(last.sequence), rule, str(held.get(handle, 0))))
    if not rows:
        note("there are no owners; nodespec owner create NAME makes one")
        return 4
    echo(table(("handle", "name", "record", "keys", "nodes"), rows, color=colored(color)))
    return 0


@owner_command.command("show")
@click.argument("who", metavar="OWNER")
@repo_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show_command(who: str, repo: str, form: str) -> int:
    """Show an owner's records, keys, and what is delegated to it."""
    workspace = Workspace.open(repo, now(), reading=True)
    chain = _chain(workspace, who)
    if form == "json":
        records = [json.loads(record.payload()) for record in chain.records]
        echo(json_text({"handle": chain.handle, "records": records}, indent=2) + "\n")
        return 0
    echo(f"{printable(chain.current.name)}\n{chain.handle}\n")
    for record in chain.records:
        how = "genesis" if record.sequence == 0 else "recovery by the trust root" if record.recovery else "rotation"
        echo(f"record {record.sequence}, {how}: {record.quorum.threshold} of {len(record.quorum.keys)} must sign\n")
        for key in record.quorum.keys:
            echo(f"  {key.scheme:10} {key.key_id}\n")
        for item in record.revoked:
            since = f", void from record {item.from_record} on" if item.reason == "compromised" else ""
            kept = f", attestations that stand: {len(item.standing)}" if item.standing else ""
            echo(f"  revoked    {item.key_id} ({item.reason}{since}{kept})\n")
    granted = workspace.provenance.root.of_owner(chain.handle) if workspace.has_trust else ()
    for grant in granted:
        echo(f"delegated: {grant}\n")
    if not granted:
        echo("delegated: nothing; what registry.yaml opens to newcomers\n")
    return 0


def _chain(workspace: Workspace, who: str) -> Chain:
    handle = workspace.owner(who)
    found = workspace.provenance.chain(handle)
    if isinstance(found, Problem):
        hint = f"if it waits for signatures: nodespec sign {printable(who)}; nodespec validate says more"
        raise RegistryError(found.message, hint=hint)
    return found


def _next(chain: Chain, *, add: list[PublicKey], revoked: tuple[Revocation, ...], threshold: int | None) -> Record:
    last = chain.current
    gone = {item.key_id for item in revoked}
    keys = [*(key for key in last.quorum.keys if key.key_id not in gone), *add]
    needed = last.quorum.threshold if threshold is None else threshold
    return Record(
        sequence=last.sequence + 1,
        previous=_digest(last),
        name=last.name,
        quorum=_quorum(keys, needed),
        revoked=revoked,
    )


def _digest(record: Record) -> str:
    from hashlib import sha256

    return sha256(record.payload()).hexdigest()


def _revocations(
    key_ids: Iterable[str], reason: str, from_record: int, standing: tuple[str, ...]
) -> tuple[Revocation, ...]:
    return tuple(
        Revocation(
            key_id=key, reason=reason, from_record=from_record, standing=standing if reason == "compromised" else ()
        )
        for key in key_ids
    )


def _key_ids(chain: Chain, texts: tuple[str, ...]) -> list[str]:
    known = {key.key_id for record in chain.records for key in record.quorum.keys}
    return sorted(key_ids(texts, known, chain.current.name))


def _standing(workspace: Workspace, handle: str, revision: str | None) -> tuple[str, ...]:
    """Return the digests of the owner's attestations that stood at a commit."""
    if revision is None:
        return ()
    from nodespec.provenance import Provenance

    snapshot = workspace.registry.at(revision)
    then = Provenance(snapshot.tree, snapshot.settings, workspace.provenance.now)
    paths = [entry.path for entry in snapshot.tree.entries if is_node_path(entry.path) or is_tombstone_path(entry.path)]
    claims = (then.attestation(path) for path in paths)
    return tuple(
        sorted(claim.digest for claim in claims if claim and handle in {party.handle for party in claim.parties})
    )


def _held(workspace: Workspace) -> dict[str, int]:
    held: dict[str, int] = {}
    for node in workspace.snapshot:
        held[node.owner] = held.get(node.owner, 0) + 1
    return held


def _append(workspace: Workspace, chain: Chain, record: Record, quorums: list[Quorum], keys: Wallet) -> int:
    path = record_path(owner.folder_of(chain.handle), record.sequence)
    _check(workspace, [*chain.records, record])
    _write(workspace, path, _signed(record, quorums, keys))
    echo(f"wrote record {record.sequence} of {printable(record.name)}: {path}\n")
    again = Workspace.open(workspace.root, workspace.provenance.now)
    say_missing(countersign.waiting(again.provenance, path))
    return 0


def _check(workspace: Workspace, records: list[Record]) -> None:
    """Refuse what could never verify, before anybody signs it."""
    workspace.refuse_published(records[-1].quorum.keys)
    try:
        owner.check(records)
    except ValueError as error:
        raise UsageError(f"that would be no record of an owner: {error}") from None


def _signed(record: Record, quorums: list[Quorum], keys: Wallet) -> Envelope:
    unsigned = envelope.Envelope(payload_type=owner.PAYLOAD_TYPE, payload=record.payload(), signatures=())
    wanted = {key.key_id: key for item in quorums for key in item.keys}
    mine = signing.holding(keys, wanted.values())
    if not mine:
        hint = f"it can be signed by {', '.join(map(short, wanted))}; nodespec keys show lists yours"
        raise UsageError("none of your keys counts for this record", hint=hint)
    return unsigned.signed_with(keys.signers(mine))


def _write(workspace: Workspace, path: str, sealed: Envelope) -> None:
    journal.apply(workspace.root, {path: sealed.dump()})


def _quorum(keys: Iterable[PublicKey], threshold: int) -> Quorum:
    try:
        return Quorum(keys=quorum.in_order(keys), threshold=threshold)
    except ValueError as error:
        raise UsageError(f"the owner would have {error}", hint="give --threshold, or more keys") from None


def _refuse_taken(workspace: Workspace, name: str, handle: str) -> None:
    """Raise ``UsageError`` when people would take this owner for another."""
    for other, known in workspace.provenance.names().items():
        if other != handle and owner.likeness(known) == owner.likeness(name):
            raise UsageError(f"an owner is called {quoted(known)} already: {other}", hint="choose another name")


def _name(text: str) -> str:
    from nodespec import claims

    try:
        name = claims.title(text, "the name")
        if re.match(r"GLYMPH|[0-9a-f]{8,}\Z", name, re.IGNORECASE):
            raise ValueError(f"{quoted(name)} could be taken for a handle; choose a name")
        return name
    except ValueError as error:
        raise UsageError(str(error)) from None
