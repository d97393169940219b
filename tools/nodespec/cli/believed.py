"""What a command believes: a trust root that does not contradict the user's pin, and whom that appoints."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from nodespec import home, pin
from nodespec.encoding import printable
from nodespec.errors import NodespecError, RegistryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodespec.commit import CommitTree
    from nodespec.git import GitRepository
    from nodespec.pin import Pin
    from nodespec.provenance import Provenance
    from nodespec.roster import Roster


def check_pin(provenance: Provenance, *, older: bool = False) -> Pin | None:
    """Return the user's pin of this registry, None when there is none; raise ``RegistryError`` at another trust root.

    ``older`` is for a commit of the past: there, versions that the pin knows may still be missing. A trust root that is
    missing or broken is not held against the pin; nothing is believed without it anyhow.
    """
    kept = pin.load(home.find(os.environ), provenance.settings.registry_id)
    if kept is None or not provenance.roots:
        return kept
    wrong = kept.contradicts(provenance.roots, older=older)
    if wrong is not None:
        raise RegistryError(
            wrong, hint="ask the registry's maintainers over a way you trust before you believe anything here"
        )
    return kept


def check_root(provenance: Provenance, *, older: bool = False) -> tuple[str, ...]:
    """Check the trust root, by the pin where there is one; return what is left to the caller.

    Raises ``RegistryError`` when the root is missing, broken, expired or not the pinned one.
    """
    if not provenance.roots:
        raise RegistryError(next(provenance.problems()).problem.message, hint="run: nodespec trust verify")
    if provenance.now >= provenance.root.expires:
        raise RegistryError(
            f"the trust root expired at {provenance.root.expires:%Y-%m-%d %H:%M} UTC", hint="nodespec trust rotate"
        )
    published = next((key for key in provenance.root.keys if key.published), None)
    if published is not None and not provenance.settings.example:
        raise RegistryError("the trust root lists a published example key; anyone can sign with it")
    kept = check_pin(provenance, older=older)
    if kept is None:
        first = pin.fingerprint(provenance.roots[0])
        return (f"whether the first trust root is the right one, {first[:16]}… (nodespec trust pin remembers it)",)
    if provenance.root.version > kept.version:
        since = f"whether a newer trust root than version {kept.version}, which you pinned, comes back one day"
        return (f"{since} as version {kept.version} (nodespec trust pin remembers version {provenance.root.version})",)
    return ()


class Rosters:
    """Where a gate may learn who else there is, without looking at every file.

    In this order: the file that was asked for (``chosen``); what this user's own tool left beside the index; and the
    one that the registry publishes in its Git repository. What is not believed is told in a line (``notice``); without
    any, every file is searched, and what is found is the same.
    """

    def __init__(
        self,
        git: GitRepository,
        index_path: str | None,
        base: Provenance,
        notice: Callable[[str], None],
        chosen: str | None = None,
    ) -> None:
        self.git = git
        self.index_path = index_path
        self.base = base
        self.notice = notice
        self.chosen = chosen

    def __call__(self) -> Roster | None:
        """Return the first that is believed, and from which base can be reached; None without one."""
        from nodespec.signed_roster import REF
        from nodespec.verdict_cache import known_roster

        tree, told = cast("CommitTree", self.base.tree), False
        for shown, find in (
            (self.chosen, self._asked_for),
            ("", lambda: known_roster(self.index_path)),
            (REF, self._published),
        ):
            try:
                found = find()
                if found is not None and found.differing(tree) is not None:
                    return found
                if found is not None and shown:
                    raise ValueError("the folders that it is about are not in this clone")
            except (NodespecError, OSError, ValueError) as error:
                why = error.strerror if isinstance(error, OSError) else error
                self.notice(f"note: the roster {printable(shown or 'beside the index')} is left aside: {why}")
                told = True
        if told:
            self.notice("note: no roster is believed, so every file is searched")
        return None

    def _asked_for(self) -> Roster | None:
        from nodespec.signed_roster import MAX_BYTES

        if self.chosen is None:
            return None
        with open(self.chosen, "rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                raise ValueError(f"it has more than {MAX_BYTES >> 20} MiB")
            return self._believed(file.read())

    def _published(self) -> Roster | None:
        from nodespec.signed_roster import MAX_BYTES, REF

        data = self.git.kept(REF, MAX_BYTES)
        return None if data is None else self._believed(data)

    def _believed(self, data: bytes) -> Roster:
        """Return the roster, which the checkpoint role of base's trust root must have signed."""
        from nodespec.checkpoint import Trust
        from nodespec.signed_roster import verify

        check_root(self.base)
        return verify(data, Trust.of_root(self.base.root, self.base.settings, self.base.now), now=self.base.now)
