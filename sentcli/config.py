"""Settings as frozen dataclasses that validate themselves, to and from JSON."""

import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from types import UnionType
from typing import Any, Self, get_args, get_origin

from sentcli.errors import BundleError, UsageError, is_utf8

POOLINGS = ("last", "max+mean")
CLASS_WEIGHTS = ("none", "balanced")
GATES = ("separate", "forget")
TRAINING_PRECISIONS = ("auto", "fp32")
SCORING_PRECISIONS = ("fp32", "bf16", "fp16")
BACKENDS = ("onnx", "torch", "torchscript")
DEVICES = ("cpu", "cuda")
NOTE = 35  # level of the log, above WARNING, of doubtful guesses, which --quiet shows too
DEFAULT_DATASET = "stanfordnlp/imdb"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)  # id of a data set
FORMAT_VERSION = 1
MAX_CLASSES = 1000
SIDES = 3  # negative, neutral and positive
SEEDS = 2**32  # number of seeds; NumPy and scikit-learn accept 0 to 2**32 - 1


def _number(default: Any, low: float, high: float = math.inf, help: str = "", **more: Any) -> Any:  # noqa: A002
    """Declare a number with its bounds, both included; `help` says what it means."""
    return field(default=default, metadata={"low": low, "high": high, "help": help, **more})


def _auto(*number: Any, **more: Any) -> Any:
    """Declare a number as `_number` does, which the data decide unless the user gives it."""
    return _number(*number, **more, auto=True)


def _choice(default: str, choices: tuple[str, ...], help: str = "") -> Any:  # noqa: A002
    """Declare a string with its choices; `help` says what it means."""
    return field(default=default, metadata={"choices": choices, "help": help})


_NOUN = {str: "a string", bool: "true or false", int: "a whole number", float: "a number", Mapping: "a table"}


class _Settings:
    """Base class of settings, which validate themselves and convert to and from mappings."""

    def __post_init__(self) -> None:
        for setting in fields(self):  # type: ignore[arg-type]
            name, value, rule = setting.name, getattr(self, setting.name), setting.metadata
            if "choices" in rule and value not in rule["choices"]:
                choices = ", ".join(rule["choices"])
                raise UsageError(f"{name} is {value!r:.100}; choose from {choices}")
            if "low" in rule and value is not None and not rule["low"] <= value <= rule["high"]:
                low, high = rule["low"], rule["high"]
                bounds = f"at least {low}" if high == math.inf else f"between {low} and {high}"
                raise UsageError(f"{name} is {value!r:.100}; it has to be {bounds}")

    def to_json(self) -> dict[str, Any]:
        """Return all settings, but none that is new and off, which older files lack."""
        values: dict[str, Any] = asdict(self)  # type: ignore[call-overload]
        new = {each.name for each in fields(self) if each.metadata.get("is_new")}  # type: ignore[arg-type]
        return {name: value for name, value in values.items() if value or name not in new}

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], where: str, *, needs_all: bool = False) -> Self:
        """Build the settings from a table of a file, which has to have all keys if `needs_all`."""
        known = {setting.name: setting for setting in fields(cls)}  # type: ignore[arg-type]
        for name, value in values.items():
            if name not in known:
                raise UsageError(f"{where}: unknown key {name!r:.200}; the keys are {', '.join(known)}")
            # For isinstance, a bool is an int. A file may hold a whole float as an int.
            kinds = _kinds(known[name].type)
            accepted = (*kinds, int) if float in kinds else kinds
            if not isinstance(value, accepted) or isinstance(value, bool) > (bool in kinds):
                words = " or ".join(_NOUN[kind] for kind in kinds if kind in _NOUN)
                raise UsageError(f"{where}: {name} is {value!r:.100}, which is not {words}")
        for name, setting in known.items():
            is_needed = needs_all and not setting.metadata.get("is_new")
            if name not in values and (is_needed or setting.default is MISSING):
                raise UsageError(f"{where}: the key {name!r:.200} is missing")
        try:
            return cls(**values)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from None

    @classmethod
    def from_json(cls, values: object, where: str) -> Self:
        """Build the settings from decoded JSON, which has all of them."""
        try:
            return cls.from_mapping(_object(values, where), where, needs_all=True)
        except UsageError as error:
            raise BundleError(str(error)) from None


def _kinds(annotation: Any) -> tuple[type, ...]:
    """Return the classes of an annotation, such as `(str, NoneType)` for `str | None`."""
    members = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return tuple(get_origin(member) or member for member in members)


def _object(values: object, where: str) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise BundleError(f"{where}: expected an object, found {type(values).__name__}")
    return values


@dataclass(frozen=True)
class TextConfig(_Settings):
    """How a text becomes ids, the same in training and scoring; a bigram is one token."""

    max_tokens: int = _number(
        512, 4, 100_000, "Maximum tokens per text; longer ones keep 1/4 at the start and 3/4 at the end."
    )
    normalizer: str = _choice("sentcli-1", ("sentcli-1",))
    tokenizer: str = _choice("basic_english", ("basic_english",))


@dataclass(frozen=True)
class ModelConfig(_Settings):
    """The shape of the BiLSTM. Dropout acts only in training."""

    vocab_size: int = _number(MISSING, 2, 10_000_000)
    num_classes: int = _number(2, 2, MAX_CLASSES)
    embedding_dim: int = _number(100, 1, 4096, "Width of the word vectors.")
    hidden_size: int = _number(128, 1, 4096, "Hidden units of the LSTM in each direction.")
    num_layers: int = _number(1, 1, 16, "Layers of the LSTM.")
    pooling: str = _choice("max+mean", POOLINGS, "How the states of all tokens become one vector.")
    embedding_dropout: float = _number(0.3, 0, 0.99, "Dropout of the word vectors, and between layers.")
    dropout: float = _number(0.5, 0, 0.99, "Dropout of the pooled state.")
    # Whether it also has logits of negative, neutral and positive; a file without this key has none.
    neutral_head: bool = field(default=False, metadata={"is_new": True})
    # Of pairs of neighboring tokens; a model with buckets adds weights of tokens and pairs to its logits.
    ngram_buckets: int = _number(0, 0, 10_000_000, is_new=True)

    @property
    def num_outputs(self) -> int:
        """The number of logits: those of the classes, then those of a neutral head."""
        return self.num_classes + SIDES * self.neutral_head

    @property
    def pooled_size(self) -> int:
        """Width of the pooled state: that of both directions, doubled for `max+mean`."""
        return 2 * self.hidden_size * (2 if self.pooling == "max+mean" else 1)


@dataclass(frozen=True)
class BundleConfig:
    """The content of `config.json`."""

    model: ModelConfig
    text: TextConfig
    labels: tuple[str, ...]  # of two, the second is the positive one
    neutral: tuple[float, float] | None = None  # the band, as probabilities of the second class

    def __post_init__(self) -> None:
        if len(self.labels) != self.model.num_classes or len(set(self.labels)) != len(self.labels):
            count = self.model.num_classes
            raise UsageError(f"labels: {count} different names needed, not {self.labels!r:.200}")
        if self.neutral and (len(self.labels) > 2 or not 0 <= self.neutral[0] <= self.neutral[1] <= 1):
            raise UsageError(
                f"neutral is {[*self.neutral]!r:.200}; only two classes have a band, which is two "
                "probabilities, the lower one first"
            )

    def to_json(self) -> dict[str, Any]:
        return {
            "format_version": FORMAT_VERSION,
            "model": self.model.to_json(),
            "text": self.text.to_json(),
            "labels": list(self.labels),
            "neutral": list(self.neutral) if self.neutral else None,
        }

    @classmethod
    def from_json(cls, values: object, where: str) -> Self:
        """Build the config from decoded JSON."""
        values = _object(values, where)
        version = values.get("format_version")
        if version != FORMAT_VERSION or type(version) is not int:  # True and 1.0 equal 1
            raise BundleError(
                f"{where}: format_version is {version!r:.100}; this sentcli reads "
                f"{FORMAT_VERSION}; try another version of sentcli"
            )
        expected = {"format_version", "model", "text", "labels", "neutral"}
        if values.keys() != expected:
            raise BundleError(f"{where}: wrong keys {sorted(values.keys() ^ expected)!r:.200}")
        labels = values["labels"]
        if not isinstance(labels, list) or not all(map(_is_name, labels)):
            raise BundleError(f"{where}: labels is not a list of names: {labels!r:.200}")
        neutral = values["neutral"]
        is_band = isinstance(neutral, list) and [type(end) in (int, float) for end in neutral] == [True, True]
        if neutral is not None and not is_band:
            raise BundleError(f"{where}: neutral is {neutral!r:.200}, which is not two numbers or null")
        model = ModelConfig.from_json(values["model"], f"{where}: model")
        text = TextConfig.from_json(values["text"], f"{where}: text")
        try:
            return cls(model, text, tuple(labels), tuple(neutral) if neutral else None)
        except UsageError as error:
            raise BundleError(f"{where}: {error}") from None


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != "" and is_utf8(value)


PROBABILITY = "probability"  # the targets of a data set whose labels are probabilities


@dataclass(frozen=True)
class DataSet(_Settings):
    """A labeled data set to learn from: a `[[data]]` table in the file of `sentcli train --config`."""

    path: str  # a file, a folder in the layout of the hub, or an id on the Hugging Face hub
    text_column: str | None = None  # None: found by its usual names, as the label column
    label_column: str | None = None
    weight_column: str | None = None  # None: all texts have the same weight
    weight: float = _number(1.0, 1e-6, 1e6)  # of each of its texts in the loss
    # Of two classes, the probability of the second one for each label; `PROBABILITY`: the labels are these
    # probabilities; None: labels are names.
    targets: Mapping[str, float] | str | None = None
    most: int | None = _number(None, 1)  # texts of each label to use, drawn at random
    validate: bool = True  # whether a share of its texts is set aside to validate on
    terms: str | None = None  # its license or terms, for the model card

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.path:
            raise UsageError("the path is missing; add path = 'FILE'")
        if isinstance(self.targets, str) and self.targets != PROBABILITY:
            raise UsageError(f"targets is {self.targets!r:.100}; give a table, or 'probability'")
        for label, target in self.targets.items() if isinstance(self.targets, Mapping) else ():
            if type(target) not in (int, float) or not 0 <= target <= 1:
                raise UsageError(f"the target of {label} is {target!r:.100}; it has to be from 0 to 1")

    @classmethod
    def from_table(cls, table: object, where: str) -> Self:
        """Build it from a table of TOML or JSON; a key may have - or _."""
        given = dict(table) if isinstance(table, Mapping) else {}
        return cls.from_mapping({"path": "", **{key.replace("-", "_"): given[key] for key in given}}, where)


@dataclass(frozen=True)
class TrainConfig(_Settings):
    """How a model is trained. Its weights depend only on these settings, the data and the vectors."""

    gates: str = _choice("separate", GATES, "forget: only the forget gate, which is 1.6 times as fast.")
    epochs: int = _auto(3, 1, 10_000, "Maximum number of passes over the training split.")
    patience: int = _auto(0, 0, help="Stop after this many epochs without improvement; 0: never.")
    folds: int = _auto(0, 0, 20, "Cross-validation folds, in place of a validation split; 0: none.")
    batch_size: int = _auto(64, 1, 65_536, "Texts per step.")
    lr: float = _number(2e-3, 1e-9, 10, "Peak learning rate, reached after warm-up.")
    weight_decay: float = _number(0.01, 0, 10, "Weight decay of AdamW; 0 is Adam.")
    warmup: float = _number(0.05, 0, 1, "Share of all steps in which the learning rate rises.")
    clip: float = _number(1.0, 1e-6, 1e6, "Maximum norm of all gradients together.")
    adversarial: float = _auto(
        1.0, 0, 1000, "Norm of the adversarial change to a text of 200 words; 0: none."
    )
    # Without label smoothing, the validation loss rises long before the accuracy falls.
    label_smoothing: float = _number(0.1, 0, 0.99, "Share of the target that is spread over all classes.")
    class_weight: str = _choice("none", CLASS_WEIGHTS, "balanced: all classes count equally, however rare.")
    word_dropout: float = _number(0.2, 0, 0.99, "Share of words that are replaced by <unk>.")
    ema_decay: float = _number(0.995, 0, 0.999999, "Decay of the moving average (EMA) of the weights.")
    interpolate: float = _auto(0.0, 0, 1, "Weight of the --finetune model in the final average; 0: none.")
    min_freq: int = _auto(5, 1, help="Minimum frequency of a word; rarer words are unknown.")
    fill_vocab: int = _auto(0, 0, help="Pad the vocabulary to this size with words of --glove; 0: do not.")
    bigrams: int = _number(0, 0, 1_000_000, "Number of word pairs that become one token each, for speed.")
    bigram_dropout: float = _number(0.2, 0, 1, "Share of bigrams that are read as two words in training.")
    validation_share: float = _auto(0.1, 0.001, 0.9, "Share of the training split set aside for validation.")
    precision: str = _choice("auto", TRAINING_PRECISIONS, "auto: bf16 if the hardware has it, else fp32.")
    seed: int = _number(1, 0, SEEDS - 1, "Random seed for everything except the validation split.")


def settable() -> list[Field[Any]]:
    """Return the settings of a training that users can give: the fields with a help text."""
    kinds: tuple[type, ...] = (TextConfig, ModelConfig, TrainConfig)
    return [setting for kind in kinds for setting in fields(kind) if setting.metadata.get("help")]
