"""A node as its author would write it: about 1.9 KB of YAML with comments, in the strict profile.

Everything is drawn from the node's number, and only version and description depend on the revision:
so a change of a file is as small as changes of such files are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.dice import Dice
from benchmarks.population import LANES, OWNERS, Node, owner_handle

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICY = "matriz.governance"
"""The one policy that the registry holds; nodes with personal signals refer to it."""

_PEOPLE = ("Oda Lindqvist", "Ilse Marrow", "Tomas Birk", "Amina Hale", "Jun Okabe", "Vera Stolz", "Per Aune")
_OPENINGS = (
    "Keeps {area} honest about what it has seen, and forgets the rest on request.",
    "Stands between {area} and everybody who would like an answer from it.",
    "Turns what {area} says into something that a {kind} can act on.",
    "Watches {area} for drift; speaks up rarely, and then with numbers.",
    "Collects from {area} what others need later, in the order in which it happened.",
)
_LATER = (
    "Restarts without losing its place.",
    "Asks twice before it refuses.",
    "Holds at most an hour of backlog.",
    "Prefers an old answer to none.",
    "Says how sure it is.",
)
_HEADS = (
    "# {guild} on call. Talk to us before you raise the lane.",
    "# Small on purpose: what does not belong to {area} goes elsewhere.",
    "# Numbers below were measured in the week of the last release, not wished for.",
)
_LATENCY_NOTES = ("", "", "", "   # measured at the emitter")
_VERBS = ("read", "write", "infer", "notify")
_FORBIDDEN = ("delete", "export", "move", "administer")
_ROLES = ("writer", "reader", "critic", "keeper", "scout", "translator", "observer", "courier")
_MODES = ("read-only", "cached-answers", "half-rate", "silent", "queue-and-wait", "nearest-neighbour")


def render(seed: int, node: Node, revision: int) -> bytes:
    """Return the file of ``node`` at its ``revision``, counted from 0."""
    dice = Dice(seed, "text", node.number)
    sections = (
        _head(node, dice),
        _metadata(seed, node, dice, revision),
        _identity(seed, node, dice),
        _interfaces(node, dice),
        _contracts(dice),
        _provenance(dice),
        _security(seed, node, dice),
        _governance(dice) if node.personal else (),
        _resilience(dice),
        _observability(node) if node.lane or dice.chance(30) else (),
    )
    return ("\n".join(line for section in sections for line in section) + "\n").encode()


def _area(node: Node) -> str:
    return node.node_type.split(".")[1]


def _guild(node: Node) -> str:
    return f"{_area(node).capitalize()} Guild"


def _head(node: Node, dice: Dice) -> Iterator[str]:
    up = "../" * node.path.count("/")
    yield f"# yaml-language-server: $schema={up}schemas/nodespec.v1.schema.json"
    yield dice.pick(_HEADS).format(guild=_guild(node), area=_area(node))
    yield ""
    yield f"node_type: {node.node_type}"


def _metadata(seed: int, node: Node, dice: Dice, revision: int) -> Iterator[str]:
    major = dice.between(1, 4) if node.lane else 0
    version = f"{major}.{dice.between(1, 9)}.{dice.roll(10) + revision}"
    kind = node.node_type.rsplit(".", 1)[1]
    yield "metadata:"
    yield f"  name: {node.name}"
    yield f"  version: {version}"
    yield "  schema_version: nodespec.v1"
    yield f"  authors: [{_guild(node)}, {dice.pick(_PEOPLE)}]"
    yield f'  created_at: "{dice.between(2024, 2025)}-{dice.between(1, 12):02}-{dice.between(1, 28):02}"'
    yield "  description: >-"
    yield f"    {dice.pick(_OPENINGS).format(area=_area(node), kind=kind)}"
    later = Dice(seed, "revision", node.number, revision).pick(_LATER)
    yield f"    {later} Revision {revision + 1} of this text."
    yield ""


def _identity(seed: int, node: Node, dice: Dice) -> Iterator[str]:
    area = _area(node)
    yield "identity:"
    yield f"  owner_id: {owner_handle(seed, node.owner)}"
    yield f"  lane: {LANES[node.lane]}"
    yield f"  tier: {node.tier}"
    yield f"  roles: [{', '.join(dice.some(_ROLES, dice.between(1, 3)))}]"
    yield "  capabilities_policy:"
    yield "    allow:"
    for verb in dice.some(_VERBS, dice.between(1, 2)):
        yield f"      - {verb}:{area}/{dice.pick(('episodic', 'shared', 'public', 'working'))}/*"
    yield "    deny:"
    for verb in dice.some(_FORBIDDEN, dice.between(1, 2)):
        yield f"      - {verb}:{area}/*{dice.pick(('', '          # nobody needs this from here'))}"
    yield ""


def _interfaces(node: Node, dice: Dice) -> Iterator[str]:
    yield "interfaces:"
    for side, ports in (("inputs", ("episodes", "requests")), ("outputs", ("answers", "reports"))):
        port = dice.pick(ports)
        yield f"  {side}:"
        yield f"    - name: {port}"
        yield f"      schema_ref: urn:matriz:schema:{port}:v{dice.between(1, 4)}"
    yield "  signals:"
    yield "    emits:"
    for signal in node.emits:
        yield f"      - name: {signal.name}"
        yield f"        latency_target_ms: {dice.between(1, 400) * 5}{dice.pick(_LATENCY_NOTES)}"
        yield f"        sensitivity: {signal.sensitivity}"
    yield "    subscribes:" if node.subscribes else "    subscribes: []"
    for signal in node.subscribes:
        yield f"      - signal: {signal.name}"
        yield f"        handler: handlers.on_{signal.name.rsplit('.', 1)[-1]}"
    yield ""


def _contracts(dice: Dice) -> Iterator[str]:
    p50 = dice.between(2, 200)
    p95 = p50 * dice.between(2, 4)
    p99 = p95 * dice.between(1, 3) + dice.roll(50)
    yield "contracts:"
    yield "  performance_hints:"
    yield f"    p50: {p50}"
    yield f"    p95: {p95}"
    yield f"    p99: {p99}"
    yield f"    concurrency: {dice.between(1, 64)}"
    note = dice.pick(("", "", "        # then the caller is told"))
    yield f"    timeout_ms: {p99 * dice.between(2, 5)}{note}"
    yield f"  throughput_ops_sec: {{target: {dice.between(1, 200) * 10}}}"
    yield ""


def _provenance(dice: Dice) -> Iterator[str]:
    yield "provenance_manifest:"
    yield "  glymph_enabled: true"
    yield f"  signing_scheme: {'dilithium2' if dice.chance(5) else 'ml-dsa-44'}"
    yield ""


def _security(seed: int, node: Node, dice: Dice) -> Iterator[str]:
    yield "security:"
    envelope = dice.pick(("aes-256-gcm", "chacha20-poly1305"))
    yield f"  encryption: {{envelope: {envelope}, kem: ml-kem-{dice.pick((512, 768, 1024))}}}"
    callers = dice.some(("mtls", "oidc", "glymph-token"), dice.between(1, 2))
    yield f"  auth_requirements: [{', '.join(callers)}]"
    if node.tier >= 4 or LANES[node.lane] == "core":
        year, month, day = 2025, dice.between(1, 12), dice.between(1, 28)
        yield "  attestation:"
        yield f"    report: urn:matriz:evidence:{node.name}:{year}-{month:02}"
        yield f"    verifier: {owner_handle(seed, (node.owner + dice.between(1, 9)) % OWNERS)}"
        yield f'    timestamp: "{year}-{month:02}-{day:02}T{dice.roll(24):02}:{dice.roll(60):02}:00Z"'
        yield f'    nonce: "{dice.roll(1 << 128):032x}"'
        yield "    verified: false"
        yield f"    proof_type: {dice.pick(('sgx', 'tpm', 'eatt', 'remote'))}"
    yield ""


def _governance(dice: Dice) -> Iterator[str]:
    yield f"governance_policy_ref: {POLICY}   # personal signals"
    yield "policy_min_scores:"
    yield f"  privacy: 0.{dice.between(91, 99)}"
    yield "consent:"
    yield "  purpose: Answering the person who asked, and nobody else."
    yield f"  retention: P{dice.between(7, 365)}D"
    yield f"  erasure: {dice.pick(('immediate', 'scheduled', 'on-request'))}"
    yield ""


def _resilience(dice: Dice) -> Iterator[str]:
    if dice.chance(35):
        yield "graceful_degradation:"
        yield f"  modes: [{', '.join(dice.some(_MODES, dice.between(1, 3)))}]"
    if dice.chance(15):
        yield "compatibility:"
        yield "  min_version: 0.1.0"
        yield "  max_version: 9.0.0"
        yield "  migration_hint: Drain the queue before you switch; the formats of the backlog differ."
    if dice.chance(5):
        yield "extraplanetary_policy:"
        yield "  mode: DTN"
        yield f"  checkpoint_interval_seconds: {dice.between(1, 48) * 1800}"
        yield "  compression: semantic"


def _observability(node: Node) -> Iterator[str]:
    prefix = f"matriz_{_area(node)}"
    yield "observability:"
    yield "  metrics:"
    yield f"    handled: {prefix}_handled_total"
    yield f"    failed: {prefix}_failed_total"
