"""nodespec trust."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from nodespec import countersign, envelope, home, journal, keyring, pin, quorum, signing, trust
from nodespec.chain import Link, record_path
from nodespec.cli.believed import check_pin, check_root
from nodespec.cli.common import color_option, echo, note, painter, repo_option
from nodespec.cli.sign import add_signatures, say_missing
from nodespec.cli.workspace import Workspace, now, signing_options, wallet
from nodespec.encoding import json_text, printable, quoted
from nodespec.errors import RegistryError, UsageError
from nodespec.keys import SCHEMES
from nodespec.provenance import Provenance
from nodespec.quorum import Quorum, short
from nodespec.registry import Registry
from nodespec.spec import LANES, MAX_TIER
from nodespec.tree import TRUST
from nodespec.trust import Delegation, Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from nodespec.keys import PublicKey
    from nodespec.signing import Wallet

DEFAULT_LIFE = "365d"
_LIFE = re.compile(r"([1-9][0-9]{0,4})d\Z")

expires_option = click.option(
    "--expires",
    default=DEFAULT_LIFE,
    show_default=True,
    metavar="DAYS",
    help="For how long the version is good, as in 90d.",
)


@click.group("trust")
def trust_command() -> None:
    """Make, show, change and pin the trust root: whom a registry believes, and for what.

    Each version is a file under registry/trust, signed by the root keys of the version before and of its own.
    """


def role_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add --root, --maintainer, --checkpoint and their thresholds."""
    for role in reversed(trust.ROLES):
        command = click.option(
            f"--{role}", f"{role}_keys", multiple=True, metavar="KEY", help=f"A {role} key: a file or a name."
        )(command)
        command = click.option(f"--{role}-threshold", type=int, metavar="N", help=f"How many {role} keys must sign.")(
            command
        )
    return command


@trust_command.command("init")
@role_options
@expires_option
@signing_options
def init_command(
    repo: str,
    key_names: tuple[str, ...],
    signer: str | None,
    expires: str,
    root_keys: tuple[str, ...],
    root_threshold: int | None,
    checkpoint_keys: tuple[str, ...],
    checkpoint_threshold: int | None,
    maintainer_keys: tuple[str, ...],
    maintainer_threshold: int | None,
) -> int:
    """Make version 1. Without options, your key main holds every role.

    KEY is a public key file, or the name of one of your own keys. For a registry that matters, give three root keys
    held by three people, and a threshold of two: SECURITY.md describes the ceremony.
    """
    moment = now()
    workspace = Workspace.open(repo, moment)
    path = record_path(TRUST, 1)
    if workspace.provenance.read(path) is not None:
        raise UsageError(f"{path} exists; a trust root is made once", hint="to change it: nodespec trust rotate")
    if pin.load(home.find(os.environ), workspace.snapshot.settings.registry_id) is not None:
        name = workspace.snapshot.settings.registry_id
        hint = "restore that trust root, or give this registry another registry_id"
        raise UsageError(f"you have pinned a trust root of {quoted(name)} already", hint=hint)
    keys = wallet(key_names, signer)
    default = key_names or ("main",)
    given = {"root": root_keys or default, "checkpoint": checkpoint_keys, "maintainer": maintainer_keys}
    thresholds = {"root": root_threshold, "checkpoint": checkpoint_threshold, "maintainer": maintainer_threshold}
    own = list(keys.keys) if signer and not root_keys else None
    root = first_root(workspace.snapshot.settings.registry_id, given, thresholds, moment, life(expires), own)
    return draft(workspace, root, (), keys)


def first_root(
    registry_id: str,
    given: dict[str, tuple[str, ...]],
    thresholds: dict[str, int | None],
    moment: datetime,
    lasts: timedelta,
    own: list[PublicKey] | None = None,
) -> Root:
    """Return version 1 of a registry's trust root; ``own`` are a signer's keys, where no files and names are given."""
    keys = {role: public_keys(names, both=role == "checkpoint") for role, names in given.items() if own is None}
    keys = {role: keys.get(role) or own or public_keys(given["root"], both=role == "checkpoint") for role in given}
    roles = {role: _quorum(role, found, thresholds[role]) for role, found in keys.items()}
    schemes = tuple(scheme for scheme in SCHEMES if any(key.scheme == scheme for key in roles["checkpoint"].keys))
    return Root(
        version=1,
        previous=None,
        registry_id=registry_id,
        issued_at=moment,
        expires=moment + lasts,
        roles=roles,
        verifiers=(),
        checkpoint_schemes=schemes,
        attestation_schemes=SCHEMES,
        delegations=(),
    )


def public_keys(names: Iterable[str], *, both: bool = False) -> list[PublicKey]:
    """Return the keys in these files or of these names; of a name's keys only the ML-DSA ones, unless ``both``."""
    found: list[PublicKey] = []
    for name in names:
        if os.path.isfile(name):
            found.append(keyring.read_public(name))
            continue
        own = [file.public for file in keyring.listing(home.require(os.environ), name)]
        strong = [key for key in own if key.scheme != "ed25519"]
        found += own if both or not strong else strong
    return found


def key_ids(texts: Iterable[str], known: Iterable[str], whose: str) -> set[str]:
    """Return the known key ids that the texts name: public key files, names of your own keys, beginnings of ids."""
    ids, found = set(known), set()
    own = keyring.listing(home.require(os.environ))
    for text in texts:
        named = {keyring.read_public(text).key_id} if os.path.isfile(text) else set()
        named |= {file.public.key_id for file in own if file.name == text}
        named |= {item for item in ids if len(text) >= 8 and item.startswith(text)}
        if not named & ids:
            hint = "give a public key file, the name of a key of yours, or at least 8 digits of a key id"
            raise UsageError(f"{quoted(text)} names no key of {whose}", hint=hint)
        found |= named & ids
    return found


def _quorum(role: str, keys: Iterable[PublicKey], threshold: int | None) -> Quorum:
    try:
        return Quorum(keys=quorum.in_order(keys), threshold=1 if threshold is None else threshold)
    except ValueError as error:
        raise UsageError(f"role {role}: {error}") from None


def life(text: str) -> timedelta:
    """Return a number of days."""
    match = _LIFE.match(text)
    if not match:
        raise UsageError(f"{quoted(text)} is not a number of days", hint="expected a number and d, as in 365d")
    return timedelta(days=int(match[1]))


def draft(workspace: Workspace, root: Root, before: tuple[Root, ...], keys: Wallet) -> int:
    """Write a version, signed with the keys at hand; say who has yet to sign."""
    path = record_path(TRUST, root.version)
    workspace.refuse_published(root.keys)
    for line in countersign.changes(before[-1] if before else None, root):
        echo(f"  {printable(line)}\n")
    journal.apply(workspace.root, {path: sealed_root(root, before, keys).dump()})
    echo(f"wrote version {root.version} of the trust root: {path}\n")
    echo(f"  fingerprint {pin.fingerprint(root)}\n  good until  {root.expires:%Y-%m-%d}\n")
    again = Workspace.open(workspace.root, workspace.provenance.now)
    say_missing(countersign.waiting(again.provenance, path))
    return 0


def sealed_root(root: Root, before: tuple[Root, ...], keys: Wallet) -> envelope.Envelope:
    """Return the version's envelope, signed with every key at hand that counts; raise ``UsageError`` when none does."""
    try:
        unsigned = envelope.Envelope(payload_type=trust.PAYLOAD_TYPE, payload=root.payload(), signatures=())
        trust.read_alone(Link(path="", number=root.version, envelope=unsigned))
    except ValueError as error:
        raise UsageError(f"that would be no trust root: {error}") from None
    wanted = {key.key_id: key for version in (*before[-1:], root) for key in version.roles["root"].keys}
    mine = signing.holding(keys, wanted.values())
    if not signing.holding(keys, (before[-1] if before else root).roles["root"].keys):
        raise UsageError(
            "none of your keys is a root key", hint="nodespec trust show lists them; nodespec keys show lists yours"
        )
    return unsigned.signed_with(keys.signers(mine))


def next_root(workspace: Workspace, keys: Wallet, lasts: timedelta | None = None) -> tuple[Root, tuple[Root, ...]]:
    """Return what the next version starts from, and the versions that are committed.

    A version that you began and that is not complete and committed is changed in place and signed anew. One that
    somebody else began is refused: what it changes would be signed unseen.
    """
    moment = workspace.provenance.now
    committed = Provenance(workspace.base, workspace.snapshot.settings, moment).sound_roots() if workspace.base else ()
    path = record_path(TRUST, len(committed) + 1)
    data = workspace.provenance.read(path)
    if data is not None:
        try:
            link = Link(path=path, number=len(committed) + 1, envelope=envelope.parse_exact(data, trust.PAYLOAD_TYPE))
            pending = trust.read_alone(link)
        except ValueError as error:
            raise UsageError(f"{path} is no trust root: {error}", hint="delete it, and begin again") from None
        if not quorum.valid_signers(link.envelope, signing.holding(keys, pending.keys)):
            hint = f"nodespec trust sign shows what it changes; to begin your own, take it away first: rm {path}"
            raise UsageError(f"{path} was begun by somebody else, and is not complete", hint=hint)
        note(f"note: version {pending.version}, which you began, is changed and signed anew")
        lasts = lasts or (pending.expires - pending.issued_at)
        return replace(pending, issued_at=moment, expires=moment + lasts), committed
    if not committed:
        raise RegistryError("there is no trust root that verifies", hint="nodespec trust init makes one")
    last = committed[-1]
    lasts = lasts or (last.expires - last.issued_at)
    previous = pin.fingerprint(last)
    return (
        replace(last, version=last.version + 1, previous=previous, issued_at=moment, expires=moment + lasts),
        committed,
    )


@trust_command.command("rotate")
@role_options
@click.option("--drop", multiple=True, metavar="KEY", help="Take a key out of every role.")
@click.option("--verifier", multiple=True, metavar="OWNER", help="Appoint an owner as a verifier.")
@click.option("--no-verifier", multiple=True, metavar="OWNER", help="Dismiss a verifier.")
@click.option(
    "--checkpoint-scheme",
    multiple=True,
    type=click.Choice(SCHEMES),
    help="A checkpoint needs a signature of each of these.  [default: as before, where a key of it is left]",
)
@click.option(
    "--attestation-scheme",
    multiple=True,
    type=click.Choice(SCHEMES),
    help="Owners sign nodes with these.  [default: as before]",
)
@click.option("--expires", metavar="DAYS", help="For how long it is good, as in 90d.  [default: as long as the last]")
@signing_options
def rotate_command(
    repo: str,
    key_names: tuple[str, ...],
    signer: str | None,
    expires: str | None,
    drop: tuple[str, ...],
    verifier: tuple[str, ...],
    no_verifier: tuple[str, ...],
    checkpoint_scheme: tuple[str, ...],
    attestation_scheme: tuple[str, ...],
    root_keys: tuple[str, ...],
    root_threshold: int | None,
    checkpoint_keys: tuple[str, ...],
    checkpoint_threshold: int | None,
    maintainer_keys: tuple[str, ...],
    maintainer_threshold: int | None,
) -> int:
    """Make the next version: a new expiry, and whatever the options change.

    --root, --checkpoint and --maintainer add keys. The root keys of both versions sign, each up to its threshold.
    """
    workspace = Workspace.open(repo, now())
    keys = wallet(key_names, signer)
    root, before = next_root(workspace, keys, life(expires) if expires else None)
    added = {"root": root_keys, "checkpoint": checkpoint_keys, "maintainer": maintainer_keys}
    thresholds = {"root": root_threshold, "checkpoint": checkpoint_threshold, "maintainer": maintainer_threshold}
    gone = key_ids(drop, [key.key_id for key in root.keys], "the trust root")
    roles = {role: _changed(role, root.roles[role], added[role], thresholds[role], gone) for role in trust.ROLES}
    allowed = tuple(scheme for scheme in SCHEMES if scheme in (attestation_scheme or root.attestation_schemes))
    schemes = _required(checkpoint_scheme, root.checkpoint_schemes, {key.scheme for key in roles["checkpoint"].keys})
    root = replace(root, checkpoint_schemes=schemes, attestation_schemes=allowed)
    verifiers = (set(root.verifiers) | {workspace.owner(name) for name in verifier}) - {
        workspace.owner(name) for name in no_verifier
    }
    code = draft(workspace, replace(root, roles=roles, verifiers=tuple(sorted(verifiers))), before, keys)
    if workspace.provenance.seal is not None and roles["maintainer"] != root.roles["maintainer"]:
        note("the maintainers change, and the seal is judged by the newest: let them seal on the same branch, too")
    return code


def _required(asked: tuple[str, ...], before: tuple[str, ...], there: set[str]) -> tuple[str, ...]:
    """Return the schemes that a checkpoint needs: those asked for, or those of before that some key still has."""
    without = next((scheme for scheme in asked if scheme not in there), None)
    if without is not None:
        hint = "add one in the same command: --checkpoint KEY"
        raise UsageError(f"no checkpoint key is of scheme {without}, so no checkpoint could count", hint=hint)
    wanted = asked or [scheme for scheme in before if scheme in there] or there
    return tuple(scheme for scheme in SCHEMES if scheme in wanted)


def _changed(role: str, old: Quorum, added: tuple[str, ...], threshold: int | None, gone: set[str]) -> Quorum:
    keys = [*old.keys, *public_keys(added, both=role == "checkpoint")]
    kept = [key for key in keys if key.key_id not in gone]
    return _quorum(role, kept, old.threshold if threshold is None else threshold)


@trust_command.command("grant")
@click.argument("owner")
@click.option(
    "--type", "node_types", multiple=True, required=True, metavar="PREFIX", help="A node type, and all below it."
)
@click.option("--lane", "lanes", multiple=True, type=click.Choice(LANES), required=True, help="A lane.")
@click.option("--max-tier", type=click.IntRange(0, MAX_TIER), required=True, help="The highest tier.")
@signing_options
def grant_command(
    owner: str,
    node_types: tuple[str, ...],
    lanes: tuple[str, ...],
    max_tier: int,
    repo: str,
    key_names: tuple[str, ...],
    signer: str | None,
) -> int:
    """Delegate node types, lanes and tiers to OWNER, in a new version."""
    workspace = Workspace.open(repo, now())
    keys = wallet(key_names, signer)
    root, before = next_root(workspace, keys)
    ordered = tuple(lane for lane in LANES if lane in lanes)
    handle = workspace.owner(owner)
    echo(f"granting to {handle}\n")
    item = Delegation(owner=handle, node_types=tuple(sorted(set(node_types))), lanes=ordered, max_tier=max_tier)
    return draft(workspace, replace(root, delegations=trust.in_order([*root.delegations, item])), before, keys)


@trust_command.command("revoke")
@click.argument("owner")
@click.option("--type", "prefix", metavar="PREFIX", help="Only what names this type.  [default: everything]")
@signing_options
def revoke_command(owner: str, prefix: str | None, repo: str, key_names: tuple[str, ...], signer: str | None) -> int:
    """Take delegations away from OWNER, in a new version. Nodes that they cover become findings."""
    workspace = Workspace.open(repo, now())
    keys = wallet(key_names, signer)
    root, before = next_root(workspace, keys)
    handle = workspace.owner(owner)
    gone = [item for item in root.of_owner(handle) if prefix is None or prefix in item.node_types]
    if not gone:
        raise UsageError(f"no such delegation to {quoted(owner)}", hint="nodespec trust show")
    left = [item for item in root.delegations if item not in gone]
    for item in gone if prefix is not None else ():
        others = tuple(other for other in item.node_types if other != prefix)
        left += [replace(item, node_types=others)] if others else []
    return draft(workspace, replace(root, delegations=trust.in_order(left)), before, keys)


@trust_command.command("sign")
@signing_options
def sign_command(repo: str, key_names: tuple[str, ...], signer: str | None) -> int:
    """Add your signature to the newest version, when it still needs some."""
    workspace = Workspace.open(repo, now())
    paths = workspace.provenance.records(TRUST)
    if not paths:
        raise UsageError("there is no trust root to sign", hint="nodespec trust init makes one")
    return add_signatures(workspace, paths[-1], wallet(key_names, signer))


@trust_command.command("verify")
@repo_option
@color_option
def verify_command(repo: str, color: str) -> int:
    """Verify every version, and the pin where there is one."""
    workspace = Workspace.open(repo, now(), reading=True)
    paint = painter(color)
    problems = [item for item in workspace.provenance.problems() if item.path.startswith(TRUST)]
    for problem in problems:
        echo(f"{paint('FAILED', 'error')} {printable(problem.path)}: {printable(problem.problem.message)}\n")
    if problems:
        return 1
    for root in workspace.provenance.roots:
        role = root.roles["root"]
        echo(
            f"{paint('ok', 'ok')} version {root.version}, {role.threshold} of {len(role.keys)} root keys, "
            f"until {root.expires:%Y-%m-%d}\n"
        )
    for duty in check_root(workspace.provenance):
        note(f"not checked: {duty}")
    return 0


@trust_command.command("pin")
@repo_option
@click.option("--expect", metavar="DIGEST", help="The fingerprint of version 1 that you were told; refuse any other.")
@click.option("--again", is_flag=True, help="Replace a pin that there is.")
def pin_command(repo: str, expect: str | None, again: bool) -> int:
    """Remember this registry's first trust root, so that another one is refused from now on.

    Compare the fingerprint with what the maintainers told you over a way that you trust. A pin also remembers the
    newest version, so that an older one is refused; pin again, when the registry went on, to remember that.
    """
    bare = Registry.open(repo, index=False).root is None
    workspace = Workspace.open(repo, now(), pinned=False, reading=bare)
    workspace.require_trust()
    folder = home.require(os.environ)
    roots = workspace.provenance.roots
    if workspace.base is not None:  # what is not committed yet may still change
        roots = Provenance(workspace.base, workspace.snapshot.settings, workspace.provenance.now).roots or roots
    found = pin.fingerprint(roots[0])
    if expect is not None and expect != found:
        raise UsageError(
            f"the fingerprint of version 1 is {found}", hint="it is not the one you were told; do not use this registry"
        )
    kept = None if again else pin.load(folder, roots[0].registry_id)
    if kept is not None:
        wrong = kept.contradicts(roots)
        if wrong is not None:
            raise UsageError(
                wrong, hint="if you know that this one is right: nodespec trust pin --again --expect DIGEST"
            )
    path = pin.save(folder, pin.Pin.of(roots))
    echo(f"pinned {roots[0].registry_id}: {found}\n  newest version {roots[-1].version}, kept in {printable(path)}\n")
    if expect is None and kept is None:
        note("compare this fingerprint with what the registry's maintainers publish elsewhere")
    return 0


@trust_command.command("show")
@repo_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show_command(repo: str, form: str) -> int:
    """Show the newest version: roles, delegations, verifiers, schemes."""
    workspace = Workspace.open(repo, now(), reading=True, pinned=False)
    workspace.require_trust()
    try:
        check_pin(workspace.provenance)
    except RegistryError as error:
        note(f"warning: this is not the trust root that you pinned: {error}")
    root = workspace.provenance.root
    if form == "json":
        echo(json_text(json.loads(root.payload()), indent=2) + "\n")
        return 0
    chains = workspace.provenance.chains()

    def named(handle: str) -> str:
        return f"{printable(chains[handle].current.name) if handle in chains else '(unknown)'} {short(handle)}"

    echo(f"{root.registry_id}, version {root.version}, until {root.expires:%Y-%m-%d}\n")
    echo(f"fingerprint of version 1: {pin.fingerprint(workspace.provenance.roots[0])}\n")
    for name, role in root.roles.items():
        echo(f"{name}: {role.threshold} of {len(role.keys)}\n")
        for key in role.keys:
            echo(f"  {key.scheme:10} {key.key_id}\n")
    echo(f"verifiers: {', '.join(map(named, root.verifiers)) or 'none'}\n")
    echo(f"checkpoint schemes: {', '.join(root.checkpoint_schemes)}\n")
    echo(f"attestation schemes: {', '.join(root.attestation_schemes)}\n")
    echo("delegations:\n" if root.delegations else "delegations: none\n")
    for item in root.delegations:
        echo(f"  {named(item.owner)}: {item}\n")
    return 0
