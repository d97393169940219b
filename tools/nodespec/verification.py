"""A verification: numbered steps, what each of them saw, and what the caller still owes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nodespec.frozen import frozen

if TYPE_CHECKING:
    from nodespec.finding import KeyPath


class Step(NamedTuple):
    """One step: what was looked at, whether it held, what was seen, and its number in the verification's docstring.

    Without a number (0) its place says which it is.
    """

    name: str
    held: bool
    seen: str
    number: int = 0


@frozen
class Problem:
    """Why a step did not hold: the rule's slug, a sentence, and where in the document it stands."""

    slug: str
    message: str
    at: KeyPath | None = None
    fix: str = ""


@frozen
class Verification:
    """The steps in order; those after one that everything else hangs on are not taken when it fails."""

    steps: tuple[Step, ...]
    owed: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def held(self) -> bool:
        """Whether every step held."""
        return bool(self.steps) and all(step.held for step in self.steps)
