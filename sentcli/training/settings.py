"""The settings of a training, resolved in one place: given, of the base model, of the data, or default."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sentcli.config import LOG, ModelConfig, TextConfig, TrainConfig
from sentcli.datasets.labels import RARE, LabeledTexts
from sentcli.errors import UsageError, counted, option
from sentcli.training.corpus import DataSource
from sentcli.training.finetune import Base
from sentcli.training.glove import INCLUDED, NO_VECTORS

# The data that TrainConfig's defaults were tuned on, the train split of IMDb: 25,000 texts of 234 words.
_TEXTS, _WORDS = 25_000, 5_850_000

_MOST_EPOCHS = 60  # more do not help with a handful of texts
_MOST_CLASSES_FACTOR = 3
_LEAST_PATIENCE = 2  # epochs
_VOCAB = 30_000  # words, about those of IMDb
_SMALLEST_BATCH = 8  # smaller ones are no faster, as they have more padding, and their gradients are noisy
_VALIDATION_TEXTS = (100, 10_000)  # bounds; an accuracy of 0.9 then has a standard error of 3 or 0.3 points
_LARGEST_SHARE = 0.2  # the share of small data, even if that is fewer than 100 texts
_SMALLEST_SHARE = 0.001
_FOLDS = 3  # five take 1.7 times as long, and the interval that they print is no better
_FEWEST, _FEW = 10, 1000  # texts; from the first up to the second, they are cross-validated
# With fewer validation texts of the rarer of two labels, or fewer texts of a class, more are cross-validated.
_FEW_RARE = 20

_KIND_OF = {field.name: kind for kind in (TextConfig, ModelConfig, TrainConfig) for field in fields(kind)}


@dataclass(frozen=True)
class Options:
    """What a training needs in addition to data and settings; license and command are for the model card."""

    device: str | None = None
    threads: int | None = None
    quiet: bool = False
    license: str | None = None
    command: str = "sentcli train"


@dataclass(frozen=True)
class DataSize:
    """The amount of data."""

    texts: int
    words: int  # split at spaces
    classes: int
    splittable: int  # texts of which a share can be validated on
    rarest: int = 0  # texts of the rarest class; 0: unknown

    @classmethod
    def of(cls, parts: Sequence[LabeledTexts], source: DataSource, labels: Sequence[str]) -> "DataSize":
        """Return the size of labeled data sets; `parts` and `labels` are those of `read_data_sets`."""
        validated = [part for part, data in zip(parts, source.data, strict=True) if data.validate]
        counts = Counter(label for part in validated or parts for label in part.labels if label in labels)
        return cls(
            texts=sum(map(len, parts)),
            words=sum(text.count(" ") + 1 for part in parts for text in part.texts),
            classes=len(counts),
            splittable=0 if source.validation else sum(map(len, validated)),
            rarest=min(counts.values(), default=0),
        )


@dataclass(frozen=True)
class Settings:
    """All that one training is made of."""

    source: DataSource
    text: TextConfig
    model: ModelConfig  # the vocabulary of the data decides its size
    config: TrainConfig
    base: Base | None = None  # the model to fine-tune, in place of word vectors

    @property
    def glove(self) -> str:
        """The source of the word vectors; `NO_VECTORS`: none, or those of the base model."""
        return NO_VECTORS if self.base else self.source.glove or INCLUDED


def resolve_settings(
    source: DataSource, given: Mapping[str, Any], base: Base | None = None, size: DataSize | None = None
) -> Settings:
    """Return all settings: what the user gave, else what the base model or the amount of data decides.

    :param size: None: not known yet; what it would decide has its default.
    :raises UsageError: for an unknown name, a value out of range, or one that contradicts the base model.
    """
    given = {name.replace("-", "_"): value for name, value in given.items() if value is not None}
    if unknown := given.keys() - _KIND_OF.keys():
        raise UsageError(f"unknown setting {min(unknown)!r:.100}; docs/training-settings.md lists all")
    if base and "hidden_size" in given:
        base = base.for_size(given["hidden_size"])
    of_base = base.decided if base else {}
    for name, value in given.items():
        if base and name != "max_tokens" and of_base.get(name, value) != value:
            model = f"the model of {option('finetune')}, {base.bundle.path.name}, has {of_base[name]}"
            problem = f"{name.replace('_', '-')} {value}: {model}, which cannot change"
            raise UsageError(f"{problem}; omit the setting")
    of_data = _chosen_for(size, source, given, base) if size else {}
    values = {"vocab_size": 2, **of_data, **of_base, **given}  # the vocabulary comes with the data

    def build(kind: type) -> Any:
        return kind(**{name: value for name, value in values.items() if _KIND_OF[name] is kind})

    return Settings(source, build(TextConfig), build(ModelConfig), build(TrainConfig), base)


def _chosen_for(
    size: DataSize, source: DataSource, given: Mapping[str, Any], base: Base | None
) -> dict[str, Any]:
    """Return the settings that the amount of data decides, except the given ones, and log them."""
    decided = {*given, *(base.decided if base else ())}
    if base or source.glove == NO_VECTORS:
        decided.add("fill_vocab")
    if not base or not base.keeps_classifier:
        decided.add("interpolate")
    if "epochs" in given:
        decided |= {"patience", "folds", "adversarial", "fill_vocab"}
    # A cross-validation would train on data sets that are not validated on in each fold.
    if size.splittable < size.texts or "validation_share" in given or given.get("interpolate"):
        decided.add("folds")
    if not size.splittable:
        decided.add("validation_share")
    suited = choices(size, finetunes=base is not None)
    chosen = {name: value for name, value in suited.items() if name not in decided}
    if chosen:
        values = ", ".join(f"{name.replace('_', '-')} {value}" for name, value in chosen.items())
        amount = counted(size.texts, "text"), f"{size.words:,}", size.classes
        LOG.info("chosen for %s of %s words in %d classes: %s", *amount, values)
    return chosen


def choices(size: DataSize, *, finetunes: bool = False) -> dict[str, Any]:
    """Return the settings that suit an amount of data; for IMDb, they are TrainConfig's defaults.

    They follow the square root of the size: n times as many texts are each seen 1/sqrt(n) times as often, in
    batches sqrt(n) times as large. So a few hundred texts get as many steps as IMDb, about a thousand.
    """
    usual = TrainConfig()
    count, splittable = max(size.texts, 1), max(size.splittable, 1)  # `class_names` refuses 0 texts
    texts, words = math.sqrt(count / _TEXTS), math.sqrt(size.words / _WORDS)
    # Batches larger than IMDb's save no time, and leave fewer steps in the only pass over many texts.
    batch_size = 2 ** round(math.log2(usual.batch_size * texts))
    low, high = (validated / splittable for validated in _VALIDATION_TEXTS)
    share = max(min(max(usual.validation_share, low), high, _LARGEST_SHARE), _SMALLEST_SHARE)
    # Early stopping ends most trainings before the last epoch; those of many classes need more steps.
    many = min(math.log2(max(size.classes, 2)), _MOST_CLASSES_FACTOR)
    epochs = min(max(round(usual.epochs * many / texts), 1), _MOST_EPOCHS)
    few = max(_FEW, _FEW_RARE * size.classes)
    is_rare = size.classes == 2 and 0 < size.rarest < min(RARE / 2 * count, _FEW_RARE / share)
    return {
        "epochs": epochs,
        "patience": max(_LEAST_PATIENCE, round(epochs / 12)),
        "folds": _FOLDS if _FEWEST <= count < (_TEXTS if is_rare and not finetunes else few) else 0,
        # On TREC, without adversarial steps, accuracy was 0.898 instead of 0.928 with changes of full size.
        "adversarial": 0.0 if finetunes and count < _FEW else usual.adversarial,
        # With rehearsal, on two draws of 1,000 tweets: 1.3 points less accuracy, 7.6 more on products.
        "interpolate": 0.0 if count < _FEW else 0.3,
        "batch_size": min(max(batch_size, _SMALLEST_BATCH), usual.batch_size),
        # By Heaps' law, the vocabulary grows as the root of the number of words; this keeps its size.
        "min_freq": max(round(usual.min_freq * words), 1),
        "fill_vocab": _VOCAB,
        "validation_share": round(share, 4),
    }
