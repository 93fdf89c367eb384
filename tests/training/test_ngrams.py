import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentcli.text.tokenizer import tokenize
from sentcli.training.self_training import ngram_index
from sentcli.training.self_training.ngram_index import NgramIndex, TokenizedTexts
from sentcli.training.self_training.ngrams import NgramModel
from tests.invented import THREE, TWO, reviews

# Each word is as frequent in one class as in the other; the pairs tell them apart.
PAIRS = [
    (["not", "good", "but", "really", "bad"], 0),
    (["really", "bad", "and", "not", "good"], 0),
    (["not", "bad", "but", "really", "good"], 1),
    (["really", "good", "and", "not", "bad"], 1),
]
WORDS = st.sampled_from(["a", "b", "c", "<pad>", "<unk>", "."])
TEXTS = st.lists(st.lists(WORDS, max_size=6), min_size=1, max_size=8)


def one_hot(classes: list[int], count: int = 2) -> npt.NDArray[np.float64]:
    return np.eye(count)[classes]


def invented(count: int, seed: int, labels: tuple[str, ...]) -> tuple[list[list[str]], list[int]]:
    made = reviews(count, seed, labels)
    return [tokenize(text) for text, _ in made], [labels.index(label) for _, label in made]


def test_learns_pairs_that_words_alone_cannot_tell_apart() -> None:
    tokens, classes = [text for text, _ in PAIRS], [label for _, label in PAIRS]
    targets = one_hot(classes * 5)

    pairs = NgramModel(longest=2, min_count=1).fit(tokens * 5, targets).probabilities(tokens)
    words = NgramModel(longest=1, min_count=1).fit(tokens * 5, targets).probabilities(tokens)

    assert pairs.argmax(1).tolist() == classes
    assert pairs.max(1).min() > 0.9
    assert words == pytest.approx(0.5, abs=1e-6)


def test_learns_triples_that_pairs_cannot_tell_apart() -> None:
    tokens = [list("-abc-dbe-"), list("-abe-dbc-")] * 5
    targets = one_hot([0, 1] * 5)

    triples = NgramModel(longest=3).fit(tokens, targets).probabilities(tokens)
    pairs = NgramModel(longest=2).fit(tokens, targets).probabilities(tokens)

    assert triples.argmax(1).tolist() == [0, 1] * 5
    assert triples.max(1).min() > 0.9
    assert pairs == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("labels", [TWO, THREE], ids=["two classes", "three classes"])
def test_texts_it_has_not_seen(labels: tuple[str, ...]) -> None:
    tokens, classes = invented(300, 1, labels)
    others, expected = invented(300, 2, labels)

    probabilities = NgramModel().fit(tokens, one_hot(classes, len(labels))).probabilities(others)

    assert probabilities.shape == (300, len(labels))
    assert probabilities.sum(1) == pytest.approx(1)
    assert (probabilities.argmax(1) == expected).mean() > 0.97


def test_soft_targets_are_the_probabilities_it_gives() -> None:
    words = [["dull"], ["fine"], ["warm"]]
    targets = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]])

    model = NgramModel(penalty=1e-6).fit(words * 100, np.tile(targets, (100, 1)))

    assert model.probabilities(words) == pytest.approx(targets, abs=0.01)


def test_a_soft_target_is_as_good_as_the_same_share_of_hard_ones() -> None:
    tokens = [["dull", "film"], ["warm", "film"]]
    hard = one_hot([0, 0, 0, 1, 1, 1, 1, 0])
    soft = np.array([[0.75, 0.25]] * 4 + [[0.25, 0.75]] * 4)
    texts = [tokens[0]] * 4 + [tokens[1]] * 4

    from_hard, from_soft = (
        NgramModel().fit(texts, targets).probabilities(tokens) for targets in (hard, soft)
    )

    assert from_soft == pytest.approx(from_hard, abs=1e-9)


def test_an_unknown_word_says_nothing() -> None:
    tokens, classes = invented(100, 1, TWO)
    model = NgramModel().fit(tokens, one_hot(classes))

    known, unknown = model.probabilities([["wonderful"], ["wonderful", "quux"]])

    assert known[1] > 0.8
    assert unknown == pytest.approx(known)


def test_without_a_known_word_the_classes_are_as_frequent_as_in_training() -> None:
    targets = one_hot([0] * 3 + [1])

    probabilities = (
        NgramModel().fit([["a"], ["b"], [], ["c"]], targets).probabilities([[], ["a"], ["d", "e"]])
    )

    assert probabilities == pytest.approx(np.array([[0.75, 0.25]] * 3), abs=1e-3)


def test_no_texts_give_no_probabilities() -> None:
    model = NgramModel().fit([["a"], ["b"]], one_hot([0, 1]))

    assert model.probabilities([]).shape == (0, 2)


def test_pairs_do_not_cross_from_one_text_to_the_next() -> None:
    tokens = [["x", "a"], ["b", "x"]] * 5
    model = NgramModel(longest=2).fit(tokens, one_hot([0, 1] * 5))

    assert model.probabilities([["a", "b"]]) == pytest.approx(0.5, abs=1e-6)


def test_the_same_texts_give_the_same_model() -> None:
    tokens, classes = invented(200, 1, THREE)
    targets = one_hot(classes, 3)

    first, second = (NgramModel().fit(tokens, targets).probabilities(tokens) for _ in range(2))

    assert first.tobytes() == second.tobytes()


def test_a_text_has_its_probabilities_whatever_stands_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens, classes = invented(50, 1, TWO)
    model = NgramModel().fit(tokens, one_hot(classes))
    together = model.probabilities(tokens)

    monkeypatch.setattr(ngram_index, "_BLOCK", 7)

    assert model.probabilities(tokens).tobytes() == together.tobytes()
    assert NgramModel().fit(tokens, one_hot(classes)).probabilities(tokens).tobytes() == together.tobytes()


@given(TEXTS, st.integers(1, 4), st.integers(1, 3))
def test_presence_is_what_counting_by_hand_finds(
    tokens: list[list[str]], longest: int, min_count: int
) -> None:
    grams = [
        [tuple(text[i : i + n]) for n in range(1, longest + 1) for i in range(len(text) - n + 1)]
        for text in tokens
    ]
    flat = [gram for text in grams for gram in text if not {"<pad>", "<unk>"} & set(gram)]
    kept = sorted({gram for gram in flat if flat.count(gram) >= min_count})

    found = NgramIndex(tokens, longest, min_count).presence(tokens).toarray()

    by_hand = [tuple(int(gram in text) for text in grams) for gram in kept]
    assert sorted(column for column in map(tuple, found.T.tolist()) if any(column)) == sorted(by_hand)


def test_texts_that_are_tokenised_anew_give_the_same_numbers() -> None:
    texts = [text for text, _ in reviews(30, 3, TWO)]
    anew, kept = TokenizedTexts(texts), [tokenize(text) for text in texts]
    assert [*anew] == kept
    assert (len(anew), anew[2], anew[-3:]) == (30, kept[2], kept[-3:])
    index, same = (NgramIndex(tokens, 3, 2) for tokens in (anew, kept))
    assert (index.presence(anew) != same.presence(kept)).nnz == 0
    assert len(index) > 100
