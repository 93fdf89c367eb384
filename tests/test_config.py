import json
import math
from dataclasses import Field, fields, replace
from typing import Any

import pytest

from sentcli.config import BundleConfig, ModelConfig, TextConfig, TrainConfig
from sentcli.errors import BundleError, UsageError
from sentcli.model.bundle import default_bundle_path

MODEL = ModelConfig(1000, 3, 50, 32, 2, "last", 0.25, 0.125)
TEXT = TextConfig(max_tokens=300)
BUNDLE = BundleConfig(MODEL, TEXT, ("bad", "großartig", "🎬"))
PAIR = BundleConfig(replace(MODEL, num_classes=2), TEXT, ("bad", "good"), (0.25, 0.75))
SETTINGS = [MODEL, ModelConfig(2), TEXT, TextConfig(), TrainConfig(), TrainConfig(epochs=1, gates="forget")]
KINDS = (TextConfig, ModelConfig, TrainConfig)
NUMBERS = [(kind, each) for kind in KINDS for each in fields(kind) if each.type in (int, float)]
CHOICES = [(kind, each) for kind in KINDS for each in fields(kind) if each.type is str]


def name_of(value: "type | Field[Any]") -> str:
    return value.__name__ if isinstance(value, type) else value.name


def read(kind: Any, values: object, where: str) -> Any:
    return (kind.from_json if kind is BundleConfig else kind.from_mapping)(values, where)


def written(settings: Any) -> Any:
    return json.loads(json.dumps(settings.to_json()))


def make(kind: type, **values: Any) -> Any:
    return kind(**({"vocab_size": 10} if kind is ModelConfig else {}) | values)


@pytest.mark.parametrize("settings", [*SETTINGS, BUNDLE, PAIR])
def test_json_round_trip(settings: Any) -> None:
    assert read(type(settings), written(settings), "there") == settings


def test_the_config_of_the_model_in_the_box_loads_and_comes_back() -> None:
    values = json.loads((default_bundle_path() / "config.json").read_text())
    assert written(BundleConfig.from_json(values, "there")) == values


def test_whole_number_for_a_float() -> None:
    assert TrainConfig.from_mapping(TrainConfig().to_json() | {"clip": 2}, "there").clip == 2


def test_every_setting_has_bounds_or_choices() -> None:
    free = [each.name for kind in KINDS for each in fields(kind) if not {"low", "choices"} & {*each.metadata}]
    assert free == ["neutral_head"]
    assert all({"low", "high"} <= each.metadata.keys() for _, each in NUMBERS)


@pytest.mark.parametrize(("kind", "each"), NUMBERS, ids=name_of)
def test_numbers_are_within_their_bounds(kind: type, each: "Field[Any]") -> None:
    bounds = [bound for bound in (each.metadata["low"], each.metadata["high"]) if bound != math.inf]
    for value in bounds:
        settings = make(kind, **{each.name: each.type(value)})
        assert kind.from_mapping(settings.to_json(), "there") == settings
    step = 1 if each.type is int else 1e-12
    outside = [bounds[0] - step, math.nan, -math.inf, *[bound * (1 + 1e-6) + 1 for bound in bounds[1:]]]
    for value in outside:
        with pytest.raises(UsageError, match=rf"^{each.name} is .*; it has to be") as usage:
            make(kind, **{each.name: value})
        with pytest.raises(UsageError, match=rf"^c.json: part: {each.name} is ") as bundle:
            kind.from_mapping(make(kind).to_json() | {each.name: value}, "c.json: part")
        assert len(str(bundle.value)) < 300
        if each.type is float:
            assert str(bundle.value).endswith(str(usage.value))
    if len(bounds) == 2:
        with pytest.raises(UsageError) as bundle:
            kind.from_mapping(make(kind).to_json() | {each.name: 10**4000}, "there")
        assert len(str(bundle.value)) < 300


@pytest.mark.parametrize(("kind", "each"), CHOICES, ids=name_of)
def test_a_word_is_one_of_the_choices(kind: type, each: "Field[Any]") -> None:
    for value in each.metadata["choices"]:
        assert getattr(make(kind, **{each.name: value}), each.name) == value
    with pytest.raises(UsageError, match=rf"^{each.name} is 'other'; choose from ") as caught:
        make(kind, **{each.name: "other"})
    assert ", ".join(each.metadata["choices"]) in str(caught.value)
    with pytest.raises(UsageError, match=rf"^there: {each.name} is 'other") as bundle:
        kind.from_mapping(make(kind).to_json() | {each.name: "other" * 100_000}, "there")
    assert len(str(bundle.value)) < 300


@pytest.mark.parametrize("settings", SETTINGS[::2])
def test_wrong_types(settings: Any) -> None:
    values = settings.to_json()
    for name, value in values.items():
        wrong: list[object] = [None, True, False, [], {}, [value], {"a": value}]
        wrong += [1, 1.5] if isinstance(value, str) else [str(value)]
        wrong += [float(value), value + 0.5] if type(value) is int else []
        for other in wrong:
            with pytest.raises(UsageError) as caught:
                type(settings).from_mapping(values | {name: other}, "c.json")
            assert str(caught.value).startswith(f"c.json: {name} is {other!r}, which is not "), other


def test_a_model_without_a_neutral_head_is_written_and_read_as_before() -> None:
    assert "neutral_head" not in MODEL.to_json()
    assert ModelConfig.from_mapping(MODEL.to_json(), "there").num_outputs == MODEL.num_classes
    headed = replace(MODEL, num_classes=2, neutral_head=True)
    assert ModelConfig.from_mapping(headed.to_json(), "there") == headed
    assert headed.num_outputs == 5
    with pytest.raises(UsageError, match=r"^there: neutral_head is 1, which is not true or false$"):
        ModelConfig.from_mapping(headed.to_json() | {"neutral_head": 1}, "there")


@pytest.mark.parametrize("settings", SETTINGS[::2])
def test_missing_and_unknown_keys(settings: Any) -> None:
    values = settings.to_json()
    for name in values:
        rest = {key: value for key, value in values.items() if key != name}
        with pytest.raises(UsageError, match=f"^c.json: the key '{name}' is missing$"):
            type(settings).from_mapping(rest, "c.json")
    with pytest.raises(UsageError, match=r"^c.json: unknown key 'extra'; the keys are "):
        type(settings).from_mapping(values | {"extra": 1}, "c.json")


@pytest.mark.parametrize("kind", [TextConfig, ModelConfig, TrainConfig])
@pytest.mark.parametrize(("value", "found"), [(None, "NoneType"), ([], "list"), ("x", "str"), (True, "bool")])
def test_no_object(kind: Any, value: object, found: str) -> None:
    with pytest.raises(UsageError, match=f"^c.json: expected an object, found {found}$"):
        kind.from_mapping(value, "c.json")
    with pytest.raises(BundleError, match=r"^c.json: "):
        BundleConfig.from_json(value, "c.json")
    with pytest.raises(BundleError, match=f"^c.json: model: expected an object, found {found}$"):
        BundleConfig.from_json(written(BUNDLE) | {"model": value}, "c.json")


OF_MODEL, OF_TEXT = MODEL.to_json() | {"vocab_size": 0}, TEXT.to_json() | {"max_tokens": 0}
LONG = 10**4000
WRONG = {
    "format_version": (
        [0, 2, -1, 1.0, True, "1", None, [], {}, LONG, math.nan],
        "is .*; try another version",
    ),
    "extra": ([1], "unknown key 'extra'; the keys are model, text, labels, neutral$"),
    "model": ([OF_MODEL], "vocab_size is 0; it has to be between"),
    "text": ([OF_TEXT], "max_tokens is 0; it has to be between"),
    "neutral": ([[0.3, 0.7]], "only two classes have a band"),
}
NAMES = [None, "abc", {"a": 1}, 3, [1, 2, 3], ["a", "b", None]]
COUNTS = [
    [],
    ["a"],
    ["a", "b", "c", "d"],
    ["a", "b", "a"],
    ["long" * 100_000],
    ["a", "b", ""],
    ["a", "b", "\ud800"],
]
BANDS = [True, 0.5, "0.3,0.7", {}, [0.3, None], [False, 1]]
BOUNDS = [[], [0.3], [0.3, 0.5, 0.7], [0.7, 0.3], [-0.1, 0.5], [0.5, 1.1], [math.nan, 0.5], [0.5, LONG]]


@pytest.mark.parametrize(
    ("config", "name", "value", "message"),
    [
        *((BUNDLE, name, value, text) for name, (values, text) in WRONG.items() for value in values),
        *((BUNDLE, "labels", value, "which is not a list of strings$") for value in NAMES),
        *((BUNDLE, "labels", value, ": 3 different names needed, not ") for value in COUNTS),
        *((PAIR, "neutral", value, "which is not a list of numbers$") for value in BANDS),
        *((PAIR, "neutral", value, "the lower one first$") for value in BOUNDS),
    ],
    ids=lambda value: f"{value!r:.30}",
)
def test_a_wrong_value_is_refused(config: BundleConfig, name: str, value: object, message: str) -> None:
    with pytest.raises(BundleError, match=f"^c.json: .*{name}.*{message}|^c.json: {message}") as caught:
        BundleConfig.from_json(written(config) | {name: value}, "c.json")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", BUNDLE.to_json())
def test_a_missing_key_is_named(name: str) -> None:
    values = written(BUNDLE)
    del values[name]
    with pytest.raises(BundleError, match=f"^c.json: .*{name}"):
        BundleConfig.from_json(values, "c.json")


@pytest.mark.parametrize("band", [[0, 1], [0.5, 0.5], [1, 1]])
def test_a_band_is_within_0_and_1(band: list[float]) -> None:
    assert BundleConfig.from_json(written(PAIR) | {"neutral": band}, "c.json").neutral == tuple(band)
