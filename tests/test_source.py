"""Rules that every module keeps, checked on its syntax tree."""

import ast
import graphlib
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

# From the top down. A folder imports from those below it, and from no other.
LAYERS = (
    "cli",
    "training",
    "export",
    "evaluation",
    "datasets",
    "runs",
    "scoring",
    "explain",
    "tables",
    "backends",
    "model",
    "text",
    "files",
    "config",
    "errors",
)
# They import from every folder, and no other module imports them.
ENTRANCES = {"", "__main__", "ray", "sklearn", "spark"}
LEVEL = {name: -row for row, name in enumerate(LAYERS)}

# What runs code that is in a file or in a string.
CODE_FROM_DATA = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "marshal",
    "shelve",
    "joblib",
    "yaml",
}
FORBIDDEN_CALLS = {
    *("print", "eval", "exec", "compile", "__import__", "breakpoint", "input"),
    *("torch.load", "os.system", "os.popen", "numpy.load", "np.load"),
}


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yield every node except those that only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for other in child.orelse:
                yield other
                yield from walk(other)
        else:
            yield child
            yield from walk(child)


def imported(module: str, tree: ast.AST) -> set[str]:
    """Return the modules that a module imports, on any line; of `from package import module`, the module."""
    found = set()
    for node in walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in MODULES else str(node.module))
    return found


def problems(module: str, tree: ast.AST) -> list[str]:
    """Return what a module does and no module may do, each with its line."""
    found = []
    for node in walk(tree):
        if isinstance(node, ast.Call):
            found += [f"{module}:{node.lineno}: {word.arg}" for word in node.keywords if is_forbidden(word)]
        elif isinstance(node, ast.FormattedValue) and quotes_at_length(node):
            found.append(f"{module}:{node.lineno}: {ast.unparse(node.value)} is quoted at any length")
        found += [f"{module}:{node.lineno}: {name}" for name in mentioned(node) if name in FORBIDDEN_CALLS]
    for name in imported(module, tree):
        root = name.partition(".")[0]
        if root in CODE_FROM_DATA:
            found.append(f"{module}: imports {name}")
        if root == "click" and not module.startswith("sentcli.cli"):
            found.append(f"{module}: imports click outside of sentcli.cli")
    return found


def mentioned(node: ast.AST) -> list[str]:
    """Return the functions that a node calls, passes, or imports by name."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return [node.func.id]
    if isinstance(node, ast.Attribute):
        return [ast.unparse(node).removeprefix("builtins.")]
    return [f"{node.module}.{alias.name}" for alias in node.names] if isinstance(node, ast.ImportFrom) else []


def quotes_at_length(node: ast.FormattedValue) -> bool:
    """Return whether a message quotes a value that may come from a user in more than 200 characters."""
    is_quoted = node.conversion == ord("r")
    width = ast.unparse(node.format_spec).strip("f'\"") if node.format_spec else ""
    return is_quoted and not (width.startswith(".") and width[1:].isdigit() and int(width[1:]) <= 200)


def is_forbidden(keyword: ast.keyword) -> bool:
    is_false = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
    return keyword.arg in ("shell", "allow_pickle", "trust_remote_code") and not is_false


def layer(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def upward(module: str, tree: ast.AST) -> list[str]:
    """Return the imports of a module that do not point downwards. The root counts as no layer.

    It holds the version, which every module may read, and `load`, which reaches down from the top.
    """
    own = layer(module)
    names = [name for name in imported(module, tree) if name.startswith("sentcli.") and layer(name) != own]
    if own in ENTRANCES:
        return []
    return [f"{module} imports {name}" for name in names if LEVEL[layer(name)] >= LEVEL[own]]


def test_all_modules_are_seen() -> None:
    assert {layer(name) for name in MODULES} == LEVEL.keys() | ENTRANCES
    assert "sentcli.cli.score" in MODULES
    assert len(MODULES) > 30


@pytest.mark.parametrize("module", MODULES)
def test_no_forbidden_call_or_import(module: str) -> None:
    assert problems(module, TREES[module]) == []


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards(module: str) -> None:
    assert upward(module, TREES[module]) == []


def test_no_circle_when_modules_are_loaded() -> None:
    graph = {}
    for name, tree in TREES.items():
        at_top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        graph[name] = imported(name, ast.Module(at_top, [])) & MODULES.keys()
    graphlib.TopologicalSorter(graph).prepare()  # it raises CycleError


@pytest.mark.parametrize(
    "source",
    [
        "print('x')",
        "def f():\n    return eval('1')",
        "exec(text)",
        "__import__('os')",
        "torch.load(path, weights_only=True)",
        "os.system('ls')",
        "subprocess.run(command, shell=True)",
        "read(path, allow_pickle=True)",
        "import pickle",
        "def f():\n    from joblib import dump",
        "import yaml as y",
        "from click.testing import CliRunner",
        "if TYPE_CHECKING:\n    import x\nelse:\n    import pickle",
        "load = torch.load",
        "from torch import load",
        "f'no {name!r}'",
        "f'no {name!r:>20}'",
    ],
)
def test_rules_find(source: str) -> None:
    assert problems("sentcli.text.tokenizer", ast.parse(source)) != []


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("sentcli.text.tokenizer", "from sentcli.model.bundle import Bundle", True),
        (
            "sentcli.text.tokenizer",
            "def f():\n    import sentcli.config\n    import sentcli.scoring.scorer",
            True,
        ),
        ("sentcli.runs.summary", "from sentcli.evaluation.metrics import evaluate", True),
        ("sentcli.tables.csv", "from sentcli import scoring", True),
        ("sentcli.text.tokenizer", "if TYPE_CHECKING:\n    from sentcli.model.bundle import Bundle", False),
        ("sentcli.tables.csv", "from sentcli.tables import cells", False),
        ("sentcli.runs.run", "from sentcli import __version__", False),
        ("sentcli.model.bundle", "from sentcli.text.tokenizer import Vocab", False),
    ],
)
def test_rule_on_directions_finds(module: str, source: str, found: bool) -> None:
    assert bool(upward(module, ast.parse(source))) == found
