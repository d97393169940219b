"""What is being learned of a tree: files that nothing is known of are read, and what they say is written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodespec.index.facts import Fact, learn_all
from nodespec.index.rows import select_in, write_facts
from nodespec.index.store import UnusableError, many

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nodespec.index.store import Store
    from nodespec.tree import Entry, Progress, Tree

BATCH = 20_000
"""Files that are read before what they say is written down: what an interrupted first run keeps."""
PARALLEL_FROM = 2_000
"""Files from which a second process is worth its start."""


class Learning:
    """One tree, read into one store; ``jobs`` is how many processes read, by default as many as it is worth."""

    def __init__(self, store: Store, tree: Tree, jobs: int | None, progress: Progress | None) -> None:
        self.store = store
        self.tree = tree
        self.jobs = jobs
        self.progress = progress

    def of(self, tree: Tree) -> Learning:
        """Return the same about another tree."""
        return Learning(self.store, tree, self.jobs, self.progress)

    def learn(self, entries: list[Entry]) -> list[Fact]:
        """Read files that nothing is known of, and write down what they say."""
        if not entries:
            return []
        from nodespec.workers import check_jobs

        jobs = check_jobs(0 if len(entries) >= PARALLEL_FROM else 1) if self.jobs is None else self.jobs
        facts: list[Fact] = []
        for batch in many(entries, BATCH):
            try:
                found = learn_all(self.tree, batch, jobs, self._progress(len(facts), len(entries)))
            except OSError as error:
                raise UnusableError(f"a file cannot be read: {error}") from error
            with self.store.writing() as database:
                write_facts(database, found)
            facts += found
        return facts

    def missing(self, blobs: Iterable[str]) -> set[str]:
        """Return those of these blobs that nothing is known of."""
        left = set(blobs)
        with self.store.using() as database:
            for some in many(list(left)):
                left.difference_update(
                    blob for (blob,) in select_in(database, "SELECT blob FROM fact WHERE blob IN", some)
                )
        return left

    def is_known(self, tree: str) -> bool:
        """Say whether the store has a tree of this name."""
        with self.store.using() as database:
            return database.execute("SELECT 1 FROM tree WHERE name = ?", (tree,)).fetchone() is not None

    def _progress(self, before: int, total: int) -> Progress | None:
        progress = self.progress
        return None if progress is None else lambda done, _: progress(before + done, total)
