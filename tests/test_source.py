"""Rules for the package as a whole: the direction of its imports, its messages, and its size."""

import ast
import graphlib
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import sentcli

PACKAGE = Path(sentcli.__file__).parent
MODULES = {
    ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted(PACKAGE.rglob("*.py"))
}
TREES = {name: ast.parse(file.read_text("utf-8")) for name, file in MODULES.items()}

# From the top down. A module imports from its own folder and from those below it.
LAYERS = (
    *(
        "cli",
        "training",
        "export",
        "report",
        "evaluation",
        "datasets",
        "runs",
        "scoring",
        "explain",
        "tables",
    ),
    *("backends", "model", "text", "files", "config", "errors"),
)
ENTRANCES = {"", "__main__"}  # import from every folder; nothing imports them

# The budget of the package. A change that adds more than is free has to take away what it replaces.
LINES_OF_CODE, MODULES_AT_MOST, TOP_NAMES = 13_171, 135, 19

_NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}


def imports(node: ast.AST) -> Iterator[str]:
    """Yield the names that are imported on any line, but not those for a type checker alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from imports(child)


def layer(module: str) -> str:
    package, _, rest = module.partition(".")
    return rest.partition(".")[0] if package == "sentcli" else ""


def upward(module: str, tree: ast.AST) -> list[str]:
    """Return the imports that do not point downwards, and those of click outside of `cli`."""
    own = layer(module)
    if own in ENTRANCES:
        return []
    above = {*LAYERS[: LAYERS.index(own)], *ENTRANCES} - {""}
    return [name for name in imports(tree) if layer(name) in above or (name == "click" and own != "cli")]


def test_every_module_is_in_a_layer() -> None:
    assert {layer(name) for name in MODULES} == {*LAYERS, *ENTRANCES}


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards(module: str) -> None:
    assert upward(module, TREES[module]) == []


@pytest.mark.parametrize(
    ("source", "is_upward"),
    [
        ("from sentcli.scoring.scorer import Scorer", True),
        ("def f():\n    import sentcli.runs.run", True),
        ("from sentcli import cli", True),
        ("import click", True),
        ("if TYPE_CHECKING:\n    from sentcli.scoring.scorer import Scorer", False),
        ("from sentcli.tables import cells\nfrom sentcli.errors import DataError", False),
        ("from sentcli import __version__", False),
    ],
)
def test_the_rule_on_directions_finds(source: str, is_upward: bool) -> None:
    assert bool(upward("sentcli.tables.csv", ast.parse(source))) == is_upward


def test_no_circle_when_modules_are_loaded() -> None:
    graph = {}
    for name, tree in TREES.items():
        at_top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        found = {*imports(ast.Module(at_top, []))}
        graph[name] = (found | {full.rpartition(".")[0] for full in found}) & MODULES.keys() - {"sentcli"}
    graphlib.TopologicalSorter(graph).prepare()  # it raises CycleError


@pytest.mark.parametrize("module", MODULES)
def test_messages_quote_at_most_200_characters_of_what_a_user_wrote(module: str) -> None:
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.FormattedValue) and node.conversion == ord("r"):
            width = ast.unparse(node.format_spec).strip("f'\"") if node.format_spec else ""
            assert width.startswith("."), f"{module}:{node.lineno}: {ast.unparse(node.value)!r:.200}"
            assert int(width[1:]) <= 200


def code_lines(file: Path, tree: ast.AST) -> int:
    """Return the number of lines with code: blank lines, comments and docstrings are free."""
    lines: set[int] = set()
    with file.open("rb") as source:
        for token in tokenize.tokenize(source.readline):
            if token.type not in _NO_CODE:
                lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            docstring = node.body[0]
            lines.difference_update(range(docstring.lineno, docstring.end_lineno + 1))
    return len(lines)


def test_the_package_keeps_its_budget() -> None:
    top_names = [path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert sum(code_lines(file, TREES[name]) for name, file in MODULES.items()) <= LINES_OF_CODE
    assert len(MODULES) <= MODULES_AT_MOST
    assert len(top_names) <= TOP_NAMES
