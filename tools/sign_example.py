"""``make sign-example``: sign what was edited in the example registry, with its published keys.

For each node whose attestation does not verify: its owner signs (``register`` or ``update``), and its verifier cosigns.
Where a protected file was edited (settings, contracts, policies, pipelines), the maintainers seal. The published keys
make this possible; in a registry of your own each owner does it for their own nodes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

NODESPEC = Path(sys.executable).with_name("nodespec")
ROOT = Path(__file__).parents[1]


def main() -> int:
    """Sign every node that needs it; return the exit code of the first command that failed, or 0."""
    for identifier, path in _unsigned():
        attestation = f"{path.removesuffix('.yaml')}.dsse.json"
        asked = ["git", "cat-file", "-e", f"HEAD:{attestation}"]
        committed = subprocess.run(asked, cwd=ROOT, capture_output=True, check=False).returncode == 0
        action = "update" if committed else "register"
        done = _run([action, path])
        if "the verifier" in done.stderr:
            done = _run(["cosign", identifier])
        if done.returncode:
            return done.returncode
    return _run(["seal"]).returncode if _is_unsealed() else 0


def _is_unsealed() -> bool:
    """Say whether there is no seal, or one that is not over the protected files as they are."""
    if not (ROOT / "registry/seal.dsse.json").exists():
        return True
    done = _run(["validate", "--select", "P030,P031", "--format", "json"], quiet=True)
    return bool(json.loads(done.stdout)["findings"])


def _unsigned() -> list[tuple[str, str]]:
    done = _run(["verify", "--format", "json"], quiet=True)
    return [(item["id"], item["path"]) for item in json.loads(done.stdout)["results"] if not item["verified"]]


def _run(arguments: list[str], *, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([NODESPEC, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if not quiet:
        print(f"$ nodespec {' '.join(arguments)}\n{done.stdout}{done.stderr}", end="", flush=True)
    return done


if __name__ == "__main__":
    sys.exit(main())
