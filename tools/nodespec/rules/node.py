"""Family N: the meaning of one NodeSpec. Each rule sees a spec that fulfils the schema."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from nodespec import capability
from nodespec.encoding import quoted
from nodespec.finding import Hit
from nodespec.frozen import frozen
from nodespec.rule import rule
from nodespec.spec import SENSITIVITIES, semver_order
from nodespec.tree import POLICIES, POLICY_SUFFIX, node_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodespec.finding import KeyPath
    from nodespec.settings import Settings
    from nodespec.spec import NodeSpec

_EMITS: KeyPath = ("interfaces", "signals", "emits")
_SUBSCRIBES: KeyPath = ("interfaces", "signals", "subscribes")

ATTESTED_TIER = 4
"""From this tier on a node is trusted with others' data, so somebody else must have looked at it."""


@frozen
class Surroundings:
    """What a rule about one node may know of its registry."""

    settings: Settings
    policies: frozenset[str]


@rule(
    "N001",
    "id-not-path",
    why="The path is the id. Where both could differ, two files could claim one id and merge without a conflict.",
    fix="Move the file to the path its node_type and name stand for, or correct them.",
    unwaivable="every other rule takes a node's path for its id",
)
def id_not_path(node: NodeSpec, _around: Surroundings) -> Iterator[Hit]:
    """The path of the file is the id of the node."""
    expected = node_path(node.id)
    if node.path and node.path != expected:
        at: KeyPath = ("metadata", "name") if _type_of(node.path) == node.node_type else ("node_type",)
        yield Hit(message=f"the id is {node.id}, whose file is {expected}", at=at)


def _type_of(path: str) -> str:
    return ".".join(path.split("/")[2:-1])


@rule(
    "N002",
    "impossible-date",
    why="A date that no calendar has sorts and compares at random.",
    fix="Write a day and a time that exist.",
)
def impossible_date(node: NodeSpec, _around: Surroundings) -> Iterator[Hit]:
    """Dates exist."""
    if not _is_date(node.created_at):
        yield Hit(message=f"{quoted(node.created_at)} is not a day of the calendar", at=("metadata", "created_at"))
    attestation = _part(node, "security", "attestation")
    if attestation and not _is_time(attestation["timestamp"]):
        at: KeyPath = ("security", "attestation", "timestamp")
        yield Hit(message=f"{quoted(attestation['timestamp'])} is not a moment of the calendar", at=at)


@lru_cache(maxsize=4096)  # the days of eleven years: a registry's specs share them
def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)  # in the form that the contract asks for
    except ValueError:
        return False
    return True


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


@rule(
    "N003",
    "latency-order",
    why=(
        "A higher percentile cannot be lower: p50 ≤ p95 ≤ p99, or one of the numbers is wrong and planners "
        "will trust it."
    ),
    fix="Correct the percentiles, in milliseconds.",
    gate="performance",
)
def latency_order(node: NodeSpec, _around: Surroundings) -> Iterator[Hit]:
    """Percentiles rise."""
    hints = _part(node, "contracts", "performance_hints")
    names = [name for name in ("p50", "p95", "p99") if name in hints]
    for lower, upper in pairwise(names):
        if hints[lower] > hints[upper]:
            message = f"{upper} is {hints[upper]} ms, less than {lower} with {hints[lower]} ms"
            yield Hit(message=message, at=("contracts", "performance_hints", upper))


@rule(
    "N004",
    "timeout-below-p99",
    severity="warning",
    why="With a timeout below p99, more than one call in a hundred fails although the node keeps its promise.",
    fix="Raise timeout_ms to at least p99, or correct p99.",
    gate="performance",
)
def timeout_below_p99(node: NodeSpec, _around: Surroundings) -> Iterator[Hit]:
    """The timeout leaves room for the slowest promised answer."""
    hints = _part(node, "contracts", "performance_hints")
    if hints.get("timeout_ms", float("inf")) < hints.get("p99", 0):
        message = f"timeout_ms is {hints['timeout_ms']} ms, less than p99 with {hints['p99']} ms"
        yield Hit(message=message, at=("contracts", "performance_hints", "timeout_ms"))


@rule(
    "N005",
    "repeated-signal",
    why="A signal listed twice has two targets or two handlers, and nobody knows which one counts.",
    fix="Keep one entry for each signal.",
)
def repeated_signal(node: NodeSpec, _around: Surroundings) -> Iterator[Hit]:
    """No signal twice among emits, nor among subscribes."""
    emits = [emit.name for emit in node.emits]
    subscribes = [item.signal for item in node.subscribes]
    yield from _repeated(emits, _EMITS, "name", "is emitted twice")
    yield from _repeated(subscribes, _SUBSCRIBES, "signal", "is subscribed to twice")


@rule(
    "N006",
    "repeated-port",
    why="Inputs and outputs are addressed by name.",
    fix="Rename or remove one of them.",
)
def repeated_port(node: NodeSpec, _around: Surroundings) -> Iterator[Hit]:
    """No name twice among inputs, nor among outputs."""
    yield from _repeated(node.inputs, ("interfaces", "inputs"), "name", "is an input twice")
    yield from _repeated(node.outputs, ("interfaces", "outputs"), "name", "is an output twice")


def _repeated(names: list[str] | tuple[str, ...], at: KeyPath, key: str, what: str) -> Iterator[Hit]:
    if len(set(names)) == len(names):
        return
    for position, name in enumerate(names):
        first = names.index(name)
        if first < position:
            message = f"{quoted(name)} {what} (items {first + 1} and {position + 1})"
            yield Hit(message=message, at=(*at, position, key))


@rule(
    "N007",
    "attestation-required",
    why=(
        "From tier 4 on, and in lane core, a node can harm others. Somebody other than its owner must have "
        "attested what runs."
    ),
    fix="Add security.attestation with the verifier's report, or lower the tier.",
)
def attestation_required(node: NodeSpec, _around: Surroundings) -> Iterator[Hit]:
    """High tiers and lane core are attested."""
    if _part(node, "security", "attestation"):
        return
    if node.tier >= ATTESTED_TIER:
        message = f"tier {node.tier} needs security.attestation, and there is none"
        yield Hit(message=message, at=("identity", "tier"))
    elif node.lane == "core":
        fix = "Add security.attestation with the verifier's report, or choose another lane."
        yield Hit(message="lane core needs security.attestation, and there is none", at=("identity", "lane"), fix=fix)


@rule(
    "N008",
    "governance-required",
    why=(
        "What is personal, or sensitive to this registry, is handled under a policy that somebody wrote down "
        "and can be asked about."
    ),
    fix="Add governance_policy_ref (a file in registry/policies) and policy_min_scores.",
    gate="governance",
)
def governance_required(node: NodeSpec, around: Surroundings) -> Iterator[Hit]:
    """Sensitive signals come with a policy."""
    missing = [key for key in ("governance_policy_ref", "policy_min_scores") if key not in node.value]
    if not missing:
        return
    sensitive = around.settings.sensitive_signals
    for position, emit in enumerate(node.emits):
        if emit.sensitivity == "personal" or emit.name in sensitive:
            reason = "personal" if emit.sensitivity == "personal" else "sensitive in this registry"
            message = f"signal {quoted(emit.name)} is {reason}, so {' and '.join(missing)} must be given"
            yield Hit(message=message, at=(*_EMITS, position, "name"), fix=f"Add {' and '.join(missing)}.")


@rule(
    "N009",
    "sensitivity-lowered",
    why="registry.yaml says how sensitive a signal is at least; a node's own label cannot talk it down.",
    fix="Raise the label to what registry.yaml says.",
    gate="governance",
)
def sensitivity_lowered(node: NodeSpec, around: Surroundings) -> Iterator[Hit]:
    """A label never makes a sensitive signal less sensitive."""
    for position, emit in enumerate(node.emits):
        least = around.settings.sensitive_signals.get(emit.name, SENSITIVITIES[0])
        if SENSITIVITIES.index(emit.sensitivity) < SENSITIVITIES.index(least):
            message = f"signal {quoted(emit.name)} is {emit.sensitivity} here; registry.yaml says {least}"
            yield Hit(message=message, at=(*_EMITS, position, "sensitivity"))


@rule(
    "N010",
    "policy-unresolved",
    why="A reference to a policy that does not exist governs nothing.",
    fix="Add the policy file, or refer to one that exists.",
    gate="governance",
)
def policy_unresolved(node: NodeSpec, around: Surroundings) -> Iterator[Hit]:
    """The governance policy exists."""
    name = node.value.get("governance_policy_ref")
    if name is not None and name not in around.policies:
        known = ", ".join(sorted(around.policies)) or "none"
        message = f"{quoted(name)} has no file {POLICIES}{name}{POLICY_SUFFIX}; policies here: {known}"
        yield Hit(message=message, at=("governance_policy_ref",))


@rule(
    "N011",
    "capability-conflict",
    why="Deny wins, so an allow that a deny covers whole is a permission the author believes in and nobody has.",
    fix="Remove the allow, or narrow the deny.",
)
def capability_conflict(node: NodeSpec, _around: Surroundings) -> Iterator[Hit]:
    """No allow is dead."""
    for position, allowed in enumerate(node.allow):
        covering = next((denied for denied in node.deny if capability.covers(denied, allowed)), None)
        if covering is not None:
            message = f"{quoted(allowed)} is allowed here and denied by {quoted(covering)}"
            yield Hit(message=message, at=("identity", "capabilities_policy", "allow", position))


@rule(
    "N012",
    "observability-required",
    why="Beyond candidate a node serves others, and what serves others must be seen to work.",
    fix="Add observability.metrics, or stay in lane candidate.",
)
def observability_required(node: NodeSpec, _around: Surroundings) -> Iterator[Hit]:
    """Only candidates may be dark."""
    if node.lane != "candidate" and "observability" not in node.value:
        message = f"lane {node.lane} needs observability.metrics, and there is none"
        yield Hit(message=message, at=("identity", "lane"))


@rule(
    "N013",
    "version-window",
    why="No version lies between a minimum and a smaller maximum, so nothing would be compatible.",
    fix="Exchange or correct the two versions.",
)
def version_window(node: NodeSpec, _around: Surroundings) -> Iterator[Hit]:
    """The window of compatible versions is not empty."""
    window = node.value.get("compatibility", {})
    if "min_version" not in window or "max_version" not in window:
        return
    if semver_order(window["min_version"]) > semver_order(window["max_version"]):
        message = f"max_version {window['max_version']} is less than min_version {window['min_version']}"
        yield Hit(message=message, at=("compatibility", "max_version"))


@rule(
    "N014",
    "signal-loop",
    severity="warning",
    why="A node that hears its own signal can feed itself without end.",
    fix="Give the answer a signal of its own.",
)
def signal_loop(node: NodeSpec, _around: Surroundings) -> Iterator[Hit]:
    """No node subscribes to what it emits."""
    emitted = {emit.name for emit in node.emits}
    for position, item in enumerate(node.subscribes):
        if item.signal in emitted:
            message = f"the node emits {quoted(item.signal)} and subscribes to it"
            yield Hit(message=message, at=(*_SUBSCRIBES, position, "signal"))


def _part(node: NodeSpec, *keys: str) -> dict[str, Any]:
    """Return an optional block of the spec, empty when absent."""
    part: dict[str, Any] = node.value
    for key in keys:
        part = part.get(key, {})
    return part
