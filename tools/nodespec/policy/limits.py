"""How much a policy may ask for. Nothing is imported here, because the sandbox begins with it."""

MAX_POLICIES = 64
"""Policies of one registry: more than people can keep in mind."""

SECONDS = 1.0
"""Of processor time that a policy has at first: ten thousand times what a usual one takes for a node."""

SECONDS_EACH = 0.01
"""Of processor time that each further node adds, so that no policy takes more than 10 ms a node in the long run."""

MEMORY = 512 * 1024 * 1024
"""Bytes of address space beyond what Python and the libraries begin with: some reserve a gigabyte and use none."""

PATIENCE = 60.0
"""Seconds on the clock that a busy machine may take for a second of processor time."""

MAX_ANSWER = 64 * 1024
"""Bytes of one answer: more than all rules of a policy can say."""


class LostError(Exception):
    """The sandbox ended, or said nothing, before it had answered; the text says why."""
