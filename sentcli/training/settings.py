"""How to train: the settings that the caller decides, and those that the amount of data decides."""

import logging
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch

from sentcli.config import BY_DATA, ModelConfig, TextConfig, TrainConfig
from sentcli.errors import UsageError
from sentcli.scoring.cores import usable_cores
from sentcli.training.finetune import Base

_log = logging.getLogger("sentcli")

NO_VECTORS = "none"
BY_LABELS = ("validation_share",)  # the settings in BY_DATA that depend on labelled texts alone

# The data that TrainConfig's defaults were tuned on, the train split of IMDb: 25,000 texts of 234 words.
_TEXTS, _WORDS = 25_000, 5_850_000

_MOST_EPOCHS = 60  # more do not help with a handful of texts
_MOST_CLASSES_FACTOR = 3
_LEAST_PATIENCE = 2  # epochs
_VOCAB = 30_000  # words, about those of IMDb
_SMALLEST_BATCH = 8  # smaller ones are no faster, as they have more padding, and their gradients are noisy
_VALIDATION_TEXTS = (100, 10_000)  # bounds; an accuracy of 0.9 then has a standard error of 3 or 0.3 points
_LARGEST_SHARE = 0.2  # of small data, even if that is fewer than 100 texts
_SMALLEST_SHARE = 0.001
_FOLDS = 3  # five take 1.7 times as long, and the interval that they print is no better
_FEWEST, _FEW = 10, 1000  # texts; from the first up to the second, they are cross-validated

_AnyConfig = TypeVar("_AnyConfig", TextConfig, ModelConfig, TrainConfig)


@dataclass(frozen=True)
class DataSize:
    """The amount of data.

    :param texts: texts, including the labelled ones that are held out to validate on.
    :param words: words of all texts, split at spaces.
    """

    texts: int
    words: int
    classes: int

    @classmethod
    def of(cls, texts: Sequence[str], labels: Sequence[str]) -> "DataSize":
        return cls(0, 0, len({*labels})).with_more(texts)

    def with_more(self, texts: Sequence[str]) -> "DataSize":
        """Return the size with more texts; a text that an epoch repeats has to be repeated here."""
        words = sum(text.count(" ") + 1 for text in texts)
        return replace(self, texts=self.texts + len(texts), words=self.words + words)


@dataclass(frozen=True)
class Settings:
    """How to train, without the data and the output.

    :param model: the shape; vocabulary size and classes are filled in from the data.
    :param auto: fields of `config` whose values the data decides; all are in `BY_DATA`.
    :param device: `cpu` or `cuda`; None: CUDA if there is a device.
    :param threads: threads of PyTorch; None: all cores that this process may use.
    :param base: the model to fine-tune, instead of starting from word vectors.
    :param licence, command: the model's licence and the command line that makes it, for the card.
    :param recipe: writes the settings as TOML, given those that the data decided; None: no such file.
    :param given: the fields of `text`, `model` and `config` that the user gave, with their values, if the
        included model may be the start of a training on few texts; None: it may not.
    """

    text: TextConfig
    model: ModelConfig
    config: TrainConfig
    auto: Collection[str] = ()
    device: str | None = None
    threads: int | None = None
    quiet: bool = False
    base: Base | None = None
    licence: str | None = None
    command: str = "sentcli train"
    recipe: "Callable[[Settings], str] | None" = None
    given: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any], *, has_validation: bool = False, **others: Any) -> "Settings":
        """Build settings from the values of fields of `text`, `model` and `config`.

        :param values: by field name; None: the default, or what the data decides.
        :param has_validation: whether the texts to validate on are given.
        :param others: the other fields.
        :raises UsageError: for an unknown name, or a value out of range.
        """
        given = {name: value for name, value in values.items() if value is not None}
        ruled_out = ["validation_share", "folds"] if has_validation else []
        if "epochs" in given:
            ruled_out += ["patience", "folds", "adversarial", "fill_vocab"]
        if "validation_share" in given or given.get("interpolate"):
            ruled_out += ["folds"]
        auto = [name for name in BY_DATA if name not in given and name not in ruled_out]
        known = {each.name: kind for kind in (TextConfig, ModelConfig, TrainConfig) for each in fields(kind)}
        if unknown := given.keys() - known.keys():
            raise UsageError(f"unknown setting {min(unknown)!r:.100}; docs/training-settings.md lists all")

        def build(kind: type[_AnyConfig], **further: Any) -> _AnyConfig:
            return kind(**{name: value for name, value in given.items() if known[name] is kind}, **further)

        model = build(ModelConfig, vocab_size=2)  # vocabulary and classes come with the data
        return cls(build(TextConfig), model, build(TrainConfig), auto=auto, **others)

    def finetuning(self, base: Base, given: Mapping[str, Any]) -> "Settings":
        """Return the settings with the shape and the vocabulary of a model to fine-tune.

        :param given: the fields of `text`, `model` and `config` that the user gave, with their values.
        :raises UsageError: for a given value that contradicts the model.
        """
        for name, value in given.items():
            if base.decided.get(name, value) != value:
                raise UsageError(
                    f"{name.replace('_', '-')} {value}: the model of --finetune, {base.path}, has "
                    f"{base.decided[name]}, which cannot change; omit the setting"
                )

        def with_decided(old: _AnyConfig) -> _AnyConfig:
            mine = {each.name for each in fields(old)} & base.decided.keys()
            return replace(old, **{name: base.decided[name] for name in mine})

        return replace(
            self,
            base=base,
            text=with_decided(self.text),
            model=with_decided(self.model),
            config=with_decided(self.config),
            auto=[name for name in self.auto if name not in base.decided],
        )

    def chosen_for(self, size: DataSize, names: Collection[str] = BY_DATA) -> "Settings":
        """Choose the named settings that are left to the data, log the choice, and return all settings."""
        suited = choices(size, finetunes=self.base is not None)
        chosen = {name: value for name, value in suited.items() if name in self.auto and name in names}
        if chosen:
            _log.info(
                "chosen for %s texts of %s words in %d classes: %s",
                *(f"{size.texts:,}", f"{size.words:,}", size.classes),
                ", ".join(
                    f"{name.replace('_', '-')} {value}"
                    for name, value in chosen.items()
                    if name != "validation_share" or not chosen.get("folds", self.config.folds)
                ),
            )
        auto = [name for name in self.auto if name not in names]
        return replace(self, config=replace(self.config, **chosen), auto=auto)

    @property
    def cores(self) -> int:
        """Threads of PyTorch. Its own number respects OMP_NUM_THREADS, but not the cores of this process."""
        return self.threads or min(torch.get_num_threads(), usable_cores())


def choices(size: DataSize, *, finetunes: bool = False) -> dict[str, Any]:
    """Return values of the settings in `BY_DATA` for an amount of data; for IMDb, TrainConfig's defaults.

    They follow the square root of the size: n times as many texts are each seen 1/sqrt(n) times as often, in
    batches sqrt(n) times as large. So a few hundred texts get as many steps as IMDb, about a thousand.
    """
    usual = TrainConfig()
    count = max(size.texts, 1)  # a data set without texts is refused by `class_names`
    texts, words = math.sqrt(count / _TEXTS), math.sqrt(size.words / _WORDS)
    # Batches larger than IMDb's save no time, and leave fewer steps in the only pass over many texts.
    batch_size = 2 ** round(math.log2(usual.batch_size * texts))
    fewest, most = (held_out / count for held_out in _VALIDATION_TEXTS)
    share = max(min(max(usual.validation_share, fewest), most, _LARGEST_SHARE), _SMALLEST_SHARE)
    # Early stopping ends most trainings before the last epoch; those of many classes need more steps.
    many = min(math.log2(max(size.classes, 2)), _MOST_CLASSES_FACTOR)
    epochs = min(max(round(usual.epochs * many / texts), 1), _MOST_EPOCHS)
    return {
        "epochs": epochs,
        "patience": max(_LEAST_PATIENCE, round(epochs / 12)),
        "folds": _FOLDS if _FEWEST <= count < _FEW else 0,
        # On TREC, without adversarial steps, accuracy was 0.898 instead of 0.928 with changes of full size.
        "adversarial": 0.0 if finetunes and count < _FEW else usual.adversarial,
        "batch_size": min(max(batch_size, _SMALLEST_BATCH), usual.batch_size),
        # By Heaps' law, the vocabulary grows as the root of the number of words; this keeps its size.
        "min_freq": max(round(usual.min_freq * words), 1),
        "fill_vocab": _VOCAB,
        "validation_share": round(share, 4),
    }
