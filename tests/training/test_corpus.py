"""The corpus: what is read, what is left out, and which words are known."""

import numpy as np
import pytest

from sentcli.config import TextConfig, TrainConfig
from sentcli.errors import DataError
from sentcli.evaluation.holdout import digest_texts
from sentcli.evaluation.labels import LabeledTexts
from sentcli.evaluation.leakage import sample
from sentcli.training.corpus import DataSource, Texts, encode_texts, read_labeled, read_texts
from sentcli.training.self_training.pseudo_labels import PseudoLabels

LABELS = ("negative", "positive")


def make_texts(**parts: object) -> Texts:
    train = LabeledTexts(["a good film", "a bad film", " "], ["positive", "negative", "positive"])
    validation = LabeledTexts(["good. so good. bad!", "a bore"], ["positive", "negative"])
    settled = {
        "train": train,
        "validation": validation,
        "unlabeled": [],
        "labels": LABELS,
        "read": sample([]),
    }
    return Texts(**settled | parts)


def encode(texts: Texts, pseudo: PseudoLabels | None = None, max_tokens: int = 40, **settings: int):
    config = TrainConfig(**{"min_freq": 1} | settings)
    return encode_texts(texts, pseudo, TextConfig(max_tokens=max_tokens), config, 1)


def test_labels_become_certain_targets_and_blank_texts_are_left_out(caplog):
    caplog.set_level("INFO", "sentcli")
    corpus = encode(make_texts())
    assert corpus.train.targets.tolist() == [[0, 1], [1, 0]]
    assert corpus.validation.labels.tolist() == [1, 0]
    assert len(corpus.unlabeled) == len(corpus.pseudo) == 0
    assert "1 text without a word left out" in caplog.text


def test_passages_are_of_the_validation_part_with_its_labels():
    corpus = encode(make_texts(), max_tokens=40)
    assert len(corpus.passages) == 2
    assert corpus.passages.labels.tolist() == [1, 0]
    assert corpus.passages.lengths[0] < corpus.validation.lengths[0]


def test_words_of_the_training_part_and_of_unlabelled_texts_are_known_but_no_others():
    corpus = encode(make_texts(unlabeled=["a zebra film", "zebra"]))
    assert set(corpus.vocab.words[2:]) == {"a", "good", "bad", "film", "zebra"}  # not `bore`, nor `so`
    assert (corpus.counts["zebra"], corpus.counts["a"]) == (2, 3)
    assert "zebra" not in encode(make_texts(unlabeled=["zebra"]), min_freq=2).vocab
    assert len(corpus.unlabeled) == 2


def test_sentences_are_learnt_besides_with_their_words():
    sentences = LabeledTexts(["a lion", "bad zebra", " "], ["positive", "negative", "negative"])
    corpus = encode(make_texts(sentences=sentences))
    assert corpus.sentences.targets.tolist() == [[0, 1], [1, 0]]
    assert corpus.train.targets.tolist() == [[0, 1], [1, 0]]  # none of them is among these
    assert {"lion", "zebra"} <= set(corpus.vocab.words)
    assert (corpus.counts["bad"], corpus.counts["lion"]) == (2, 1)
    assert len(encode(make_texts()).sentences) == 0


def test_phrases_are_counted_in_all_texts_to_train_on():
    corpus = encode(make_texts(unlabeled=["bad film", "good film"]), bigrams=2)
    assert corpus.vocab.words[-2:] == ("bad film", "good film")
    assert [corpus.vocab.words[number] for number in corpus.train.ids[0]] == ["a", "good film"]
    assert corpus.counts["film"] == 4


def test_pseudo_labels_bring_texts_targets_and_the_words_of_whole_texts():
    targets = np.array([[0.25, 0.75], [0.5, 0.5], [1, 0]], np.float32)
    pseudo = PseudoLabels(["zebra film", "", "lion film"], np.array([False, False, True]), targets, LABELS)
    corpus = encode(make_texts(), pseudo)
    assert corpus.pseudo.targets.tolist() == [[0.25, 0.75], [1, 0]]
    assert "zebra" in corpus.vocab
    assert "lion" not in corpus.vocab  # a passage repeats what a whole text says


def test_what_a_teacher_labelled_and_is_held_out_now_is_left_out(caplog):
    caplog.set_level("INFO", "sentcli")
    targets = np.array([[0.2, 0.8], [0.9, 0.1]], np.float32)
    pseudo = PseudoLabels(["a zebra", "a bore"], np.array([False, False]), targets, LABELS)
    assert len(encode(make_texts(), pseudo).pseudo) == 1
    assert "1 texts with pseudo-labels are held out" in caplog.text


def test_long_texts_are_cut_as_in_scoring():
    corpus = encode(make_texts(train=LabeledTexts(["a b c d e f g h", "x"], list(LABELS))), max_tokens=4)
    words = [corpus.vocab.words[index] for index in corpus.train.ids[0]]
    assert words == ["a", "f", "g", "h"]


@pytest.mark.parametrize("part", ["train", "validation"])
def test_a_part_without_a_word_is_an_error(part):
    with pytest.raises(DataError, match=r"no text .*with a word in it is left to"):
        encode(make_texts(**{part: LabeledTexts([" ", ""], list(LABELS))}))


def test_a_class_without_a_word_to_learn_from_is_an_error():
    with pytest.raises(DataError, match=f"no text of the class '{LABELS[1]}' with a word"):
        encode(make_texts(train=LabeledTexts(["x", " "], list(LABELS))))


def test_a_vocabulary_without_a_word_is_an_error():
    with pytest.raises(DataError, match=r"no word is seen 1000 times .* lower --min-freq"):
        encode(make_texts(), min_freq=1000)


def test_unlabelled_texts_of_the_validation_part_are_left_out(tmp_path):
    rows = [(f"text number {number}", number % 2) for number in range(40)]
    labelled = tmp_path / "labelled.csv"
    labelled.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    heap = tmp_path / "heap.csv"
    heap.write_text("text\n" + "".join(f"{text.upper()} \n" for text, _ in rows) + "another\n")
    source = DataSource(str(labelled), None, None, "none", str(heap))
    texts = read_texts(source, read_labeled(source), 0.25)
    assert len(texts.validation) == 10
    assert len(texts.unlabeled) == 31
    assert not {text.lower().strip() for text in texts.unlabeled} & set(texts.validation.texts)


def test_a_small_validation_part_is_told_of(tmp_path, caplog):
    rows = [("the worst!", 0), ("friendly staff!", 1)] * 40 + [(f"text number {n}", n % 2) for n in range(20)]
    labelled = tmp_path / "labelled.csv"
    labelled.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    source = DataSource(str(labelled), None, None, "none")
    texts = read_texts(source, read_labeled(source), 0.2)
    assert len(texts.validation) < 10
    assert f"no more than {len(texts.validation)} texts can be held out" in caplog.text


def test_sentences_of_the_validation_part_are_left_out(tmp_path):
    rows = [(f"text number {number}", number % 2) for number in range(40)]
    labelled, more = tmp_path / "labelled.csv", tmp_path / "more.csv"
    content = "words,label\n" + "".join(f"{text},{label}\n" for text, label in rows)
    labelled.write_text(content)
    more.write_text(f"{content}another,1\n")
    source = DataSource(str(labelled), "words", None, "none", sentences=str(more))
    texts = read_texts(source, read_labeled(source), 0.25)
    assert (len(texts.validation), len(texts.sentences)) == (10, 31)
    assert not set(texts.sentences.texts) & set(texts.validation.texts)
    assert texts.sentences.labels[-1] == "1"
    assert texts.read.tolist() == sample([*(text for text, _ in rows), "another"]).tolist()


def test_texts_without_labels_may_have_a_column_of_their_own(tmp_path):
    labelled, heap = tmp_path / "labelled.csv", tmp_path / "heap.jsonl"
    labelled.write_text("words,label\n" + "".join(f"text {number},{number % 2}\n" for number in range(40)))
    heap.write_text('{"words": "w", "remark": "r", "title": "t"}\n')

    def unlabeled(column):
        source = DataSource(str(labelled), "words", None, "none", str(heap), unlabeled_text_column=column)
        return read_texts(source, read_labeled(source), 0.25).unlabeled

    assert unlabeled(None) == ["w"]
    assert unlabeled("remark") == ["r"]
    for column in ("rating", ""):
        with pytest.raises(DataError, match=rf"no column '{column}'.*is --unlabeled-text-column right"):
            unlabeled(column)


def test_the_validation_part_is_the_same_for_every_model(tmp_path):
    file = tmp_path / "labelled.csv"
    file.write_text("text,label\n" + "".join(f"text {number},{number % 2}\n" for number in range(40)))
    source = DataSource(str(file), None, None, "none")
    data = read_labeled(source)
    first, second = (digest_texts(read_texts(source, data, 0.25).validation.texts) for _ in range(2))
    assert first == second


def numbered(count, start=0):
    return [(f"text number {number}", number % 2) for number in range(start, start + count)]


def test_texts_to_validate_on_may_be_a_file(tmp_path, caplog):
    """What the training split has of them is not learnt, nor what is like them in other places."""
    caplog.set_level("INFO", "sentcli")
    labelled, held_out = tmp_path / "labelled.csv", tmp_path / "held-out.csv"
    others = tmp_path / "others.csv"
    for file, rows in ((labelled, numbered(40)), (held_out, numbered(6, 37)), (others, numbered(4, 40))):
        file.write_text("text,label\n" + "".join(f"{text.upper()},{label}\n" for text, label in rows))
    source = DataSource(
        str(labelled), None, None, "none", str(others), sentences=str(others), validation=str(held_out)
    )
    texts = read_texts(source, read_labeled(source), 0.25)
    assert texts.validation.texts == [text.upper() for text, _ in numbered(6, 37)]
    assert texts.validation.labels == ["1", "0"] * 3
    assert (len(texts.train), len(texts.unlabeled), len(texts.sentences)) == (37, 1, 1)
    assert "labelled.csv: 3 texts occur in the validation part too and were removed" in caplog.text
    assert "labelled.csv: 37 texts to train on, 6 to validate; 2 classes" in caplog.text
    every = [text.upper() for text, _ in numbered(44)]
    assert texts.read.tolist() == sample(every).tolist()


def test_a_class_that_is_not_validated_on_is_told_of(tmp_path, caplog):
    labelled, held_out = tmp_path / "labelled.csv", tmp_path / "held-out.csv"
    labelled.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in numbered(40)))
    held_out.write_text("text,label\na film,1\n")
    source = DataSource(str(labelled), None, None, "none", validation=str(held_out))
    texts = read_texts(source, read_labeled(source), 0.25)
    assert len(texts.validation) == 1
    assert texts.read.tolist() == sample([*(text for text, _ in numbered(40)), "a film"]).tolist()
    assert "held-out.csv: no text of the class '0'; its figures" in caplog.text


def test_a_file_to_validate_on_that_is_not_there_is_told_so_of_a_folder_too(tmp_path):
    (tmp_path / "train.csv").write_text("text,label\na,0\nb,1\n")
    for name, message in (("typo.csv", "typo.csv: no such file, nor"), ("typo", "no split 'typo'")):
        source = DataSource(str(tmp_path), None, None, "none", validation=name)
        with pytest.raises(DataError, match=message):
            read_texts(source, read_labeled(source), 0.25)


def test_numbers_for_classes_with_names_are_told_of(tmp_path, caplog):
    labelled, numbers = tmp_path / "labelled.csv", tmp_path / "numbers.csv"
    for file, names in ((labelled, ["bad", "good"]), (numbers, ["0", "1"])):
        rows = numbered(40) if file == labelled else numbered(4, 40)
        file.write_text("text,label\n" + "".join(f"{text},{names[label]}\n" for text, label in rows))
    for other in ("validation", "sentences"):
        caplog.clear()
        source = DataSource(str(labelled), None, None, "none", **{other: str(numbers)})
        read_texts(source, read_labeled(source), 0.25)
        assert "numbers.csv: labels are numbers; 0 is taken for 'bad', 1 is taken for 'good'" in caplog.text


def test_texts_to_validate_on_may_be_a_split(tmp_path):
    for name, rows in (("train", numbered(40)), ("dev", numbered(4, 40))):
        content = "".join(f"{text},{['bad', 'good'][label]}\n" for text, label in rows)
        (tmp_path / f"{name}.csv").write_text(f"text,label\n{content}")
    source = DataSource(str(tmp_path), None, None, "none", validation="validation")
    texts = read_texts(source, read_labeled(source), 0.25)  # `dev` is another name of that split
    assert (len(texts.train), len(texts.validation)) == (40, 4)
    assert set(texts.validation.labels) == {"bad", "good"}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a film", 7)], r"other\.csv: unknown label '7' in row 1; the model knows 0, 1"),
        (numbered(40), r"no text of the class '0' is left to train on"),
        (None, r"other\.csv: no such file, and .*labelled\.csv has no splits"),
    ],
)
def test_texts_to_validate_on_that_will_not_do(tmp_path, rows, message):
    labelled, other = tmp_path / "labelled.csv", tmp_path / "other.csv"
    files = {labelled: numbered(40)} | ({other: rows} if rows else {})
    for file, content in files.items():
        file.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in content))
    source = DataSource(str(labelled), None, None, "none", validation=str(other))
    with pytest.raises(DataError, match=message):
        read_texts(source, read_labeled(source), 0.25)
