"""The page docs/api.md, made of the signatures and docstrings of the public names."""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from textwrap import dedent
from typing import Any, NamedTuple

import sentcli
from sentcli import errors

METHODS = {
    "Scorer": ("score", "probabilities", "explain", "score_frame", "score_arrow"),
    "Summary": ("lines", "to_json"),
}
ERRORS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.SentcliError) and kind is not errors.SentcliError
]

_START = """# API reference

All names are in the module `sentcli`. Each is imported on first use. [Using sentcli from
Python](python.md) has examples. `load` is another name for `Scorer`. `docs/references.py` writes this page
from the docstrings.
"""
_TITLES = {"param": "Parameters", "ivar": "Attributes", "returns": "Returns", "raises": "Raises"}
_FIELD = re.compile(r"^:(param|ivar|returns|raises) ?([^:]*): (.*(?:\n    .*)*)", re.MULTILINE)
_LONGEST = 100  # characters of a signature in one line


class Entry(NamedTuple):
    """A public name, or a method of one, with the parts of its docstring.

    :param fields: of each `:param a, b: text` the kind, the names and the text.
    """

    name: str
    object: Any
    text: str
    fields: list[tuple[str, list[str], str]]

    def names(self, kind: str) -> set[str]:
        return {name for found, names, _ in self.fields if found == kind for name in names}


def entries() -> Iterator[Entry]:
    """Yield the public names, functions first, and after each class its methods."""
    for name in sorted({*sentcli.__all__} - {"load"}, key=lambda name: (name[0].isupper(), name)):
        yield entry(name, getattr(sentcli, name))
        for method in METHODS.get(name, ()):
            yield entry(f"{name}.{method}", getattr(getattr(sentcli, name), method))


def entry(name: str, of: Any) -> Entry:
    text = inspect.getdoc(of) or ""
    start = _FIELD.search(text)
    fields = [(kind, names.split(", "), joined(what)) for kind, names, what in _FIELD.findall(text)]
    return Entry(name, of, joined(text[: start.start()] if start else text), fields)


def joined(text: str) -> str:
    """Return each paragraph as one line."""
    return "\n\n".join(" ".join(part.split()) for part in text.strip().split("\n\n"))


def parameters(of: Any) -> list[str]:
    """Return the parameters of a function or a class as its source has them: `name: type = default`."""
    node = definition(of)
    if is_dataclass(of):
        fields = [ast.unparse(line) for line in node.body if isinstance(line, ast.AnnAssign)]
        return [re.sub(r"field\(default_factory=(\w+)\)", r"\1()", field) for field in fields]
    if isinstance(node, ast.ClassDef):
        functions = [line for line in node.body if isinstance(line, ast.FunctionDef)]
        node = next((function for function in functions if function.name == "__init__"), None)
    if node is None:
        return []
    taken = node.args
    required = [None] * (len(taken.args) - len(taken.defaults))
    found = [*map(parameter, taken.args, [*required, *taken.defaults])]
    if taken.kwonlyargs:
        found += ["*", *map(parameter, taken.kwonlyargs, taken.kw_defaults)]
    found += [f"**{parameter(taken.kwarg, None)}"] if taken.kwarg else []
    return [text for text in found if text != "self"]


def parameter(argument: ast.arg, default: ast.expr | None) -> str:
    kind = ast.unparse(argument.annotation).replace("'", "") if argument.annotation else ""
    return argument.arg + (f": {kind}" if kind else "") + (f" = {ast.unparse(default)}" if default else "")


def definition(of: Any) -> Any:
    return ast.parse(dedent(inspect.getsource(of))).body[0]


def signature(of: Any) -> str:
    """Return a function or a class as it is called."""
    node, name = definition(of), of.__qualname__.rpartition(".")[2]
    result = f" -> {ast.unparse(node.returns)}".replace("'", "") if isinstance(node, ast.FunctionDef) else ""
    found = parameters(of)
    short = f"{name}({', '.join(found)}){result}"
    if len(short) <= _LONGEST:
        return short
    return "\n".join([f"{name}(", *(f"    {text}," for text in found), f"){result}"])


def page() -> str:
    """Return the page."""
    parts = [_START.strip()]
    for found in entries():
        parts.append(f"{'###' if '.' in found.name else '##'} {found.name}")
        parts.append(f"```text\n{signature(found.object)}\n```")
        parts.append(found.text)
        for kind, title in _TITLES.items():
            lines = [item(names, what) for field, names, what in found.fields if field == kind]
            if lines:
                parts += [f"{title}:", "\n".join(lines)]
    parts += ["## Errors", "All are subclasses of `SentcliError`, in the module `sentcli.errors`."]
    parts.append("\n".join(item([kind.__name__], entry("", kind).text) for kind in ERRORS))
    return "\n\n".join(parts) + "\n"


def item(names: list[str], what: str) -> str:
    return f"- {', '.join(f'`{name}`' for name in names if name)}: {what}".replace("- : ", "- ")
