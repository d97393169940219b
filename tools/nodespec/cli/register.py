"""nodespec register, update, transfer, deregister."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nodespec import registration
from nodespec.cli.common import complete_id, note, read_input
from nodespec.cli.workspace import (
    Request,
    Workspace,
    change_options,
    now,
    show_difference,
    show_findings,
    write,
)
from nodespec.errors import UsageError
from nodespec.judge import judge_text
from nodespec.reading import Unreadable, load
from nodespec.text import MAX_BYTES
from nodespec.tree import Overlay, is_tombstone_path, node_id, node_path, read_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nodespec.registration import Plan
    from nodespec.spec import NodeSpec

_STILL_TO_SIGN = frozenset(["P018", "P022", "P023", "L005"])
"""Findings that say who has yet to sign: what comes next, and no reason to write nothing."""


@click.command("register")
@click.argument("file", metavar="FILE")
@change_options
def register_command(file: str, request: Request) -> int:
    """Add a node to the registry: judge FILE, put it in its place, and sign it.

    FILE is a NodeSpec, anywhere; - is standard input. Its path in the registry follows from its node_type and name.
    Nothing is written when a rule finds an error. Then open a pull request with what was written.
    """
    return _put(Workspace.open(request.repo, now(), base=request.base), file, "register", request)


@click.command("update")
@click.argument("file", metavar="FILE")
@change_options
def update_command(file: str, request: Request) -> int:
    """Sign a changed node: judge FILE, put it in its place, and sign what now stands there.

    FILE may be the node's own file, after you have edited it; - is standard input. A tombstone, which nobody edits, is
    signed anew as it stands, as after a loss of keys.
    """
    workspace = Workspace.open(request.repo, now(), base=request.base)
    path = workspace.relative(file)
    if is_tombstone_path(path):
        stone = workspace.snapshot.tombstone(node_id(path))
        data = read_path(workspace.snapshot.tree, path) or b""
        return _carry_out(workspace, registration.sign_anew(workspace.inputs(request.wallet()), stone, data), request)
    return _put(workspace, file, "update", request)


@click.command("transfer")
@click.argument("identifier", metavar="ID", shell_complete=complete_id)
@click.option("--to", "to", required=True, metavar="OWNER", help="The new owner: a handle, its beginning, or a name.")
@click.option("--version", metavar="VERSION", help="The node's next version.  [default: one patch up]")
@change_options
def transfer_command(identifier: str, to: str, version: str | None, request: Request) -> int:
    """Hand a node over to another owner. Both sign: you now, the other with nodespec sign."""
    workspace = Workspace.open(request.repo, now(), base=request.base)
    node = workspace.snapshot.get(identifier)
    data = read_path(workspace.snapshot.tree, node.path) or b""
    inputs = workspace.inputs(request.wallet())
    return _carry_out(
        workspace, registration.transfer(inputs, data, node, to=workspace.owner(to), version=version), request
    )


@click.command("deregister")
@click.argument("identifier", metavar="ID", shell_complete=complete_id)
@click.option("--reason", required=True, metavar="TEXT", help="Why the node goes, for whoever looks for it.")
@click.option("--successor", metavar="ID", help="The node to turn to instead.")
@click.option("--force-dangling", metavar="REASON", help="Go although others subscribe to its signals; say why.")
@change_options
def deregister_command(
    identifier: str, reason: str, successor: str | None, force_dangling: str | None, request: Request
) -> int:
    """Take a node out and leave a signed tombstone, which locks its name for good."""
    workspace = Workspace.open(request.repo, now(), base=request.base)
    node = workspace.snapshot.get(identifier)
    if successor is not None:
        workspace.snapshot.get(successor)
    workspace.snapshot.require_complete()
    plan = registration.deregister(
        workspace.inputs(request.wallet()),
        node,
        workspace.snapshot,
        reason=reason,
        successor=successor,
        force=force_dangling,
    )
    return _carry_out(workspace, plan, request)


def _put(workspace: Workspace, file: str, action: str, request: Request) -> int:
    data = read_input(file, MAX_BYTES)
    shown = "-" if file == "-" else file
    draft = judge_text(data, tree=workspace.snapshot.tree, path=shown)
    if any(finding.code[0] in "FS" for finding in draft.findings):
        show_findings(draft, Overlay(workspace.snapshot.tree, {shown: data}), request.color)
        note("nothing was written")
        return 1
    node: NodeSpec = registration.read_draft(data, shown)
    plan = registration.put(workspace.inputs(request.wallet()), data, node, action=action)
    _check_heard(workspace, node)
    return _carry_out(workspace, plan, request)


def _check_heard(workspace: Workspace, node: NodeSpec) -> None:
    """Raise ``UsageError`` when others subscribe to signals that only this node sent, and would no longer send."""
    path = node_path(node.id)
    entry = workspace.base.entry(path) if workspace.base else None
    old = load(workspace.base, entry) if workspace.base and entry else None
    if old is None or isinstance(old, Unreadable):
        return
    sent = {emit.name for emit in node.emits}
    lost = [
        f"{who} waits for {signal}"
        for signal, who in registration.dangling(old, workspace.snapshot)
        if signal not in sent
    ]
    if lost:
        hint = "change the subscribers first, or go on sending them"
        raise UsageError(f"{node.id} would no longer send what others hear: {'; '.join(lost[:5])}", hint=hint)


def _carry_out(workspace: Workspace, plan: Plan, request: Request) -> int:
    files: Mapping[str, bytes | None] = {
        **workspace.pending_owners({party.handle for party in plan.claim.parties}),
        **plan.files,
    }
    found = workspace.judge(files, committed=request.committed)
    serious = [item for item in found.findings if item.severity == "error" and item.code not in _STILL_TO_SIGN]
    if serious or found.blocked:
        show_findings(found, workspace.judged(files, committed=request.committed), request.color)
        if not serious:
            families = ", ".join(found.blocked)
            note(f"{families} could not check every file, because of another one; nodespec validate says which")
        note("nothing was written")
        return 1 if serious and not found.undecided else 3
    if request.dry_run:
        show_difference(workspace.base or workspace.snapshot.tree, files)
        note("dry run: nothing was written")
        return 0
    message = f"{plan.action.capitalize()} {plan.node_id} {plan.claim.version}"
    default = f"{plan.action}/{plan.node_id}"
    write(workspace, files, message, request, default_branch=default)
    for missing in plan.waiting:
        verb = f"nodespec cosign {plan.node_id}" if "verifier" in missing else f"nodespec sign {plan.node_id}"
        note(f"still to sign: {missing}, with: {verb}")
    if not request.committed:
        note(f"next: git switch -c {default}; git add registry; git commit; git push; and open a pull request")
    return 0
