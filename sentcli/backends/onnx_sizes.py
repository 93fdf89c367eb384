"""How large the values of an ONNX graph can get, told from its nodes before onnxruntime gets it.

A few nodes that each double a tensor, or widen two to a product of their axes, compute without end. So each
node is given the most that each axis of its inputs can be, and gives the same of its outputs. Whatever is not
sure is refused: an operator is known here only in the form that `sentcli.export` writes.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sentcli.backends.protobuf import Message
from sentcli.config import ModelConfig

MAX_RANK = 4
_INT, _INTS = 2, 7  # types of attributes
# A folded graph adds a step of padding, which at most doubles the tokens.
_MOST_STEPS = 2


class RefusedError(Exception):
    """Something that is not allowed."""


def require(condition: bool, what: str) -> None:
    """Go on only under a condition.

    :raises RefusedError: saying what is the matter.
    """
    if not condition:
        raise RefusedError(what)


class Axis(NamedTuple):
    """The most that an axis can be: `most`, times the tokens of a text, times the texts of a batch."""

    most: int
    tokens: bool = False
    texts: bool = False

    def within(self, other: "Axis") -> bool:
        return all(mine <= others for mine, others in zip(self, other, strict=True))


Axes = tuple[Axis, ...]
TOKENS, TEXTS = Axis(1, tokens=True), Axis(1, texts=True)


class Value(NamedTuple):
    """What is known of a value of the graph.

    :param numbers: those of a small constant of integers, which other operators take as axes and sizes.
    """

    axes: Axes
    numbers: tuple[int, ...] | None = None
    is_float: bool = False  # sure to be in fp32

    def within(self, other: "Value") -> bool:
        """Tell whether this is no larger than another."""
        same_rank = len(self.axes) == len(other.axes)
        return same_rank and all(map(Axis.within, self.axes, other.axes))


@dataclass(frozen=True)
class Node:
    """A node with its inputs looked up; one that is left out has no axes.

    :param outputs: how many it has.
    """

    operator: str
    inputs: Sequence[Value]
    outputs: int
    attributes: Mapping[str, Message]

    def axes(self, index: int) -> Axes:
        require(index < len(self.inputs), f"{self.operator} has {len(self.inputs)} inputs")
        return self.inputs[index].axes

    def numbers(self, index: int) -> tuple[int, ...]:
        """Give an input that has to be a constant."""
        require(index < len(self.inputs), f"{self.operator} has {len(self.inputs)} inputs")
        numbers = self.inputs[index].numbers
        if numbers is None:
            raise RefusedError(f"{self.operator} takes sizes or axes that are no small constant")
        return numbers

    def integer(self, name: str, default: int | None = None) -> int:
        if name not in self.attributes and default is not None:
            return default
        return self._attribute(name, _INT).integer("i")

    def integers(self, name: str) -> list[int]:
        return self._attribute(name, _INTS).integers("ints")

    def _attribute(self, name: str, kind: int) -> Message:
        attribute = self.attributes.get(name)
        # onnxruntime takes the default in place of an attribute of another type.
        if attribute is None or attribute.integer("type") != kind:
            raise RefusedError(f"{self.operator} lacks the attribute {name}")
        return attribute


@dataclass(frozen=True)
class Limits:
    """How large a value may be: no larger than the largest of the graphs that sentcli writes for a config.

    :param in_scan: for the body of a Scan, which every token runs anew.
    """

    config: ModelConfig
    in_scan: bool = False

    @property
    def _width(self) -> int:
        """Numbers for each token of each text."""
        return max(self.config.embedding_dim, 4 * self.config.hidden_size, self.config.num_classes)

    def check(self, node: Node, outputs: Iterable[Axes]) -> None:
        """Refuse a node that computes too much.

        :raises RefusedError: naming its operator.
        """
        computed = list(outputs)
        if self.in_scan:  # what is large there may be looked up in and multiplied by, not gone through
            weights = _WEIGHTS.get(node.operator)
            computed += [value.axes for index, value in enumerate(node.inputs) if index != weights]
        for axes in computed:
            require(self._allows(axes), f"{node.operator} has a value that may be too large")
        if node.operator in ("Gemm", "MatMul", "MatMulInteger"):
            inner = node.axes(0)[-1]
            require(inner.within(Axis(self._width)), f"{node.operator} has an inner axis that is too large")

    def _allows(self, axes: Axes) -> bool:
        tokens, texts = sum(axis.tokens for axis in axes), sum(axis.texts for axis in axes)
        most = math.prod(axis.most for axis in axes)
        limit = _MOST_STEPS * self._width
        if not (tokens or texts or self.in_scan):
            limit = self.config.vocab_size * self._width  # the table of all words
        return len(axes) <= MAX_RANK and tokens <= (not self.in_scan) and texts <= 1 and most <= limit


def output_axes(node: Node) -> list[Axes]:
    """Give the axes of what a node gives, each as large as it can be. Scan is for the caller.

    :raises RefusedError: for an operator in another form than `sentcli.export` writes it.
    """
    operator = node.operator
    rule, allowed = _RULES[operator]
    unknown = node.attributes.keys() - allowed
    require(not unknown, f"{operator} has the attributes {sorted(unknown)!r:.200}")
    outputs = rule(node)
    require(node.outputs <= len(outputs), f"{operator} has {node.outputs} outputs")
    return outputs[: node.outputs]


def steps_of_scan(scanned: Sequence[Value]) -> Axis:
    """Give how often a Scan runs.

    :raises RefusedError: when that is not about once for each token.
    """
    most = Axis(_MOST_STEPS, tokens=True)
    for value in scanned:
        over_tokens = bool(value.axes) and value.axes[0].tokens and value.axes[0].within(most)
        require(over_tokens, "Scan runs over something else than the ids")
    return scanned[0].axes[0]


def _join(combine: Callable[[Iterable[int]], int], axes: Sequence[Axis]) -> Axis:
    most, tokens, texts = zip(*axes, strict=True)
    return Axis(combine(most), any(tokens), any(texts))


def _broadcast(*values: Axes) -> Axes:
    rank = max(map(len, values))
    padded = [(Axis(1),) * (rank - len(axes)) + axes for axes in values]
    return tuple(_join(max, axes) for axes in zip(*padded, strict=True))


def _positions(node: Node, axes: Iterable[int], rank: int) -> list[int]:
    """Count axes from the front, each once."""
    positions = [axis + rank if axis < 0 else axis for axis in axes]
    valid = all(0 <= position < rank for position in positions) and len(set(positions)) == len(positions)
    require(valid, f"{node.operator} has axes that its input lacks")
    return positions


def _same(node: Node) -> list[Axes]:
    return [node.axes(0)]


def _widest(node: Node) -> list[Axes]:
    require(len(node.inputs) > 0, f"{node.operator} has no inputs")
    return [_broadcast(*(value.axes for value in node.inputs))]


def _concat(node: Node) -> list[Axes]:
    rank = len(node.axes(0))
    require(all(len(value.axes) == rank for value in node.inputs), "Concat has inputs of several ranks")
    (along,) = _positions(node, [node.integer("axis")], rank)
    columns = zip(*(value.axes for value in node.inputs), strict=True)
    return [tuple(_join(sum if index == along else max, axes) for index, axes in enumerate(columns))]


def _gather(node: Node) -> list[Axes]:
    require(len(node.axes(0)) > 0, "Gather has axes that its input lacks")
    return [node.axes(1) + node.axes(0)[1:]]


def _product(node: Node) -> list[Axes]:
    left, right = node.axes(0), node.axes(1)
    require(min(len(left), len(right)) >= 2, f"{node.operator} has inputs that are no matrices")
    if node.operator == "Gemm":
        require(len(left) == len(right) == 2, "Gemm has inputs that are no matrices")
    return [(*_broadcast(left[:-2], right[:-2]), left[-2], right[-1])]


def _reduce(node: Node) -> list[Axes]:
    axes = node.axes(0)
    along = _positions(node, node.numbers(1), len(axes)) if len(node.inputs) > 1 else list(range(len(axes)))
    kept = [Axis(1)] if node.integer("keepdims", 1) else []
    parts = [kept if index in along else [axis] for index, axis in enumerate(axes)]
    return [tuple(axis for part in parts for axis in part)]


def _reshape(node: Node) -> list[Axes]:
    axes, sizes = node.axes(0), node.numbers(1)
    for index, size in enumerate(sizes):  # 0 keeps the axis
        require(size > 0 or (size == 0 and index < len(axes)), "Reshape has an axis of any size")
    return [tuple(Axis(size) if size else axes[index] for index, size in enumerate(sizes))]


def _split(node: Node) -> list[Axes]:
    axes, sizes = node.axes(0), node.numbers(1)
    (along,) = _positions(node, [node.integer("axis", 0)], len(axes))
    require(min(sizes, default=0) > 0, "Split has parts of no size")
    return [(*axes[:along], Axis(size), *axes[along + 1 :]) for size in sizes]


def _transpose(node: Node) -> list[Axes]:
    axes, order = node.axes(0), node.integers("perm")
    require(sorted(order) == list(range(len(axes))), "Transpose has axes that its input lacks")
    return [tuple(axes[index] for index in order)]


def _unsqueeze(node: Node) -> list[Axes]:
    rank = len(node.axes(0)) + len(node.numbers(1))
    new = _positions(node, node.numbers(1), rank)
    old = iter(node.axes(0))
    return [tuple(Axis(1) if index in new else next(old) for index in range(rank))]


def _lstm(node: Node) -> list[Axes]:
    require(len(node.axes(0)) == 3, f"{node.operator} has an input of another rank")
    tokens, texts, _ = node.axes(0)
    size = node.integer("hidden_size")
    require(size > 0, f"{node.operator} has no states")
    last = (Axis(2), texts, Axis(size))  # two directions at most
    return [(tokens, *last), last, last]


_Rule = Callable[[Node], list[Axes]]
# Operator to its rule and the attributes that it may have.
_RULES: Mapping[str, tuple[_Rule, frozenset[str]]] = {
    **dict.fromkeys(["CumSum", "DequantizeLinear", "Identity", "QuantizeLinear"], (_same, frozenset[str]())),
    **dict.fromkeys(["Sigmoid", "Slice", "Tanh"], (_same, frozenset[str]())),
    **dict.fromkeys(["Add", "Div", "Equal", "LessOrEqual", "Max"], (_widest, frozenset[str]())),
    **dict.fromkeys(["Mul", "Sub", "Where"], (_widest, frozenset[str]())),
    **dict.fromkeys(["Gemm", "MatMul", "MatMulInteger"], (_product, frozenset[str]())),
    **dict.fromkeys(["ReduceMax", "ReduceMin", "ReduceSum"], (_reduce, frozenset({"keepdims"}))),
    "Cast": (_same, frozenset({"to"})),
    "Concat": (_concat, frozenset({"axis"})),
    "Gather": (_gather, frozenset()),
    "LSTM": (_lstm, frozenset({"direction", "hidden_size"})),
    "Reshape": (_reshape, frozenset()),
    "ReverseSequence": (_same, frozenset({"batch_axis", "time_axis"})),
    "Split": (_split, frozenset({"axis"})),
    "Transpose": (_transpose, frozenset({"perm"})),
    "Unsqueeze": (_unsqueeze, frozenset()),
    "com.microsoft.DynamicQuantizeLSTM": (_lstm, frozenset({"direction", "hidden_size"})),
}
# The input that an operator looks up in, or multiplies by.
_WEIGHTS = {"Gather": 0, "Gemm": 1, "MatMul": 1, "MatMulInteger": 1}
