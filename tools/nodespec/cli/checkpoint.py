"""nodespec checkpoint."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, cast

import click

from nodespec import checkpoint as checkpoints
from nodespec import envelope, home, keyring, manifest, pin, signed_roster
from nodespec.checkpoint import Previous, Trust
from nodespec.cli.believed import check_root
from nodespec.cli.common import (
    color_option,
    echo,
    index_options,
    note,
    open_registry,
    painter,
    passphrase,
    read_input,
    repo_option,
    require_registry,
    tell_example,
    write_output,
)
from nodespec.cli.terminal import Progress
from nodespec.encoding import printable, quoted
from nodespec.errors import RegistryError, UsageError
from nodespec.keys import HMAC_SCHEME, HmacKey, PrivateKey
from nodespec.provenance import Provenance
from nodespec.registry import Registry, Snapshot
from nodespec.signed_roster import REF as ROSTER
from nodespec.workers import check_jobs
from nodespec.worktree import write_file

if TYPE_CHECKING:
    from nodespec.commit import CommitTree
    from nodespec.envelope import Signer
    from nodespec.roster import Roster
    from nodespec.verification import Verification

_AGE = re.compile(r"([1-9][0-9]{0,5})([smhd])\Z")
FAR = 10_000
"""Commits among whose checkpoints the one to follow is looked for: years of main, and a tenth of a second."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

scheme_option = click.option(
    "--scheme",
    type=click.Choice(["keys", HMAC_SCHEME]),
    default="keys",
    show_default=True,
    help=f"{HMAC_SCHEME} is for compatibility only: it uses the shared key in REGISTRY_HMAC_KEY.",
)


@click.group("checkpoint")
def checkpoint_command() -> None:
    """Make and verify signed checkpoints of commits.

    A checkpoint states which files a commit holds, by SHA-256, and is signed. It is a file: keep it, send
    it, verify it offline with any clone.
    """


@checkpoint_command.command("create")
@click.argument("revision", default="HEAD", metavar="[REV]")
@repo_option
@click.option("--key", "key_name", default="main", show_default=True, help="The name of your key.")
@scheme_option
@click.option(
    "--previous",
    metavar="FILE",
    help="The checkpoint that this one follows; it must verify.  [default: the nearest that is kept here]",
)
@click.option("--anew", is_flag=True, help="Follow none, and begin with sequence 0.")
@click.option("--output", "-o", metavar="FILE", help="Where to write; - is standard output.  [default: the Git folder]")
@index_options
def create_command(
    revision: str, repo: str, key_name: str, scheme: str, previous: str | None, anew: bool, output: str | None
) -> None:
    """Sign what a commit holds (by default: HEAD).

    It follows the checkpoint that is kept here of the nearest commit before it, along first parents. That one must
    verify: with the keys that sign, and then only what changed since is read; or with the checkpoint keys of the
    registry that you pinned, and then every file is, as it is for the first of a chain.
    """
    if anew and previous is not None:
        raise UsageError("--previous and --anew exclude each other")
    indexed = open_registry(repo)
    registry = indexed.without_index()  # nothing that is signed comes from the index unseen
    snapshot = registry.at(revision)
    require_registry(snapshot)
    tell_example(snapshot)
    trust, files = _own_trust(snapshot, scheme, key_name)
    now = datetime.now(UTC)
    before = None if anew else _previous(previous, registry, snapshot, trust, scheme, now)
    from nodespec.index.merkle_cache import KnownFolders  # late: verify opens no index

    folders = KnownFolders(indexed.index_path, indexed.notice) if indexed.index_path is not None else None
    about = checkpoints.describe(snapshot, issued_at=now, previous=before, folders=folders)
    sealed = checkpoints.sign(about, [trust.shared] if trust.shared else _unlock(files, trust))
    if output == "-":
        note(_follows(before))
        echo(sealed.dump().decode())
        return
    path = output or _default_path(registry, about.commit, scheme)
    _check_free(path, kept=output is None, sequence=about.sequence)
    if output is None:
        write_file(path, sealed.dump())
    else:
        write_output(path, sealed.dump())
    echo(f"checkpoint {about.sequence} of {about.registry_id} at {about.commit[:10]}\n")
    echo(f"  {_follows(before)}\n")
    echo(f"  root   {about.root} over {about.files} files\n")
    signed = HMAC_SCHEME if trust.shared else ", ".join(file.public.scheme for file in files)
    echo(f"  signed {signed}{' (compatibility scheme)' if trust.shared else ''}\n")
    echo(f"  file   {printable(output or os.path.relpath(path))}\n")


def _follows(before: Previous | None) -> str:
    if before is None:
        return "after  none: a chain begins here"
    return f"after  checkpoint {before.statement.sequence} at {before.statement.commit[:10]}"


@checkpoint_command.command("verify")
@click.argument("target", metavar="FILE|REV")
@repo_option
@click.option("--key", "key_paths", multiple=True, metavar="PUB", help="A public key file that you trust.")
@scheme_option
@click.option("--max-age", metavar="AGE", help="The oldest that is recent enough, as in 36h or 7d.")
@color_option
def verify_command(
    target: str, repo: str, key_paths: tuple[str, ...], scheme: str, max_age: str | None, color: str
) -> int:
    """Verify a checkpoint: a file, or the one that create kept for a revision.

    Trusted are the keys given with --key; else, when you have pinned the registry (nodespec trust pin), the checkpoint
    keys of its trust root; else all your own. A trusted key of each required scheme must have signed.
    """
    registry = Registry.open(repo, index=False)
    snapshot = registry.at(None)
    tell_example(snapshot)
    age = _age(max_age)
    data, commit = _find(target, registry, scheme)
    if key_paths and scheme != HMAC_SCHEME:
        trust = Trust.of_keys([keyring.read_public(path) for path in key_paths], snapshot.settings)
    else:
        trust = _pinned_trust(snapshot, scheme) or _own_trust(snapshot, scheme, None)[0]
    result = checkpoints.verify(data, registry, trust, now=datetime.now(UTC), commit=commit, max_age=age)
    _print(result, color)
    return 0 if result.held else 1


@checkpoint_command.command("manifest")
@click.argument("revision", default="HEAD", metavar="[REV]")
@repo_option
def manifest_command(revision: str, repo: str) -> None:
    """Print the list that a checkpoint is about: the same bytes from the same commit on any machine."""
    snapshot = Registry.open(repo, index=False).at(revision)
    require_registry(snapshot)
    tell_example(snapshot)
    click.echo(manifest.of_tree(snapshot.tree).dump(), nl=False)


@checkpoint_command.command("roster")
@click.argument("revision", default="HEAD", metavar="[REV]")
@repo_option
@click.option(
    "--key", "key_names", multiple=True, default=("main",), show_default=True, help="The name of your key, or of each."
)
@click.option("--anew", is_flag=True, help="Read every node, whatever the roster that is kept says.")
@click.option("--output", "-o", metavar="FILE", help=f"Where to write; - is standard output.  [default: {ROSTER}]")
@click.option("--jobs", "-j", type=int, default=0, metavar="N", help="Processes; 0 is one for each core.")
def roster_command(
    revision: str, repo: str, key_names: tuple[str, ...], anew: bool, output: str | None, jobs: int
) -> None:
    """Sign who sends and hears which signals at a commit (by default: HEAD).

    With it, a gate in a fresh clone reads what a pull request changes, and searches no other files: whether nobody else
    sends a signal, it takes from whoever may sign checkpoints. It is kept in the Git repository, as a blob; push it
    with: git push origin refs/nodespec/roster. The one that is there is brought up to date by what differs since, when
    all of these keys signed it.
    """
    workers = check_jobs(jobs)
    registry = Registry.open(repo, index=False)
    snapshot = registry.at(revision)
    require_registry(snapshot)
    tell_example(snapshot)
    if snapshot.commit is None:
        raise UsageError("a roster is about a commit, not about a work tree", hint="name one, such as HEAD")
    if output and output != "-":
        _check_free(output, kept=False, sequence=0)
    owned = [_own_trust(snapshot, "keys", name)[1] for name in dict.fromkeys(key_names)]
    files = [file for found in owned for file in found]
    trust = Trust.of_keys([file.public for file in files], snapshot.settings)
    tree, now = cast("CommitTree", snapshot.tree), datetime.now(UTC)
    before = None if anew else _kept_roster(registry, replace(trust, threshold=len(trust.keys)), now)
    with Progress("reading") as progress:
        roster = signed_roster.of_commit(tree, before, jobs=workers, progress=progress)
    keys: list[tuple[str, Signer]] = [(key.public.key_id, key) for key in _unlock(files, trust)]
    registry_id = snapshot.settings.registry_id
    data = signed_roster.sign(roster, registry_id, snapshot.commit.id, now, keys)
    _check_believed(data, snapshot, now)
    if output == "-":
        click.echo(data, nl=False)
        return
    if output:
        write_output(output, data)
    else:
        registry.git.keep(ROSTER, data)
    echo(f"roster of {registry_id} at {snapshot.commit.id[:10]}\n")
    echo(f"  signed {', '.join(file.public.scheme for file in files)}\n")
    echo(f"  kept   {printable(output or ROSTER)} ({len(data):,} bytes)\n")
    if not output:
        note(f"next: git push origin {ROSTER}, so that others can fetch it")


def _kept_roster(registry: Registry, trust: Trust, now: datetime) -> Roster | None:
    """Return the roster that is kept, when all who sign now signed it, too; else None, and every file is read."""
    try:
        data = registry.git.kept(ROSTER, signed_roster.MAX_BYTES)
        found = None if data is None else signed_roster.verify(data, trust, now=now)
        if found is not None:
            found.everybody()
    except (RegistryError, ValueError):
        return None
    return found


def _check_believed(data: bytes, snapshot: Snapshot, now: datetime) -> None:
    """Raise ``UsageError`` for a roster that nobody would believe, since the trust root asks for other signatures."""
    provenance = Provenance(snapshot.tree, snapshot.settings, now)
    if not provenance.roots:
        hint = "make one with: nodespec trust init"
        raise UsageError("the registry has no trust root that says who may sign a roster", hint=hint)
    try:
        signed_roster.verify(data, Trust.of_root(provenance.root, snapshot.settings, now), now=now)
    except ValueError as error:
        hint = "nodespec trust show lists who must sign; name each key of yours among them: --key NAME"
        raise UsageError(f"nobody would believe this roster: {error}", hint=hint) from None


def _previous(
    chosen: str | None, registry: Registry, snapshot: Snapshot, trust: Trust, scheme: str, now: datetime
) -> Previous | None:
    """Return the checkpoint to follow, verified: the chosen one, or the nearest that is kept; None where none is.

    Raises ``UsageError`` when it does not verify: nothing is begun anew unless somebody says so.
    """
    path = _nearest(registry, snapshot, scheme) if chosen is None else chosen
    if path is None:
        return None
    data = read_input(path, envelope.MAX_BYTES)
    try:
        return checkpoints.verify_previous(data, registry, trust, snapshot, now=now)
    except UsageError as error:
        wrong = UsageError(f"{printable(os.path.relpath(path))}: {error}", hint=error.hint)
    pinned = _pinned_trust(snapshot, scheme)
    if pinned is None:
        raise wrong
    try:  # the keys that signed it may be others than those that sign now, who do not sign on somebody's word
        return replace(checkpoints.verify_previous(data, registry, pinned, snapshot, now=now), tree=None)
    except UsageError:
        raise wrong from None


def _nearest(registry: Registry, snapshot: Snapshot, scheme: str) -> str | None:
    """Return the file of the checkpoint that is kept of the nearest commit before, along first parents."""
    commit = snapshot.commit
    folder = os.path.dirname(_default_path(registry, "", scheme))
    if commit is None or not os.path.isdir(folder):
        return None
    kept = set(os.listdir(folder))
    if not kept:
        return None
    for before in islice(registry.git.first_parents(commit), 1, FAR):
        path = _default_path(registry, before.id, scheme)
        if os.path.basename(path) in kept:
            return path
    return None


def _pinned_trust(snapshot: Snapshot, scheme: str) -> Trust | None:
    """Return the trust root's checkpoint role, when the user has pinned this registry."""
    if scheme == HMAC_SCHEME or pin.load(home.find(os.environ), snapshot.settings.registry_id) is None:
        return None
    now = datetime.now(UTC)
    provenance = Provenance(snapshot.tree, snapshot.settings, now)
    check_root(provenance)
    return Trust.of_root(provenance.root, snapshot.settings, now)


def _own_trust(snapshot: Snapshot, scheme: str, name: str | None) -> tuple[Trust, list[keyring.KeyFile]]:
    if scheme == HMAC_SCHEME:
        return Trust.of_shared(HmacKey.from_text(os.environ.get("REGISTRY_HMAC_KEY")), snapshot.settings), []
    files = keyring.listing(home.require(os.environ), name)
    trust = Trust.of_keys([file.public for file in files], snapshot.settings)
    roots = Provenance(snapshot.tree, snapshot.settings, datetime.now(UTC)).roots
    if roots and name is not None:
        role = {key.key_id for key in roots[-1].roles["checkpoint"].keys}
        stranger = next((file for file in files if file.public.key_id not in role), None)
        if stranger is not None:
            hint = "nodespec trust show lists them; nodespec trust rotate --checkpoint KEY appoints one"
            raise UsageError(
                f"your key {stranger.name} ({stranger.public.scheme}) does not hold the checkpoint role here", hint=hint
            )
    return trust, files


def _unlock(files: list[keyring.KeyFile], trust: Trust) -> list[PrivateKey]:
    missing = sorted(trust.required - {file.public.scheme for file in files})
    if missing:
        hint = f"make keys of every scheme: nodespec keys new NAME --scheme {' --scheme '.join(sorted(trust.required))}"
        raise UsageError(f"this registry requires a signature of {', '.join(missing)}, and the key has none", hint=hint)
    return keyring.unlock(files, passphrase)


def _default_path(registry: Registry, commit: str, scheme: str) -> str:
    suffix = f".{HMAC_SCHEME}" if scheme == HMAC_SCHEME else ""
    return os.path.join(registry.git.common_dir, "nodespec", "checkpoints", f"{commit}{suffix}.dsse.json")


def _find(target: str, registry: Registry, scheme: str) -> tuple[bytes, str | None]:
    """Return a checkpoint's bytes, and the commit it must be about when it was asked for by revision.

    A revision wins over a file of the same name, which a pull request could have added; a file is named with
    a path (./NAME) or ends in .json.
    """
    try:
        commit = registry.git.resolve(target)
    except UsageError:
        if os.path.isfile(target) and (os.sep in target or target.endswith(".json")):
            return read_input(target, envelope.MAX_BYTES), None
        if os.sep in target or target.endswith(".json"):
            hint = "give the file of a checkpoint, or a revision"
            raise UsageError(f"{printable(target)} is neither a file nor a revision", hint=hint) from None
        raise
    path = _default_path(registry, commit.id, scheme)
    if not os.path.isfile(path):
        hint = f"make one with: nodespec checkpoint create {printable(target)}"
        if os.path.isfile(target):
            hint = f"{quoted(target)} names a revision; the file of that name is ./{printable(target)}"
        raise UsageError(f"no checkpoint of {commit.short} is kept here", hint=hint)
    return read_input(path, envelope.MAX_BYTES), commit.id


def _check_free(path: str, *, kept: bool, sequence: int) -> None:
    """Refuse to write over anything but a kept checkpoint that this one does not fall behind."""
    if not os.path.lexists(path):
        return
    if not kept:
        raise UsageError(f"{printable(path)} exists and is not overwritten", hint="choose another name; - is stdout")
    try:
        before = checkpoints.Statement.parse(envelope.parse(read_input(path, envelope.MAX_BYTES)).payload).sequence
    except ValueError:
        return  # what is no checkpoint is no loss
    if before != sequence:
        hint = "give the one it follows with --previous, none with --anew, or another place with --output"
        raise UsageError(f"checkpoint {before} of this commit is kept, and this would be {sequence}", hint=hint)


def _age(text: str | None) -> timedelta | None:
    if text is None:
        return None
    match = _AGE.match(text)
    if not match:
        raise UsageError(f"{quoted(text)} is not an age", hint="expected a number and s, m, h or d, as in 36h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _print(result: Verification, color: str) -> None:
    paint = painter(color)
    for number, step in enumerate(result.steps, 1):
        mark = paint("ok", "ok") if step.held else paint("FAILED", "error")
        echo(f"{number} {step.name}: {mark}: {printable(step.seen)}\n")
    echo(paint("verified", "ok") + "\n" if result.held else paint("NOT verified", "error") + "\n")
    if result.held:
        for duty in result.owed:
            note(f"not checked: {duty}")
