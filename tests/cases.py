"""A table of cases, each a function under the code of the rule that it breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Build = TypeVar("Build")


class Case(NamedTuple, Generic[Build]):
    code: str
    build: Build


class Cases(list[Case[Build]]):
    """Cases in the order in which they are written down."""

    def breaks(self, code: str) -> Callable[[Build], Build]:
        """Enter the function that follows, under this code."""

        def enter(build: Build) -> Build:
            self.append(Case(code, build))
            return build

        return enter


def name_of(case: Case[Build]) -> str:
    return f"{case.code}-{getattr(case.build, '__name__', '')}"
