"""The two ways a command ends without an answer.

Bad *input* is never an exception: it is a :class:`nodespec.finding.Finding`. An exception
means that no judgement was possible, and says what to do about it. A broken invariant of
our own is an ``AssertionError`` and is meant to be loud.
"""

from __future__ import annotations


class NodespecError(Exception):
    """Something stopped the work; ``str()`` says what, ``hint`` says what to do.

    ``exit_code`` is the status the command line ends with.
    """

    exit_code = 3

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(NodespecError):
    """The question itself is wrong: an unknown revision, a filter with no meaning, a missing key file."""

    exit_code = 2


class RegistryError(NodespecError):
    """The question is fine and cannot be answered: fail closed, exit code 3."""

    exit_code = 3
