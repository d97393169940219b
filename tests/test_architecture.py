"""The house rules: one total order of modules, one door for each third-party library."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

import nodespec

PACKAGE = Path(nodespec.__file__).parent
ORDER = re.findall(r"^    ([a-z_]+)  +\S", nodespec.__doc__ or "", re.MULTILINE)

DOORS = {
    "yaml": {"document"},
    "pygit2": {"git"},
    "cryptography": {"keys"},
    "jsonschema": {"schema"},
    "jsonschema_rs": {"pattern", "schema"},
    "referencing": {"schema"},
    "rfc8785": {"encoding"},
    "cel_expr_python": {"policy"},
    "regorus": {"policy"},
    "click": {"cli"},
    "rich": {"cli"},
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """``rules`` and ``cli`` are houses of their own: their modules share one place in the order."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> list[tuple[str, bool]]:
    """Return (dotted name, whether it is imported when the module is)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    late = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for inner in ast.walk(node)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) not in late) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative imports hide the order"
            names = [node.module or ""]
            if node.module in ("nodespec", "nodespec.cli"):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [(name, id(node) not in late) for name in names]
    return found


def own_imports(path: Path) -> set[str]:
    names = {name.split(".")[1] for name, _ in imports(path) if name.startswith("nodespec.")}
    return {name for name in names if (PACKAGE / f"{name}.py").exists() or (PACKAGE / name).is_dir()}


def test_every_module_has_its_place_in_the_order() -> None:
    present = {name_of(path) for path in MODULES} - {"__init__", "__main__"}
    assert present == set(ORDER)
    assert len(ORDER) == len(set(ORDER))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_stands_above_it(path: Path) -> None:
    name = name_of(path)
    if name in ("__init__", "__main__"):
        pytest.skip("the entrances look at everything, late")
    above = set(ORDER[: ORDER.index(name)])
    assert own_imports(path) - {name} <= above


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_third_party_library_has_one_door(path: Path) -> None:
    for name, _ in imports(path):
        library = name.split(".")[0]
        if library == "nodespec" or library in sys.stdlib_module_names:
            continue
        assert library in DOORS, f"{library} has no door; add it to the order and to docs/decisions"
        assert name_of(path) in DOORS[library]


def test_sqlite_is_imported_by_the_index_alone() -> None:
    doors = {name_of(path) for path in MODULES for name, _ in imports(path) if name.split(".")[0] == "sqlite3"}
    assert doors == {"index"}


def test_rich_is_imported_in_one_module_and_late() -> None:
    for path in MODULES:
        for name, at_import in imports(path):
            if name.split(".")[0] in ("rich", "cryptography", "rfc8785", "jsonschema", "jsonschema_rs"):
                assert not at_import, f"{path.name} imports {name} before it is needed"
            if name.startswith("rich"):
                assert path.name == "terminal.py"


def test_no_module_is_called_after_nothing() -> None:
    assert not {path.stem for path in MODULES} & {"utils", "util", "helpers", "common_utils", "misc"}


def test_a_module_is_read_in_a_sitting() -> None:
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > 450} == {}


def test_exceptions_are_caught_by_name_except_in_the_last_line_of_defence() -> None:
    broad = [
        path.name
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Name) and node.type.id == "Exception"
    ]
    assert broad == ["__init__.py"]
