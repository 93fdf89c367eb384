"""Settings as frozen dataclasses that validate themselves, to and from JSON."""

import logging
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from functools import partial
from types import NoneType, UnionType
from typing import Any, Self, get_args, get_origin

from sentcli.errors import BundleError, UsageError, is_utf8

POOLINGS = ("last", "max+mean")
CLASS_WEIGHTS = ("none", "balanced")
GATES = ("separate", "forget")
SCORING_PRECISIONS = ("fp32", "bf16", "fp16")
BACKENDS = ("onnx", "torch", "torchscript")
DEVICES = ("cpu", "cuda")
LOG = logging.getLogger("sentcli")  # of all modules
NOTE = 35  # level of the log, above WARNING, of doubtful guesses, which --quiet shows too
logging.addLevelName(NOTE, "NOTE")
DEFAULT_DATASET = "stanfordnlp/imdb"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)  # id of a data set
FORMAT_VERSION = 1
MAX_CLASSES = 1000
SIDES = 3  # negative, neutral and positive


def _number(default: Any, low: float, high: float = math.inf, help: str = "", **more: Any) -> Any:  # noqa: A002
    """Declare a number with its bounds, both included; `help` says what it means."""
    return field(default=default, metadata={"low": low, "high": high, "help": help, **more})


_auto = partial(_number, auto=True)  # a number that the data decide unless the user gives it


def _choice(default: str, choices: tuple[str, ...], help: str = "") -> Any:  # noqa: A002
    """Declare a string with its choices; `help` says what it means."""
    return field(default=default, metadata={"choices": choices, "help": help})


_NOUN = {str: "a string", bool: "true or false", int: "a whole number", float: "a number", Mapping: "a table"}
_ACCEPTED = {float: (float, int), Mapping: (dict,)}  # types of values; for other types only themselves


def is_a(value: Any, kind: Any) -> bool:
    """Return whether a value of decoded JSON or TOML is of a type; a dictionary is a type by its values."""
    if isinstance(kind, dict):
        has_names = isinstance(value, dict) and value.keys() == kind.keys()
        return has_names and all(is_a(value[name], kind[name]) for name in kind)
    if isinstance(kind, UnionType):
        return any(is_a(value, member) for member in get_args(kind))
    if get_origin(kind) is tuple:
        return isinstance(value, list) and all(is_a(item, get_args(kind)[0]) for item in value)
    kind = get_origin(kind) or kind
    return type(value) in _ACCEPTED.get(kind, (kind,))  # A bool is an int to isinstance.


def _noun(kind: Any) -> str:
    if isinstance(kind, UnionType):
        return " or ".join(_noun(member) for member in get_args(kind) if member is not NoneType)
    if get_origin(kind) is tuple:
        return f"a list of {_noun(get_args(kind)[0]).split()[-1]}s"
    return _NOUN[get_origin(kind) or kind]


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
        """Return all settings except new ones at their default, so that old files stay equal."""
        values: dict[str, Any] = asdict(self)  # type: ignore[call-overload]
        new = {setting.name for setting in fields(self) if setting.metadata.get("is_new")}  # type: ignore[arg-type]
        return {name: value for name, value in values.items() if value or name not in new}

    @classmethod
    def from_mapping(cls, mapping: object, where: str) -> Self:
        """Build the settings from decoded JSON or TOML, which has all of them except new ones.

        :param where: the place of the values, for messages.
        :raises UsageError: for a wrong value, naming its place.
        """
        if not isinstance(mapping, dict):
            raise UsageError(f"{where}: expected an object, found {type(mapping).__name__}")
        known = {setting.name: setting for setting in fields(cls)}  # type: ignore[arg-type]
        values: dict[str, Any] = {}
        for name, value in mapping.items():
            if name not in known:
                raise UsageError(f"{where}: unknown key {name!r:.200}; the keys are {', '.join(known)}")
            kind = known[name].type
            if isinstance(kind, type) and issubclass(kind, _Settings):
                values[name] = kind.from_mapping(value, f"{where}: {name}")
            elif is_a(value, kind):
                values[name] = tuple(value) if isinstance(value, list) else value
            else:
                raise UsageError(f"{where}: {name} is {value!r:.100}, which is not {_noun(kind)}")
        for name, setting in known.items():
            if name not in values and not setting.metadata.get("is_new"):
                raise UsageError(f"{where}: the key {name!r:.200} is missing")
        try:
            return cls(**values)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from None


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
    # Buckets of pairs of neighboring tokens: a model with buckets adds weights of tokens and pairs to logits.
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
class BundleConfig(_Settings):
    """The content of `config.json`."""

    model: ModelConfig
    text: TextConfig
    labels: tuple[str, ...]  # the second of two is the positive one
    neutral: tuple[float, float] | None = None  # the band, as probabilities of the second class

    def __post_init__(self) -> None:
        count, names = self.model.num_classes, set(self.labels)
        if not len(self.labels) == len(names) == count or "" in names or not all(map(is_utf8, names)):
            raise UsageError(f"labels: {count} different names needed, not {self.labels!r:.200}")
        band = self.neutral
        if band is not None and (count > 2 or len(band) != 2 or not 0 <= band[0] <= band[1] <= 1):
            rule = "only two classes have a band, which is two probabilities, the lower one first"
            raise UsageError(f"neutral is {[*band]!r:.200}; {rule}")

    def to_json(self) -> dict[str, Any]:
        parts = {"model": self.model.to_json(), "text": self.text.to_json()}
        return {"format_version": FORMAT_VERSION, **vars(self), **parts}

    @classmethod
    def from_json(cls, values: object, where: str) -> Self:
        """Build the config from decoded JSON.

        :raises BundleError: with the place of a wrong value.
        """
        values = dict(values) if isinstance(values, dict) else {}
        version = values.pop("format_version", None)
        if not is_a(version, int) or version != FORMAT_VERSION:
            hint = f"this sentcli reads {FORMAT_VERSION}; try another version of sentcli"
            raise BundleError(f"{where}: format_version is {version!r:.100}; {hint}")
        try:
            return cls.from_mapping(values, where)
        except UsageError as error:
            raise BundleError(str(error)) from None


PROBABILITY = "probability"  # the targets of a data set whose labels are probabilities


@dataclass(frozen=True)
class DataSet(_Settings):
    """A labeled data set to learn from: a `[[data]]` table in the file of `sentcli train --config`."""

    path: str  # a file, a folder in the layout of the hub, or an id on the Hugging Face hub
    text_column: str | None = None  # None: found by its usual names, as the label column
    label_column: str | None = None
    weight_column: str | None = None  # None: all texts have the same weight
    weight: float = _number(1.0, 1e-6, 1e6)  # weight of its texts in the loss
    # The probability of the second of two classes for each label; `PROBABILITY`: the labels are these
    # probabilities; None: labels are names.
    targets: Mapping[str, float] | str | None = None
    round_labels: bool = False  # whether labels such as 4.5 become whole numbers
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
        given = table if isinstance(table, dict) else {}
        defaults = {**vars(cls("-")), "path": ""}
        return cls.from_mapping({**defaults, **{key.replace("-", "_"): given[key] for key in given}}, where)


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
    time_limit: float = _number(
        0.0, 0, help="End training after a time such as 10m; 0: no limit.", is_new=True
    )
    precision: str = _choice("auto", ("auto", "fp32"), "auto: bf16 if the hardware has it, else fp32.")
    # NumPy and scikit-learn accept these seeds.
    seed: int = _number(1, 0, 2**32 - 1, "Random seed for everything except the validation split.")


def settable() -> list[Field[Any]]:
    """Return the settings of a training that users can give: the fields with a help text."""
    kinds: tuple[type, ...] = (TextConfig, ModelConfig, TrainConfig)
    return [setting for kind in kinds for setting in fields(kind) if setting.metadata.get("help")]
