import json
import math
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from sentcli.config import BundleConfig, ModelConfig, SelfTrainingConfig, TextConfig, TrainConfig
from sentcli.errors import BundleError, UsageError

MODEL = ModelConfig(1000, 3, 50, 32, 2, "last", 0.25, 0.125)
TEXT = TextConfig(max_tokens=300)
BUNDLE = BundleConfig(MODEL, TEXT, ("bad", "großartig", "🎬"))
SETTINGS = [MODEL, ModelConfig(2), TEXT, TextConfig(), TrainConfig(), TrainConfig(epochs=1, optimizer="adam")]

# Each number, its bounds, and what is just outside: below, above.
RANGES: list[tuple[type, str, float, float, float | None, float | None]] = [
    (TextConfig, "max_tokens", 4, 100_000, 3, 100_001),
    (ModelConfig, "vocab_size", 2, 10_000_000, 1, 10_000_001),
    (ModelConfig, "num_classes", 2, 1000, 1, 1001),
    (ModelConfig, "embedding_dim", 1, 4096, 0, 4097),
    (ModelConfig, "hidden_size", 1, 4096, 0, 4097),
    (ModelConfig, "num_layers", 1, 16, 0, 17),
    (ModelConfig, "embedding_dropout", 0, 0.99, -0.01, 1),
    (ModelConfig, "dropout", 0, 0.99, -0.01, 1.0),
    (TrainConfig, "pretrain", 0, 1000, -1, 1001),
    (TrainConfig, "epochs", 1, 10_000, 0, 10_001),
    (TrainConfig, "batch_size", 1, 65_536, 0, 65_537),
    (TrainConfig, "lr", 1e-9, 10, 0, 10.5),
    (TrainConfig, "weight_decay", 0, 10, -1e-9, 11),
    (TrainConfig, "warmup", 0, 1, -0.5, 1.5),
    (TrainConfig, "clip", 1e-6, 1e6, 0, 2e6),
    (TrainConfig, "adversarial", 0, 1000, -0.1, 1001),
    (TrainConfig, "label_smoothing", 0, 0.99, -0.1, 1),
    (TrainConfig, "word_dropout", 0, 0.99, -0.1, 1),
    (TrainConfig, "average", 0, 0.999999, -0.1, 1),
    (TrainConfig, "keep", 0, 1, -0.1, 1.1),
    (TrainConfig, "sentence_repeats", 1, 1000, 0, 1001),
    (TrainConfig, "min_freq", 1, 10**12, 0, None),
    (TrainConfig, "phrases", 0, 1_000_000, -1, 1_000_001),
    (TrainConfig, "phrase_dropout", 0, 1, -0.1, 1.1),
    (TrainConfig, "validation_share", 0.001, 0.9, 0, 1),
    (TrainConfig, "seed", 0, 2**32 - 1, -1, 2**32),
    (SelfTrainingConfig, "rounds", 1, 100, 0, 101),
    (SelfTrainingConfig, "passages", 0, 100, -0.5, 100.5),
    (SelfTrainingConfig, "passage_sentences", 1, 1000, 0, 1001),
    (SelfTrainingConfig, "passage_context", 0, 1, -0.1, 1.1),
    (SelfTrainingConfig, "lexicon", 0, 100, -0.1, 100.1),
    (SelfTrainingConfig, "document_vectors", 0, 10_000, -1, 10_001),
    (SelfTrainingConfig, "teacher_pretrain", 0, 1000, -1, 1001),
]
OUTSIDE = [
    (kind, name, value) for kind, name, _, _, *values in RANGES for value in values if value is not None
]
CHOICES = [
    (TextConfig, "tokenizer", "spacy", "basic_english"),
    (ModelConfig, "pooling", "min", "last, max, mean, max+mean"),
    (TrainConfig, "gates", "open", "separate, forget"),
    (TrainConfig, "optimizer", "sgd", "adam, adamw"),
    (TrainConfig, "class_weight", "heavy", "none, balanced"),
    (TrainConfig, "precision", "fp16", "auto, fp32, bf16"),
]


def make(kind: type, **values: Any) -> Any:
    return kind(**({"vocab_size": 10} if kind is ModelConfig else {}) | values)


def test_every_field_is_tested() -> None:
    tested = {(kind, name) for kind, name, *_ in RANGES + CHOICES}
    kinds = (TextConfig, ModelConfig, TrainConfig, SelfTrainingConfig)
    assert tested == {(kind, field.name) for kind in kinds for field in fields(kind)}


@pytest.mark.parametrize("settings", [*SETTINGS, BUNDLE])
def test_json_round_trip(settings: Any) -> None:
    values = json.loads(json.dumps(settings.to_json()))
    assert type(settings).from_json(values, "there") == settings


def test_json_of_a_bundle() -> None:
    assert BUNDLE.to_json() == {
        "format_version": 1,
        "model": {
            "vocab_size": 1000,
            "num_classes": 3,
            "embedding_dim": 50,
            "hidden_size": 32,
            "num_layers": 2,
            "pooling": "last",
            "embedding_dropout": 0.25,
            "dropout": 0.125,
        },
        "text": {"max_tokens": 300, "tokenizer": "basic_english"},
        "labels": ["bad", "großartig", "🎬"],
    }


def test_whole_number_for_a_float() -> None:
    assert TrainConfig.from_json(TrainConfig().to_json() | {"clip": 2}, "there").clip == 2


@pytest.mark.parametrize("settings", [*SETTINGS, BUNDLE])
def test_settings_do_not_change(settings: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(settings, fields(settings)[0].name, 5)


@pytest.mark.parametrize(("pooling", "width"), [("last", 64), ("max", 64), ("mean", 64), ("max+mean", 128)])
def test_pooled_size(pooling: str, width: int) -> None:
    assert replace(MODEL, pooling=pooling).pooled_size == width


@pytest.mark.parametrize(("kind", "name", "low", "high"), [case[:4] for case in RANGES])
def test_bounds_are_within(kind: type, name: str, low: float, high: float) -> None:
    for value in (low, high):
        settings = make(kind, **{name: value})
        assert getattr(settings, name) == value
        assert kind.from_json(settings.to_json(), "there") == settings


@pytest.mark.parametrize(("kind", "name", "value"), OUTSIDE)
def test_out_of_range(kind: type, name: str, value: float) -> None:
    with pytest.raises(UsageError, match=rf"^{name} .*is {value}; it has to be") as usage:
        make(kind, **{name: value})
    values = make(kind).to_json()
    wanted = float if isinstance(values[name], float) else int
    with pytest.raises(BundleError) as bundle:
        kind.from_json(values | {name: wanted(value)}, "c.json: part")
    assert str(bundle.value).startswith(f"c.json: part: {name} ")
    assert str(usage.value).partition("; ")[2] in str(bundle.value)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name, *_ in RANGES])
@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_neither_nan_nor_infinite(kind: type, name: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"^{name} "):
        make(kind, **{name: value})
    with pytest.raises(BundleError, match=f"^there: {name} "):
        kind.from_json(make(kind).to_json() | {name: value}, "there")


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name, *_ in RANGES if name != "min_freq"])
def test_huge_number(kind: type, name: str) -> None:
    for value in (10**4000, -(10**4000)):
        with pytest.raises(BundleError, match=f"^there: {name} ") as caught:
            kind.from_json(make(kind).to_json() | {name: value}, "there")
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("kind", "name", "value", "choices"), CHOICES)
def test_no_such_choice(kind: type, name: str, value: str, choices: str) -> None:
    with pytest.raises(UsageError, match=rf"^{name} is '{value}'; ") as caught:
        make(kind, **{name: value})
    assert choices in str(caught.value)
    with pytest.raises(BundleError, match=rf"^there: {name} is '{value}'; "):
        kind.from_json(make(kind).to_json() | {name: value}, "there")
    with pytest.raises(UsageError) as caught:
        make(kind, **{name: value * 100_000})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("settings", SETTINGS[::2])
def test_wrong_types(settings: Any) -> None:
    values = settings.to_json()
    for name, value in values.items():
        wrong: list[object] = [None, True, False, [], {}, [value], {"a": value}]
        wrong += [1, 1.5] if isinstance(value, str) else [str(value)]
        wrong += [float(value), value + 0.5] if type(value) is int else []
        for other in wrong:
            with pytest.raises(BundleError) as caught:
                type(settings).from_json(values | {name: other}, "c.json")
            assert str(caught.value).startswith(f"c.json: {name} is {other!r}, which is no "), other


@pytest.mark.parametrize("settings", SETTINGS[::2])
def test_missing_and_unknown_keys(settings: Any) -> None:
    values = settings.to_json()
    for name in values:
        rest = {key: value for key, value in values.items() if key != name}
        with pytest.raises(BundleError, match=f"^c.json: the key '{name}' is missing$"):
            type(settings).from_json(rest, "c.json")
    with pytest.raises(BundleError, match=r"^c.json: unknown key 'extra'$"):
        type(settings).from_json(values | {"extra": 1}, "c.json")
    with pytest.raises(BundleError) as caught:
        type(settings).from_json(values | {"k" * 100_000: 1}, "c.json")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("kind", [TextConfig, ModelConfig, TrainConfig, BundleConfig])
@pytest.mark.parametrize(
    ("value", "found"), [(None, "NoneType"), ([], "list"), ("x", "str"), (3, "int"), (True, "bool")]
)
def test_no_object(kind: Any, value: object, found: str) -> None:
    with pytest.raises(BundleError, match=f"^c.json: expected an object, found {found}$"):
        kind.from_json(value, "c.json")


@pytest.mark.parametrize("version", [0, 2, -1, 1.0, True, "1", None, [], {}, 10**4000, math.nan])
def test_other_format_version(version: object) -> None:
    with pytest.raises(BundleError, match=r"^c.json: format_version is .*; try another version") as caught:
        BundleConfig.from_json(BUNDLE.to_json() | {"format_version": version}, "c.json")
    assert len(str(caught.value)) < 300


def test_keys_of_a_bundle() -> None:
    values = BUNDLE.to_json()
    for name in values:
        rest = {key: value for key, value in values.items() if key != name}
        with pytest.raises(BundleError, match=f"^c.json: .*{name}"):
            BundleConfig.from_json(rest, "c.json")
    with pytest.raises(BundleError, match=r"^c.json: wrong keys \['extra'\]$"):
        BundleConfig.from_json(values | {"extra": 1}, "c.json")


@pytest.mark.parametrize(("part", "name"), [("model", "vocab_size"), ("text", "max_tokens")])
def test_error_in_a_part_names_the_part(part: str, name: str) -> None:
    values = BUNDLE.to_json()
    with pytest.raises(BundleError, match=f"^c.json: {part}: expected an object, found list$"):
        BundleConfig.from_json(values | {part: []}, "c.json")
    with pytest.raises(BundleError, match=f"^c.json: {part}: {name} is 0; it has to be between"):
        BundleConfig.from_json(values | {part: values[part] | {name: 0}}, "c.json")


@pytest.mark.parametrize(
    "labels",
    [
        None,
        "abc",
        {"a": 1},
        3,
        [1, 2, 3],
        ["a", "b", None],
        ["a", "b", ""],
        ["a", "b", "\ud800"],
        ["a", "b", "x\udfff"],
    ],
)
def test_labels_are_no_names(labels: object) -> None:
    with pytest.raises(BundleError, match=r"^c.json: labels is not a list of names: "):
        BundleConfig.from_json(BUNDLE.to_json() | {"labels": labels}, "c.json")


@pytest.mark.parametrize("labels", [[], ["a"], ["a", "b"], ["a", "b", "c", "d"], ["a", "b", "a"]])
def test_labels_do_not_fit_the_model(labels: list[str]) -> None:
    with pytest.raises(UsageError, match=r"^labels: 3 different names needed, not "):
        BundleConfig(MODEL, TEXT, tuple(labels))
    with pytest.raises(BundleError, match=r"^c.json: labels: 3 different names needed, not "):
        BundleConfig.from_json(BUNDLE.to_json() | {"labels": labels}, "c.json")


def test_labels_of_any_length_give_a_short_message() -> None:
    for labels in (["long" * 100_000, "b"], [["long" * 100_000]]):
        with pytest.raises(BundleError) as caught:
            BundleConfig.from_json(BUNDLE.to_json() | {"labels": labels}, "c.json")
        assert len(str(caught.value)) < 400
