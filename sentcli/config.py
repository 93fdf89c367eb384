"""Settings as frozen dataclasses that check themselves, to and from JSON."""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from sentcli.errors import BundleError, UsageError, is_utf8

POOLINGS = ("last", "max", "mean", "max+mean")
OPTIMIZERS = ("adam", "adamw")
CLASS_WEIGHTS = ("none", "balanced")
GATES = ("separate", "forget")
TRAINING_PRECISIONS = ("auto", "fp32", "bf16")
SCORING_PRECISIONS = ("fp32", "bf16", "fp16")
BACKENDS = ("onnx", "torch", "torchscript")
DEVICES = ("cpu", "cuda")
DEFAULT_DATASET = "stanfordnlp/imdb"
EVERYDAY = "everyday"  # sentences that come with sentcli, as a name for --sentences
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)  # of a data set
FORMAT_VERSION = 1
FOLDS = 5  # of the validation part, for a teacher's figures; classes of fewer texts there cannot be weighed
MAX_CLASSES = 1000
SEEDS = 2**32  # that NumPy and scikit-learn take, from 0


class _Settings:
    """What all settings share: a dictionary for JSON, and the strict way back."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_json(cls, values: object, where: str) -> Self:
        """Build the settings from decoded JSON.

        :param where: what an error message calls the place that the values come from.
        :raises BundleError: for a missing or unknown key, a wrong type or a value out of range.
        """
        if not isinstance(values, Mapping):
            raise BundleError(f"{where}: expected an object, found {type(values).__name__}")
        types: dict[str, Any] = {field.name: field.type for field in fields(cls)}  # type: ignore[arg-type]
        for name in values:
            if name not in types:
                raise BundleError(f"{where}: unknown key {name!r:.200}")
        for name, kind in types.items():
            if name not in values:
                raise BundleError(f"{where}: the key {name!r:.200} is missing")
            # bool is an int to isinstance, and JSON writes a whole float as an int.
            wanted = (int, float) if kind is float else kind
            if isinstance(values[name], bool) or not isinstance(values[name], wanted):
                raise BundleError(f"{where}: {name} is {values[name]!r:.100}, which is no {kind.__name__}")
        try:
            return cls(**values)
        except UsageError as error:
            raise BundleError(f"{where}: {error}") from None


def _check(name: str, value: float, low: float, high: float = math.inf) -> None:
    if not low <= value <= high:
        bounds = f"at least {low}" if high == math.inf else f"between {low} and {high}"
        raise UsageError(f"{name} is {value!r:.100}; it has to be {bounds}")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{name} is {value!r:.100}; choose from {', '.join(choices)}")


@dataclass(frozen=True)
class TextConfig(_Settings):
    """How a text becomes ids, the same in training and scoring.

    A text of more than `max_tokens` tokens keeps the first `max_tokens // 4` and, of the end, the rest. A
    phrase is one token.
    """

    max_tokens: int = 512
    tokenizer: str = "basic_english"

    def __post_init__(self) -> None:
        _check("max_tokens", self.max_tokens, 4, 100_000)
        if self.tokenizer != "basic_english":
            raise UsageError(f"tokenizer is {self.tokenizer!r:.100}; this version knows only 'basic_english'")


@dataclass(frozen=True)
class ModelConfig(_Settings):
    """The shape of the BiLSTM. Dropouts act in training alone."""

    vocab_size: int
    num_classes: int = 2
    embedding_dim: int = 100
    hidden_size: int = 128
    num_layers: int = 1
    pooling: str = "max+mean"
    embedding_dropout: float = 0.3  # of the embedded words, and between layers
    dropout: float = 0.5  # of the pooled state

    def __post_init__(self) -> None:
        _check("vocab_size", self.vocab_size, 2, 10_000_000)
        _check("num_classes", self.num_classes, 2, MAX_CLASSES)
        _check("embedding_dim", self.embedding_dim, 1, 4096)
        _check("hidden_size (--hidden)", self.hidden_size, 1, 4096)
        _check("num_layers (--layers)", self.num_layers, 1, 16)
        _check("embedding_dropout (--embedding-dropout)", self.embedding_dropout, 0, 0.99)
        _check("dropout (--dropout)", self.dropout, 0, 0.99)
        _check_choice("pooling", self.pooling, POOLINGS)

    @property
    def pooled_size(self) -> int:
        """Width of the pooled state: two directions, twice that for `max+mean`."""
        return 2 * self.hidden_size * (2 if self.pooling == "max+mean" else 1)


@dataclass(frozen=True)
class BundleConfig:
    """What `config.json` holds. `labels[i]` is the name of class i; of two, the second is the positive."""

    model: ModelConfig
    text: TextConfig
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.labels) != self.model.num_classes or len(set(self.labels)) != len(self.labels):
            count = self.model.num_classes
            raise UsageError(f"labels: {count} different names needed, not {self.labels!r:.200}")

    def to_json(self) -> dict[str, Any]:
        return {
            "format_version": FORMAT_VERSION,
            "model": self.model.to_json(),
            "text": self.text.to_json(),
            "labels": list(self.labels),
        }

    @classmethod
    def from_json(cls, values: object, where: str) -> Self:
        """Build the config from decoded JSON.

        :raises BundleError: naming the field that is missing, unknown, of a wrong type or out of range.
        """
        if not isinstance(values, Mapping):
            raise BundleError(f"{where}: expected an object, found {type(values).__name__}")
        version = values.get("format_version")
        if version != FORMAT_VERSION or type(version) is not int:  # True and 1.0 equal 1
            raise BundleError(
                f"{where}: format_version is {version!r:.100}; this sentcli reads "
                f"{FORMAT_VERSION}; try another version of sentcli"
            )
        expected = {"format_version", "model", "text", "labels"}
        if values.keys() != expected:
            raise BundleError(f"{where}: wrong keys {sorted(values.keys() ^ expected)!r:.200}")
        labels = values["labels"]
        if not isinstance(labels, list) or not all(map(_is_name, labels)):
            raise BundleError(f"{where}: labels is not a list of names: {labels!r:.200}")
        model = ModelConfig.from_json(values["model"], f"{where}: model")
        text = TextConfig.from_json(values["text"], f"{where}: text")
        try:
            return cls(model=model, text=text, labels=tuple(labels))
        except UsageError as error:
            raise BundleError(f"{where}: {error}") from None


def _is_name(value: object) -> bool:
    """Tell whether a table can hold it as the name of a class."""
    return isinstance(value, str) and value != "" and is_utf8(value)


@dataclass(frozen=True)
class TrainConfig(_Settings):
    """How a model is trained; with the data and the vectors, all that its weights depend on."""

    gates: str = "separate"  # forget: the input gate is 1 - the forget gate, the output gate is 1
    pretrain: int = 0  # epochs of language modelling before
    epochs: int = 3
    batch_size: int = 64
    optimizer: str = "adamw"
    lr: float = 2e-3  # highest rate, reached after the warm-up
    weight_decay: float = 0.01
    warmup: float = 0.05  # share of all steps
    clip: float = 1.0  # largest norm of all gradients together
    adversarial: float = 1.0  # length of the move of a text's vectors; 0 leaves the second pass out
    label_smoothing: float = 0.1  # without it, the validation loss rises long before the accuracy falls
    class_weight: str = "none"
    word_dropout: float = 0.2  # share of words that become <unk>
    average: float = 0.995  # decay a step of the moving average of the weights
    keep: float = 0.0  # share of the weights of the model that training went on from
    sentence_repeats: int = 1  # how often an epoch goes through the sentences that are learnt besides
    min_freq: int = 5
    phrases: int = 0  # pairs of words, the most frequent ones, that the model reads as one
    phrase_dropout: float = 0.2  # share of phrases that training reads as their two words
    validation_share: float = 0.1
    precision: str = "auto"
    seed: int = 1

    def __post_init__(self) -> None:
        _check("pretrain (--pretrain)", self.pretrain, 0, 1000)
        _check("epochs (--epochs)", self.epochs, 1, 10_000)
        _check("batch_size (--batch-size)", self.batch_size, 1, 65_536)
        _check("lr (--lr)", self.lr, 1e-9, 10)
        _check("weight_decay (--weight-decay)", self.weight_decay, 0, 10)
        _check("warmup", self.warmup, 0, 1)
        _check("clip (--clip)", self.clip, 1e-6, 1e6)
        _check("adversarial (--adversarial)", self.adversarial, 0, 1000)
        _check("label_smoothing (--label-smoothing)", self.label_smoothing, 0, 0.99)
        _check("word_dropout (--word-dropout)", self.word_dropout, 0, 0.99)
        _check("average (--average)", self.average, 0, 0.999999)
        _check("keep (--keep)", self.keep, 0, 1)
        _check("sentence_repeats (--sentence-repeats)", self.sentence_repeats, 1, 1000)
        _check("min_freq (--min-freq)", self.min_freq, 1)
        _check("phrases (--phrases)", self.phrases, 0, 1_000_000)
        _check("phrase_dropout (--phrase-dropout)", self.phrase_dropout, 0, 1)
        _check("validation_share (--validation-share)", self.validation_share, 0.001, 0.9)
        _check("seed (--seed)", self.seed, 0, SEEDS - 1)
        _check_choice("gates", self.gates, GATES)
        _check_choice("optimizer", self.optimizer, OPTIMIZERS)
        _check_choice("class_weight", self.class_weight, CLASS_WEIGHTS)
        _check_choice("precision", self.precision, TRAINING_PRECISIONS)


@dataclass(frozen=True)
class SelfTrainingConfig(_Settings):
    """How a student learns from texts without labels.

    :param rounds: of labelling; before each but the first, teachers are trained on the labels of the last.
    :param passages: passages cut from each text, labelled and learnt from as texts of their own.
    :param passage_sentences: sentences of a passage at most.
    :param passage_context: share of a passage's label that is the label of its text.
    :param lexicon: what a lexicon of English sentiment adds at most to the log-odds of best over worst
        class in the last labels of passages; 0: it is not asked.
    :param document_vectors: size of the vectors of whole texts in the teacher; 0: it has none.
    :param teacher_pretrain: epochs of language modelling before the largest of the teachers that are trained
        first; 0: none is so large.
    """

    rounds: int = 1
    passages: float = 1.0
    passage_sentences: int = 3
    passage_context: float = 0.5
    lexicon: float = 0.0
    document_vectors: int = 300
    teacher_pretrain: int = 0

    def __post_init__(self) -> None:
        _check("rounds (--rounds)", self.rounds, 1, 100)
        _check("passages (--passages)", self.passages, 0, 100)
        _check("passage_sentences (--passage-sentences)", self.passage_sentences, 1, 1000)
        _check("passage_context (--passage-context)", self.passage_context, 0, 1)
        _check("lexicon (--lexicon)", self.lexicon, 0, 100)
        _check("document_vectors (--document-vectors)", self.document_vectors, 0, 10_000)
        _check("teacher_pretrain (--teacher-pretrain)", self.teacher_pretrain, 0, 1000)
