"""The data of a training: what is read, which texts are left out, and which words are known."""

from collections import Counter
from pathlib import Path

import pytest

from sentcli.config import DataSet, TextConfig, TrainConfig
from sentcli.datasets.labels import LabeledTexts
from sentcli.datasets.load import load_split
from sentcli.datasets.training_data import read_data_sets
from sentcli.errors import DataError
from sentcli.text.tokenizer import tokenize
from sentcli.training.corpus import DataSource, Texts, encode_texts, read_texts

LABELS = ("negative", "positive")
ROOT = Path(__file__).parents[2]


def make_texts(**parts):
    train = LabeledTexts(["a good film", "a bad film", " "], ["positive", "negative", "positive"])
    validation = LabeledTexts(["good. so good. bad!", "a bore"], ["positive", "negative"])
    return Texts(**{"train": train, "validation": validation, "labels": LABELS} | parts)


def encode(texts, max_tokens=40, **settings):
    config = TrainConfig(**{"min_freq": 1} | settings)
    return encode_texts(texts, TextConfig(max_tokens=max_tokens), config)


def rows(count, start=0, labels=("0", "1")):
    return [(f"text number {number}", labels[number % 2]) for number in range(start, start + count)]


def write(path, some, header="text,label"):
    path.write_text("".join(f"{','.join(row)}\n" for row in [(header,), *some]))
    return str(path)


def read(*data, share=0.25, **sources):
    """Read data sets: paths, or with further settings."""
    sets = tuple(each if isinstance(each, DataSet) else DataSet(each) for each in data)
    source = DataSource(sets, "none", **sources)
    return read_texts(source, *read_data_sets(sets), share)


def test_labels_become_certain_targets_and_blank_texts_are_left_out(caplog):
    caplog.set_level("INFO", "sentcli")
    corpus = encode(make_texts())
    assert corpus.train.targets.tolist() == [[0, 1], [1, 0]]
    assert corpus.validation.labels.tolist() == [1, 0]
    assert "empty texts left out: 1" in caplog.text


def test_the_texts_of_each_data_set_are_counted_without_empty_ones():
    assert encode(make_texts(counts=(1, 2))).texts.counts == (1, 1)
    assert encode(make_texts(counts=(0, 3))).texts.counts == (0, 2)
    assert encode(make_texts()).texts.counts == ()


def test_the_vocabulary_has_the_words_of_all_texts_to_train_on_and_no_others():
    corpus = encode(make_texts())
    assert {*corpus.vocab.words[2:]} == {"a", "good", "bad", "film"}  # not `bore`, nor `so`
    assert (corpus.counts["film"], corpus.counts["bad"]) == (2, 1)
    assert "bad" not in encode(make_texts(), min_freq=2).vocab


def test_frequent_words_of_the_vectors_fill_the_vocabulary():
    texts = make_texts()
    frequent = ["the", "film", "of", "zebra"]
    filled = encode_texts(texts, TextConfig(), TrainConfig(min_freq=1, fill_vocab=8), None, frequent).vocab
    assert filled.words[6:] == ("the", "of")  # after <pad>, <unk> and the four words of the texts
    full = encode_texts(texts, TextConfig(), TrainConfig(min_freq=1, fill_vocab=3), None, frequent).vocab
    assert full.words == filled.words[:6]


def test_texts_of_one_or_two_words_are_warned_of(caplog):
    encode(make_texts())
    assert not caplog.messages
    encode(make_texts(train=LabeledTexts(["good film", "bad", "bad"], ["positive", "negative", "negative"])))
    assert "most texts have one or two words" in caplog.text


def test_long_texts_are_cut_as_in_scoring():
    corpus = encode(make_texts(train=LabeledTexts(["a b c d e f g h", "x"], list(LABELS))), max_tokens=4)
    assert [corpus.vocab.words[index] for index in corpus.train.ids[0]] == ["a", "f", "g", "h"]


@pytest.mark.parametrize(
    ("parts", "min_freq", "message"),
    [
        ({"train": [" ", ""]}, 1, "no word occurs 1 times"),
        ({"train": ["x", " "]}, 1, "no text of the class 'positive' with a word"),
        ({"validation": [" ", ""]}, 1, "no text with a word is left to validate on"),
        ({}, 1000, r"no word occurs 1000 times .* lower min_freq"),
    ],
)
def test_texts_without_enough_words_are_an_error(parts, min_freq, message):
    texts = make_texts(**{name: LabeledTexts(part, list(LABELS)) for name, part in parts.items()})
    with pytest.raises(DataError, match=message):
        encode(texts, min_freq=min_freq)


@pytest.mark.parametrize("own", [True, False])
def test_texts_of_the_validation_part_are_in_no_other_part(tmp_path, caplog, own):
    caplog.set_level("INFO", "sentcli")
    data = write(tmp_path / "labeled.csv", rows(40))
    others = write(tmp_path / "others.csv", [(f"{text.upper()} ", label) for text, label in rows(44)])
    own = {"validation": write(tmp_path / "own.csv", rows(6, 37))} if own else {}
    texts = read(data, DataSet(others, validate=False), **own)
    held_out = {*texts.validation.texts}
    if own:
        assert held_out == {text for text, _ in rows(6, 37)}
        assert "labeled.csv: 3 texts are in the validation split too" in caplog.text
        assert texts.counts[0] == 37
    else:
        assert (len(held_out), texts.counts[0]) == (10, 30)
    assert not {text.lower().strip() for text in texts.train.texts} & held_out
    assert texts.counts[1] == 44 - len(held_out)
    assert len(texts.train) == sum(texts.counts)
    assert texts.validation == read(data, **own).validation


def test_a_small_validation_part_is_warned_of(tmp_path, caplog):
    repeated = [("the worst!", "0"), ("friendly staff!", "1")] * 40
    texts = read(write(tmp_path / "labeled.csv", repeated + rows(20)), share=0.2)
    assert len(texts.validation) < 10
    assert f"only {len(texts.validation)} texts are left to validate on" in caplog.text


def test_a_class_without_validation_texts_is_warned_of(tmp_path, caplog):
    own = write(tmp_path / "own.csv", [("a film", "1")])
    assert len(read(write(tmp_path / "labeled.csv", rows(40)), validation=own).validation) == 1
    assert "no validation text has the class '0'" in caplog.text


def test_numbers_for_classes_with_names_are_warned_of(tmp_path, caplog):
    labeled = write(tmp_path / "labeled.csv", rows(40, labels=("bad", "good")))
    numbers = write(tmp_path / "numbers.csv", rows(4, 40))
    for others, source in (((), {"validation": numbers}), ((numbers,), {})):
        caplog.clear()
        read(labeled, *others, **source)
        assert "numbers.csv: labels are numbers; 0 is taken for 'bad', 1 is taken for 'good'" in caplog.text


def test_a_text_has_the_target_of_its_label_times_the_weight_of_its_data_set(tmp_path):
    stars = write(
        tmp_path / "stars.csv", [(f"{text} {n}", f"{n}") for text, _ in rows(30) for n in range(1, 6)]
    )
    names = write(tmp_path / "names.csv", rows(40, labels=("bad", "good")))
    targets = {"1": 0, "2": 0.125, "3": 0.5, "4.0": 0.875, "5": 1}
    texts = read(DataSet(stars, weight=2, targets=targets), DataSet(names, weight=0.5, validate=False))
    assert texts.labels == ("bad", "good")
    found = {label: set() for label in ("bad", "neutral", "good")}
    for label, target in zip(texts.train.labels, texts.train.targets.tolist(), strict=True):
        found[label].add(tuple(target))
    assert found["bad"] == {(2, 0), (1.75, 0.25), (0.5, 0)}
    assert found["neutral"] == {(1, 1)}
    assert found["good"] == {(0, 2), (0.25, 1.75), (0, 0.5)}
    assert texts.validation.targets.sum(axis=1).tolist() == [1.0] * len(texts.validation)
    assert {*texts.validation.labels} == {"bad", "neutral", "good"}


def words_of(texts):
    """Return the words of texts without marks: two texts are the same if these are."""
    return [tuple(word for word in tokenize(text) if word.isalnum()) for text in texts]


def test_the_everyday_sentences_differ_from_each_other():
    data = load_split(str(ROOT / "data" / "everyday.csv"), "train", None, None)
    assert Counter(data.labels) == dict.fromkeys(LABELS, len(data) // 2)
    words = words_of(data.texts)
    assert all(words)
    assert len({*words}) == len(words)
