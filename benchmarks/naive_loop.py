"""The loop that everybody writes first: parse with PyYAML, validate with jsonschema, one file at a time.

python benchmarks/naive_loop.py SCHEMA FILE…   exits 1 when a file does not fulfil the schema.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jsonschema
import yaml


def main(schema_file: str, files: list[str]) -> int:
    """Validate ``files``; return 1 when one of them fails."""
    schema = json.loads(Path(schema_file).read_text(encoding="utf-8"))
    failed = 0
    for file in files:
        try:
            jsonschema.validate(yaml.safe_load(Path(file).read_text(encoding="utf-8")), schema)
        except jsonschema.ValidationError as error:
            print(f"{file}: {error.message}")
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
