"""Family P: signatures, owners and delegations, found by :mod:`nodespec.attestation` and :mod:`nodespec.provenance`.

There is one rule for each link that can break, so that a person reads which one did.
"""

from __future__ import annotations

from nodespec.rule import Rule, declare


def _found_by_verification(code: str, slug: str, *, why: str, fix: str, concerns_all: bool = False) -> Rule:
    return declare(Rule(code=code, slug=slug, severity="error", why=why, fix=fix, concerns_all=concerns_all))


_RESIGN = "Sign what stands here: nodespec update FILE (or nodespec sign FILE when another signer is still to come)."

_DECLARED = (
    _found_by_verification(
        "P001",
        "trust-root-missing",
        why="Without a trust root nobody is believed, and a file that says it is attested would be all there is.",
        fix="Make one: nodespec trust init",
        concerns_all=True,
    ),
    _found_by_verification(
        "P002",
        "trust-root-broken",
        why=(
            "Each version of the trust root is vouched for by the one before. A version that is altered, skipped, or "
            "signed by too few is how somebody else would take over."
        ),
        fix=(
            "Restore the file from history; a change is a new version: nodespec trust rotate, then nodespec trust sign."
        ),
        concerns_all=True,
    ),
    _found_by_verification(
        "P003",
        "trust-root-expired",
        why="An expiry bounds for how long a stolen or forgotten key can go on deciding.",
        fix="Sign a new version: nodespec trust rotate --expires 365d",
        concerns_all=True,
    ),
    _found_by_verification(
        "P004",
        "published-key",
        why=(
            "The private half of this key is published with nodespec, for the example registry. Anyone can sign with "
            "it."
        ),
        fix=(
            "Make keys of your own: nodespec keys new. Only a registry that says example: true may list published ones."
        ),
        concerns_all=True,
    ),
    _found_by_verification(
        "P005",
        "owner-unknown",
        why="A handle is a promise that a chain of keys exists. Without the chain, nobody can check a signature.",
        fix="Commit the owner's records with the node; nodespec owner create makes a new owner.",
    ),
    _found_by_verification(
        "P006",
        "handle-mismatch",
        why="A handle is the digest of the owner's first record. Another first record is another owner.",
        fix="Restore the owner's 0000.dsse.json from history.",
    ),
    _found_by_verification(
        "P007",
        "owner-chain-broken",
        why=(
            "Each record of an owner is vouched for by the one before, so a record that is altered, skipped or signed "
            "by too few belongs to nobody."
        ),
        fix="Restore the file from history; a change is a new record: nodespec owner rotate, revoke or recover.",
    ),
    _found_by_verification(
        "P008",
        "attestation-missing",
        why="A node enters because somebody stands behind it, not because its file says so.",
        fix="Sign it: nodespec register FILE (a new node) or nodespec update FILE.",
    ),
    _found_by_verification(
        "P009",
        "attestation-malformed",
        why="A signed file has one meaning and one spelling: two readers must not be able to disagree about it.",
        fix=f"Do not edit it by hand. {_RESIGN}",
    ),
    _found_by_verification(
        "P010",
        "other-registry",
        why="A signature for one registry says nothing in another, however alike they are.",
        fix=_RESIGN,
    ),
    _found_by_verification(
        "P011",
        "other-node",
        why="A signature for one node, or for its tombstone, says nothing about another.",
        fix=(
            "A node keeps its name. Register the new one (nodespec register FILE), and take the old one out (nodespec "
            "deregister ID); or put the file's own attestation beside it."
        ),
    ),
    _found_by_verification(
        "P012",
        "other-version",
        why="The version is part of what was signed; an old signature must not lend itself to a new text.",
        fix=_RESIGN,
    ),
    _found_by_verification(
        "P013",
        "digest-mismatch",
        why="The owner signed other bytes than those that stand here: the file was changed after it was signed.",
        fix="Restore the file; or, if you own it and mean the change, sign it: nodespec update FILE",
    ),
    _found_by_verification(
        "P014",
        "other-owner",
        why=(
            "The owner in the file and the owner who signed must be one; otherwise a node could be claimed by editing "
            "a line."
        ),
        fix="Correct identity.owner_id, or hand the node over: nodespec transfer ID --to OWNER",
    ),
    _found_by_verification(
        "P015",
        "unlisted-key",
        why="A signature by a key that no record of the owner lists proves nothing about the owner.",
        fix="Sign with a key of the owner's current record: nodespec owner show OWNER lists them.",
    ),
    _found_by_verification(
        "P016",
        "unknown-record",
        why=(
            "An attestation names the record of the owner's chain that was current. One that does not exist lists no "
            "keys."
        ),
        fix="Bring the owner's newer records along, or sign again.",
    ),
    _found_by_verification(
        "P017",
        "signature-invalid",
        why="A signature that does not verify was made over something else, or by somebody else.",
        fix=_RESIGN,
    ),
    _found_by_verification(
        "P018",
        "threshold-not-met",
        why="A threshold is the owner's own word about how many keys it takes to speak for them.",
        fix="Let the other key holders complete it: nodespec sign FILE",
    ),
    _found_by_verification(
        "P019",
        "revoked-key",
        why="The owner declared the key compromised: whoever holds it could have made this signature.",
        fix="If the file is what it should be, sign it again with a current key: nodespec update FILE",
    ),
    _found_by_verification(
        "P020",
        "scheme-not-allowed",
        why="The trust root decides which signature schemes are strong enough here; the message has no say in it.",
        fix="Sign with a key of an allowed scheme; nodespec trust show lists them.",
    ),
    _found_by_verification(
        "P021",
        "scheme-mismatch",
        why="A file that promises one scheme and is signed with another misleads whoever relies on the promise.",
        fix="Sign with a key of the declared scheme, or correct provenance_manifest.signing_scheme.",
    ),
    _found_by_verification(
        "P022",
        "transfer-unsigned",
        why="A node changes hands only when both sides sign: neither can take one, nor give away a burden.",
        fix="Let the owner who gives the node away sign, too: nodespec sign FILE",
    ),
    _found_by_verification(
        "P023",
        "verifier-missing",
        why="From tier 4 on, in lane core, and where verified: true is claimed, one party is not enough.",
        fix="Let the verifier look and sign: nodespec cosign ID",
    ),
    _found_by_verification(
        "P024",
        "self-verified",
        why="Nobody vouches for themselves.",
        fix="Name another owner as security.attestation.verifier, and let them cosign.",
    ),
    _found_by_verification(
        "P025",
        "verifier-not-appointed",
        why="A second signature is worth something when the registry chose who may give it.",
        fix="Name a verifier whom the trust root appoints; nodespec trust show lists them.",
    ),
    _found_by_verification(
        "P026",
        "delegation-exceeded",
        why=(
            "The trust root says which types, lanes and tiers each owner may publish. Everything else is somebody "
            "else's."
        ),
        fix="Stay within what is delegated (nodespec trust show), or ask for more: nodespec trust grant",
    ),
    _found_by_verification(
        "P027",
        "newcomer-quota",
        why="Until the trust root knows an owner, it may try things out, and not flood the registry.",
        fix="Ask for a delegation (nodespec trust grant), or deregister a node first.",
    ),
    _found_by_verification(
        "P028",
        "name-locked",
        why="A name that once meant one thing and now means another is how a trusted reference is taken over.",
        fix="Choose another name; a tombstone's name stays taken for good.",
    ),
    _found_by_verification(
        "P029",
        "orphan-attestation",
        why="An attestation about nothing is lost work, or waits for a file that somebody else will put beside it.",
        fix="Delete it, or restore the file that it is about.",
    ),
    _found_by_verification(
        "P030",
        "seal-broken",
        why=(
            "The seal is the maintainers' word about the files that decide how everybody is judged. A broken one is "
            "nobody's."
        ),
        fix=(
            "Where maintainers are still to sign, each completes it: nodespec sign registry/seal.dsse.json. Else "
            "restore the file, or let the maintainers seal again: nodespec seal"
        ),
        concerns_all=True,
    ),
    _found_by_verification(
        "P031",
        "unsealed-change",
        why=(
            "Policies, schemas, settings and waivers judge everybody, so they change when the maintainers sign the "
            "change."
        ),
        fix="Restore the file, or let the maintainers seal what stands here: nodespec seal",
        concerns_all=True,
    ),
)

CODES = {rule.slug: rule.code for rule in _DECLARED}
"""The code of each problem's slug."""
