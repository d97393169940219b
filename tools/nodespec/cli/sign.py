"""nodespec sign, cosign, verify."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from nodespec import countersign, journal, quorum, seal, signing, statement
from nodespec.cli.believed import check_root
from nodespec.cli.common import at_option, color_option, complete_id, echo, note, painter, repo_option, tell_example
from nodespec.cli.terminal import Progress
from nodespec.cli.workspace import Workspace, base_option, now, signing_options, wallet
from nodespec.encoding import printable, quoted
from nodespec.envelope import Envelope
from nodespec.errors import RegistryError, UsageError
from nodespec.owner import folder_of
from nodespec.provenance import Provenance
from nodespec.registry import Registry
from nodespec.seal import Seal
from nodespec.tree import (
    ATTESTATION_SUFFIX,
    NODES,
    SEAL_PATH,
    TOMBSTONES,
    attestation_path,
    is_node_path,
    is_tombstone_path,
    node_id,
    node_path,
    tombstone_path,
)
from nodespec.vouch import verify_all, verify_file
from nodespec.workers import check_jobs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nodespec.countersign import Waiting
    from nodespec.registry import Snapshot
    from nodespec.signing import Wallet
    from nodespec.verification import Verification


_ALL_CORES_FROM = 1000
"""Signatures from which a second process is worth its start."""


@click.command("sign")
@click.argument("target", metavar="FILE|ID|OWNER", shell_complete=complete_id)
@signing_options
def sign_command(target: str, repo: str, key_names: tuple[str, ...], signer: str | None) -> int:
    """Add your signature to what others began: a trust root, an owner's record, a transfer.

    FILE is a file that ends in .dsse.json; ID stands for a node's attestation, OWNER for the owner's newest record.
    Says what you are about to sign, and whose signatures are missing afterwards.
    """
    workspace = Workspace.open(repo, now())
    return add_signatures(workspace, _signed_file(workspace, target), wallet(key_names, signer))


@click.command("cosign")
@click.argument("target", metavar="ID|FILE", shell_complete=complete_id)
@signing_options
@color_option
def cosign_command(target: str, repo: str, key_names: tuple[str, ...], signer: str | None, color: str) -> int:
    """Sign a node as its verifier. Everything else about it must verify first.

    Your signature says that you checked the evidence under security.attestation; this command cannot check it for you.
    """
    workspace = Workspace.open(repo, now())
    workspace.require_trust()
    path = _subject_path(workspace, target)
    result = verify_file(workspace.provenance, path)
    open_steps = [item for item in result.problems if item.slug != "verifier-missing"]
    if open_steps:
        print_verification(node_id(path), result, color)
        raise UsageError("what does not verify is not cosigned", hint="let the owner sign it again")
    if result.held:
        claim = workspace.provenance.attestation(path)
        said = "is cosigned already" if claim and claim.verifier else "needs no verifier's signature"
        echo(f"{node_id(path)} {said}\n")
        return 0
    return add_signatures(workspace, attestation_path(path), wallet(key_names, signer), verifier=True)


def add_signatures(workspace: Workspace, path: str, keys: Wallet, *, verifier: bool = False) -> int:
    """Sign one file with every key that counts for it; print what is still missing."""
    waiting = countersign.waiting(workspace.provenance, path, verifier=verifier, base=workspace.believed)
    wanted = {key.key_id: key for _, who in waiting.signing for key in who.keys}
    mine = signing.holding(keys, wanted.values())
    if not mine:
        names = "; ".join(
            f"{name}: {', '.join(key.key_id[:16] + '…' for key in q.keys)}" for name, q in waiting.signing
        )
        if not waiting.signing:
            raise UsageError(f"{path} names nobody who could sign it so")
        raise UsageError(f"none of your keys counts for {path}", hint=f"it can be signed by {names}")
    done = quorum.valid_signers(waiting.envelope, mine)
    mine = [key for key in mine if key.key_id not in done]
    if not mine:
        echo(f"your keys have signed {printable(waiting.says)} already\n")
        committed = workspace.believed is not None and workspace.believed.read(path) == workspace.provenance.read(path)
        if waiting.missing or not committed:
            say_missing(waiting)
        return 0
    if path.startswith((NODES, TOMBSTONES)):
        _check_follows(workspace, path)
    echo(f"signing {printable(waiting.says)}\n")
    for detail in waiting.details:
        echo(f"  {printable(detail)}\n")
    sealed = waiting.envelope.signed_with(keys.signers(mine))
    journal.apply(workspace.root, {path: sealed.dump()})
    for key in mine:
        echo(f"  signed by {key.scheme} {key.key_id[:16]}…\n")
    signed = replace(waiting, envelope=sealed)
    if not signed.missing and path.startswith((NODES, TOMBSTONES)):
        again = Workspace.open(workspace.root, workspace.provenance.now)
        result = verify_file(again.provenance, path.removesuffix(ATTESTATION_SUFFIX) + ".yaml")
        if not result.held:
            failed = next(step.seen for step in result.steps if not step.held)
            note(f"everybody has signed, and still it does not verify: {failed}")
            return 1
    say_missing(signed)
    return 0


def _check_follows(workspace: Workspace, path: str) -> None:
    """Refuse an attestation that does not follow from the one that the base holds: it is for another time or place."""
    subject = path.removesuffix(".dsse.json") + ".yaml"
    claim = workspace.provenance.attestation(subject)
    base = workspace.believed
    if base is None or claim is None:
        return
    identifier = node_id(subject)
    before = base.attestation(node_path(identifier)) or base.attestation(tombstone_path(identifier))
    expected = (before.sequence + 1, before.digest) if before else (0, None)
    same = before is not None and before.digest == claim.digest
    if not same and (claim.sequence, claim.previous) != expected:
        raise UsageError(f"{path} does not follow from what is committed", hint="sign it anew: nodespec update FILE")


def say_missing(waiting: Waiting) -> None:
    """Say whose signatures a file still needs."""
    for missing in waiting.missing:
        verb = "cosign" if missing.startswith("the verifier") else "sign"
        note(f"still to sign: {missing}, with: nodespec {verb} {waiting.path}")
    if not waiting.missing:
        note(f"complete: commit {waiting.path}")


def _signed_file(workspace: Workspace, target: str) -> str:
    """Return the signed file that an id, a path, or a spec's path stands for."""
    if os.path.isfile(target):
        inside = workspace.inside(target)
        return attestation_path(inside) if inside.endswith(".yaml") else inside
    if target.startswith("registry/") and target.endswith(".dsse.json"):
        return target
    if "/" not in target:
        records = workspace.provenance.records(folder_of(workspace.owner(target)))
        return records[-1]
    return attestation_path(_subject_path(workspace, target))


def _subject_path(workspace: Workspace, target: str) -> str:
    if os.path.isfile(target):
        inside = workspace.inside(target)
        path = inside.removesuffix(".dsse.json") + ".yaml" if inside.endswith(".dsse.json") else inside
        if not (is_node_path(path) or is_tombstone_path(path)):
            raise UsageError(f"{printable(target)} is no node", hint="give a node's id, or its file")
        return path
    return find(workspace.snapshot, target)


def find(snapshot: Snapshot, target: str) -> str:
    """Return the path of a node or a tombstone, by id or by path; raise ``UsageError``."""
    known = {entry.path for entry in snapshot.tree.entries}
    candidates = [target, node_path(target), tombstone_path(target)] if "/" in target else [target]
    for path in candidates:
        if path in known and (is_node_path(path) or is_tombstone_path(path)):
            return path
    snapshot.get(target)  # says what is near, or that it cannot be read
    raise UsageError(f"nothing is called {quoted(target)}")


@click.command("seal")
@signing_options
@base_option
def seal_command(repo: str, key_names: tuple[str, ...], signer: str | None, base: str | None) -> int:
    """Sign the protected files as a maintainer: registry.yaml, waivers, policies, schemas.

    Writes registry/seal.dsse.json. When more maintainers must sign, each of them runs this on the same files, and the
    last one completes it. A registry that has a seal accepts changes of these files with the next one only. To seal
    anew on a branch whose seal is not merged, name what it will be merged into: --base origin/main.
    """
    workspace = Workspace.open(repo, now(), base=base)
    workspace.require_trust()
    before = workspace.believed.seal if workspace.believed else None
    made = Seal(
        registry_id=workspace.snapshot.settings.registry_id,
        files=workspace.provenance.protected(),
        sequence=before.sequence + 1 if before else 0,
        previous=before.digest if before else None,
        issued_at=workspace.provenance.now,
    )
    if _is_begun(workspace, made):
        return add_signatures(workspace, SEAL_PATH, wallet(key_names, signer))
    keys, role = wallet(key_names, signer), workspace.provenance.root.roles["maintainer"]
    mine = signing.holding(keys, role.keys)
    if not mine:
        raise UsageError("none of your keys is a maintainer's", hint="nodespec trust show lists them")
    for line in countersign.sealed_changes(before, made):
        echo(f"  {printable(line)}\n")
    unsigned = Envelope(payload_type=statement.PAYLOAD_TYPE, payload=made.payload(), signatures=())
    journal.apply(workspace.root, {SEAL_PATH: unsigned.signed_with(keys.signers(mine)).dump()})
    echo(f"wrote seal {made.sequence} over {len(made.files)} files: {SEAL_PATH}\n")
    again = Workspace.open(workspace.root, workspace.provenance.now)
    say_missing(countersign.waiting(again.provenance, SEAL_PATH))
    return 0


def _is_begun(workspace: Workspace, made: Seal) -> bool:
    """Say whether the seal that stands here is about the same files, and one of today's maintainers has signed it.

    It is the one that follows from the base, or the base's own, to which some of them have still to sign.
    """
    standing, data = workspace.provenance.seal, workspace.provenance.read(SEAL_PATH)
    if standing is None or data is None or (standing.registry_id, standing.files) != (made.registry_id, made.files):
        return False
    before = workspace.believed.seal if workspace.believed else None
    follows = (standing.sequence, standing.previous) == (made.sequence, made.previous)
    maintainers = workspace.provenance.root.roles["maintainer"]
    return (follows or standing == before) and bool(quorum.valid_signers(seal.read(data)[0], maintainers.keys))


@click.command("verify")
@click.argument("targets", nargs=-1, metavar="[ID|PATH…]", shell_complete=complete_id)
@repo_option
@at_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--quiet", "-q", is_flag=True, help="Only what does not verify, and the sum.")
@click.option("--jobs", "-j", type=int, default=None, metavar="N", help="Processes; 0 is one for each core.")
@color_option
def verify_command(
    targets: tuple[str, ...], repo: str, at: str | None, form: str, quiet: bool, jobs: int | None, color: str
) -> int:
    """Verify who stands behind nodes, step by step: those named, or all.

    Shows what each step saw and what it leaves to you. Against your pin (nodespec trust pin), when there is one.
    """
    snapshot = Registry.open(repo, index=False).at(at)
    tell_example(snapshot)
    provenance = Provenance(snapshot.tree, snapshot.settings, now())
    owed = check_root(provenance, older=at is not None)
    if snapshot.tree.defects:
        raise RegistryError(f"the tree is malformed: {snapshot.tree.defects[0].what}", hint="run: nodespec validate")
    known = [entry.path for entry in snapshot.tree.entries]
    paths = [find(snapshot, _as_inside(target, snapshot)) for target in targets]
    if not targets:
        paths = [path for path in known if is_node_path(path) or is_tombstone_path(path)]
    if not paths:
        note("nothing is registered here")
        return 4
    workers = check_jobs(0 if len(paths) >= _ALL_CORES_FROM else 1) if jobs is None else check_jobs(jobs)
    with Progress("verifying") as progress:
        found = verify_all(provenance, paths, jobs=workers, progress=progress)
    results = list(zip(paths, found, strict=True))
    held = sum(result.held for _, result in results)
    if form == "json":
        echo(_to_json(results, owed))
    else:
        for path, result in results:
            if targets and not quiet:
                print_verification(node_id(path), result, color)
            elif not result.held or not quiet:
                _print_line(node_id(path), result, color)
        echo(f"{held} of {len(results)} verified\n")
        for duty in _duties(results, owed):
            note(f"not checked: {duty}")
    return 0 if held == len(results) else 1


def _as_inside(target: str, snapshot: Snapshot) -> str:
    root = getattr(snapshot.tree, "root", None)
    if root is not None and os.path.isfile(target):
        return os.path.relpath(os.path.realpath(target), os.path.realpath(root))
    return target


def _duties(results: Iterable[tuple[str, Verification]], owed: tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys([*owed, *(duty for _, result in results for duty in result.owed)]))


def print_verification(name: str, result: Verification, color: str) -> None:
    """Print every step."""
    paint = painter(color)
    echo(paint(printable(name), "strong") + "\n")
    for position, step in enumerate(result.steps, 1):
        mark = paint("ok", "ok") if step.held else paint("FAILED", "error")
        echo(f"  {step.number or position:2} {step.name}: {mark}: {printable(step.seen)}\n")
    echo(f"  {paint('verified', 'ok') if result.held else paint('NOT verified', 'error')}\n")


def _print_line(name: str, result: Verification, color: str) -> None:
    paint = painter(color)
    if result.held:
        echo(f"{paint('ok', 'ok')}      {printable(name)}\n")
    else:
        failed = next(step.seen for step in result.steps if not step.held)
        echo(f"{paint('FAILED', 'error')}  {printable(name)}: {printable(failed)}\n")


def _to_json(results: list[tuple[str, Verification]], owed: tuple[str, ...]) -> str:
    from nodespec.encoding import json_text

    rows = [
        {
            "id": node_id(path),
            "path": path,
            "verified": result.held,
            "steps": [
                {"number": step.number or position, "name": step.name, "held": step.held, "seen": step.seen}
                for position, step in enumerate(result.steps, 1)
            ],
        }
        for path, result in results
    ]
    return json_text({"version": 1, "results": rows, "owed": _duties(results, owed)}, indent=2) + "\n"
