"""What the commands that sign share: the work tree and its provenance, who signs, and how a change is published."""

from __future__ import annotations

import functools
import os
import re
import secrets
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from nodespec import home, journal, keyring, publish, signing
from nodespec.cli.believed import check_pin
from nodespec.cli.common import color_option, echo, lines_of, note, painter, passphrase, repo_option, tell_example
from nodespec.encoding import printable, quoted
from nodespec.errors import RegistryError, UsageError
from nodespec.judge import judge
from nodespec.owner import PREFIX
from nodespec.provenance import Provenance
from nodespec.registration import PlanInputs
from nodespec.registry import Registry
from nodespec.report.text import to_text
from nodespec.tree import OWNERS, SETTINGS_PATH, Overlay, read_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from nodespec.keys import PublicKey
    from nodespec.registry import Snapshot
    from nodespec.signing import Wallet
    from nodespec.tree import Tree
    from nodespec.verdict import Report


_DIGITS = re.compile(r"[0-9a-f]{8,64}\Z")


def signing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --repo, --key and --signer."""
    command = click.option(
        "--signer", metavar="exec:CMD", help="A program that signs, instead of your key files (see SECURITY.md)."
    )(command)
    command = click.option(
        "--key",
        "key_names",
        multiple=True,
        metavar="NAME",
        help="Sign with the key of this name.  [default: any of yours]",
    )(command)
    return repo_option(command)


@dataclass(frozen=True, kw_only=True)
class Request:
    """How a change is to be signed and published, as the options say."""

    repo: str
    key_names: tuple[str, ...]
    signer: str | None
    commit: bool
    branch: str | None
    push: str | None
    dry_run: bool
    color: str
    base: str | None

    @property
    def committed(self) -> bool:
        """Whether the change is committed, and so judged together with what is committed already."""
        return self.commit or self.branch is not None or self.push is not None

    def wallet(self) -> Wallet:
        """Return the keys that may sign."""
        return wallet(self.key_names, self.signer)


base_option = click.option(
    "--base", metavar="REV", help="What this follows, where HEAD holds unmerged signatures.  [default: HEAD]"
)


def change_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options of a change, and hand them over as one ``request``."""

    @functools.wraps(command)
    def run(**options: Any) -> int:
        request = Request(**{item.name: options.pop(item.name) for item in fields(Request)})
        return command(request=request, **options)

    with_request: Callable[..., int] = run
    for option in (
        color_option,
        base_option,
        click.option("--dry-run", is_flag=True, help="Show the change, and write nothing."),
        click.option("--push", metavar="REMOTE", help="Push the branch; implies --branch."),
        click.option(
            "--branch",
            metavar="NAME",
            is_flag=False,
            flag_value="",
            help="Commit onto a new branch and leave the work tree as it is.  [default name: ACTION/ID]",
        ),
        click.option("--commit", is_flag=True, help="Commit onto the current branch."),
        signing_options,
    ):
        with_request = option(with_request)
    return with_request


def wallet(key_names: tuple[str, ...], signer: str | None) -> Wallet:
    """Return the keys that may sign."""
    if signer is not None:
        return signing.external(signer)
    folder = home.require(os.environ)
    named = (file for name in key_names for file in keyring.listing(folder, name))
    files = list(named) if key_names else keyring.listing(folder)
    return signing.FileWallet(files, passphrase)


@dataclass(frozen=True)
class Workspace:
    """A work tree to change: its tree, its provenance, and the commit that the change follows, if there is one."""

    root: str
    registry: Registry
    snapshot: Snapshot
    provenance: Provenance
    base: Tree | None

    @classmethod
    def open(
        cls, repo: str, now: datetime, *, reading: bool = False, pinned: bool = True, base: str | None = None
    ) -> Workspace:
        """Open the work tree at ``repo``; only for ``reading``, a bare repository will do.

        What is signed follows from what stands at ``base``, by default at HEAD.

        Raises ``RegistryError`` when its trust root is another than the user has ``pinned``.
        """
        registry = Registry.open(repo, index=False)
        if registry.root is None and not reading:
            raise UsageError("a bare repository has no files to change", hint="run it in a clone")
        snapshot = registry.at()
        tell_example(snapshot)
        provenance = Provenance(snapshot.tree, snapshot.settings, now)
        if pinned:
            check_pin(provenance)
        return cls(registry.root or "", registry, snapshot, provenance, None if reading else _base(registry, base))

    @property
    def has_trust(self) -> bool:
        """Whether there is a trust root that verifies."""
        return bool(self.provenance.roots)

    @cached_property
    def believed(self) -> Provenance | None:
        """The provenance of the commit that the change follows."""
        if self.base is None:
            return None
        return Provenance(self.base, self.snapshot.settings, self.provenance.now)

    def relative(self, target: str) -> str:
        """Return where a file is, seen from the top of the registry; it begins with ``..`` when it is outside."""
        return os.path.relpath(os.path.realpath(target), os.path.realpath(self.root))

    def inside(self, target: str) -> str:
        """Return a file's path in the registry; raise ``UsageError`` when it is outside."""
        inside = self.relative(target)
        if inside.split(os.sep)[0] == "..":
            raise UsageError(f"{printable(target)} is outside of the registry", hint=f"it is at {printable(self.root)}")
        return inside

    def require_trust(self) -> None:
        """Raise ``RegistryError`` unless the trust root verifies."""
        if not self.has_trust:
            problem = next(self.provenance.problems()).problem
            raise RegistryError(problem.message, hint="nodespec trust init makes one; nodespec trust verify shows more")

    def inputs(self, keys: Wallet) -> PlanInputs:
        """Return what a plan is made from."""
        self.require_trust()
        nonce = secrets.token_hex(16)
        return PlanInputs(here=self.provenance, base=self.believed, wallet=keys, now=self.provenance.now, nonce=nonce)

    def owner(self, text: str) -> str:
        """Return the handle that ``text`` names: a handle, its digits, the beginning of one, or an owner's name."""
        digits = text.removeprefix(PREFIX)
        names = self.provenance.names()
        if digits and len(digits) >= 8:
            found = [handle for handle in self.provenance.handles() if handle.removeprefix(PREFIX).startswith(digits)]
        else:
            found = []
        if not (text.startswith(PREFIX) or _DIGITS.match(text)):  # whoever gives a handle means no name
            found = [handle for handle, name in names.items() if name.casefold() == text.casefold()]
        if len(found) == 1:
            return found[0]
        hint = "nodespec owner list shows every owner"
        raise UsageError(f"{'several owners are' if found else 'no owner is'} called {quoted(text)}", hint=hint)

    def judge(self, files: Mapping[str, bytes | None], *, committed: bool) -> Report:
        """Judge what would stand here with these files, by the gate's own rules; only they are reported.

        What would is the work tree, or, when the files are ``committed``, what the base and they make together.
        """
        tree = self.judged(files, committed=committed)
        return judge(tree, only=frozenset(files), base=self.base, now=self.provenance.now)

    def judged(self, files: Mapping[str, bytes | None], *, committed: bool) -> Tree:
        """Return what would stand here with these files."""
        return Overlay(self.base if committed and self.base is not None else self.snapshot.tree, files)

    def refuse_published(self, keys: Iterable[PublicKey]) -> None:
        """Raise ``UsageError`` when a registry that is no example would list a published key."""
        published = next((key for key in keys if key.published), None)
        if published is not None and not self.snapshot.settings.example:
            hint = "make your own: nodespec keys new; only a registry that says example: true may list published keys"
            raise UsageError(
                f"key {published.key_id[:16]}… is a published example key; anyone can sign with it", hint=hint
            )

    def pending_owners(self, handles: Mapping[str, Any] | set[str]) -> dict[str, bytes | None]:
        """Return the records of these owners that are in the work tree and not in the base yet."""
        known = {entry.path for entry in self.base.entries} if self.base else set()
        folders = tuple(f"{OWNERS}{handle.removeprefix(PREFIX)}/" for handle in handles)
        return {
            entry.path: self.snapshot.tree.read(entry)
            for entry in self.snapshot.tree.entries
            if entry.path.startswith(folders) and entry.path not in known
        }


def _base(registry: Registry, revision: str | None) -> Tree | None:
    """Return the tree that a change follows, by default HEAD's; None when nothing is committed yet."""
    if revision is not None:
        return registry.at(revision).tree
    try:
        tree = registry.at("HEAD").tree
    except UsageError as error:
        note(f"note: there is no base to compare with: {error}")
        return None
    if not any(entry.path == SETTINGS_PATH for entry in tree.entries):
        note("note: HEAD holds no registry yet, so there is no base to compare with")
        return None
    return tree


def now() -> datetime:
    """Return this moment, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def show_findings(found: Report, tree: Tree, color: str) -> None:
    """Print a report's findings as validate does."""
    echo(to_text(found, lambda path: lines_of(tree, path), painter(color)))


def show_difference(tree: Tree, files: Mapping[str, bytes | None]) -> None:
    """Print how a tree would change, as a unified diff; signed files are named, not shown."""
    import difflib

    for path, data in files.items():
        before = (read_path(tree, path) or b"").decode("utf-8", "replace").splitlines()
        after = (data or b"").decode("utf-8", "replace").splitlines()
        if path.endswith(".json"):
            echo(f"{'would remove' if data is None else 'would write'} {printable(path)}\n")
            continue
        for line in difflib.unified_diff(before, after, f"a/{path}", f"b/{path}", lineterm=""):
            echo(printable(line) + "\n")


def write(
    workspace: Workspace, files: Mapping[str, bytes | None], message: str, request: Request, *, default_branch: str
) -> None:
    """Write a change where the options say, and tell what to do next."""
    branch, push = request.branch, request.push
    if push is not None and branch is None:
        branch = ""
    if branch is None:
        changed = {path: data for path, data in files.items() if workspace.provenance.read(path) != data}
        prepared = publish.prepare(workspace.root, files, message, branch=None) if request.commit else None
        journal.apply(workspace.root, changed)
        for path, data in changed.items():
            echo(f"{'removed' if data is None else 'wrote'} {printable(path)}\n")
        if not changed:
            echo("nothing to write: all of it stands there already, and is signed\n")
        if prepared is not None:
            echo(f"committed {prepared.commit[:10]} on {printable(publish.land(workspace.root, prepared))}\n")
        return
    prepared = publish.prepare(workspace.root, files, message, branch=branch or default_branch)
    name = publish.land(workspace.root, prepared)
    echo(f"committed {prepared.commit[:10]} on the new branch {printable(name)}; your work tree is as it was\n")
    records = {
        os.path.dirname(path) for path in files if path.startswith(OWNERS) and workspace.snapshot.tree.entry(path)
    }
    if records:  # git would not overwrite them
        note(
            f"the branch holds the owner's record, too; before you check it out, or pull it: rm -r {' '.join(records)}"
        )
    if push is None:
        note(f"next: git push origin {printable(name)}, and open a pull request from it")
        return
    address = publish.push(workspace.root, push, name)
    echo(f"pushed {printable(name)} to {printable(push)}\n")
    where = publish.pull_request_address(address, name)
    note(f"next: open the pull request{f' at {where}' if where else f' from branch {printable(name)}'}")
