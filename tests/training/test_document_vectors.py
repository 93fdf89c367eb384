import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from sentcli.text.tokenizer import tokenize
from sentcli.training.self_training import document_vectors as module
from sentcli.training.self_training.document_vectors import document_vectors
from sentcli.training.self_training.teacher import classify_vectors
from tests.invented import TWO, reviews

TEXTS = st.lists(st.lists(st.sampled_from("abc"), max_size=5), max_size=8)


def two_topics(count: int) -> list[list[str]]:
    """Texts of six words each, every other one of other words."""
    random = np.random.default_rng(5)
    return [[f"{'xy'[row % 2]}{word}" for word in random.integers(0, 12, 6)] for row in range(count)]


def learn(tokens: list[list[str]], **options: int) -> npt.NDArray[np.float32]:
    return document_vectors(tokens, quiet=True, **{"min_count": 1, "size": 8, "epochs": 4} | options)


def test_texts_with_the_same_words_lie_together() -> None:
    vectors = learn(two_topics(60))
    cosines = vectors @ vectors.T
    alike = np.arange(60)[:, None] % 2 == np.arange(60) % 2
    assert cosines[alike].mean() > cosines[~alike].mean() + 0.4


def test_passes_make_a_text_foretell_its_ngrams_better(monkeypatch: pytest.MonkeyPatch) -> None:
    # The cosine of a text with its own n-grams against that with all others.
    found: list[float] = []
    errors = module._errors

    def watched(texts, ngrams, present):
        cosines = texts @ ngrams.T
        found.append(float(cosines[present].mean() - cosines.mean()))
        return errors(texts, ngrams, present)

    monkeypatch.setattr(module, "_errors", watched)
    learn([tokenize(text) for text, _ in reviews(64, 3)], epochs=30, size=16)
    assert found[-1] > found[0] + 0.05


def test_a_classifier_on_them_knows_texts_it_has_not_seen() -> None:
    made = reviews(400, 7)
    labels = np.array([TWO.index(label) for _, label in made])
    vectors = learn([tokenize(text) for text, _ in made], size=32, epochs=10)
    probabilities = classify_vectors(vectors, labels[:200], 2)
    assert probabilities.shape == (200, 2)
    assert probabilities.sum(1) == pytest.approx(1)
    assert (probabilities.argmax(1) == labels[200:]).mean() > 0.9


def test_a_class_that_no_label_has_is_impossible() -> None:
    vectors = learn(two_topics(120))
    probabilities = classify_vectors(vectors, np.array([0, 2] * 50), 3)
    assert probabilities[:, 1].tolist() == [0.0] * 20
    assert (probabilities.argmax(1) == [0, 2] * 10).mean() > 0.9


def test_the_seed_decides() -> None:
    tokens = two_topics(40)
    assert learn(tokens).tobytes() == learn(tokens).tobytes()
    assert not np.allclose(learn(tokens), learn(tokens, seed=2))


def test_a_text_without_ngrams_has_a_vector_among_others_only() -> None:
    assert np.linalg.norm(learn([["a", "b"], ["b", "c"], ["c", "d"], []]), axis=1) == pytest.approx(1)
    assert not learn([["a"], ["a"], ["a"]]).any()


def test_the_most_frequent_ngrams_stay() -> None:
    presence = csr_array(np.array([[1, 1, 0, 1], [1, 0, 0, 1], [0, 0, 1, 1]], float))
    kept = module._most_frequent(presence, 2)
    assert kept.toarray().tolist() == [[1, 1], [1, 1], [0, 1]]
    assert module._most_frequent(presence, 4) is presence


@given(TEXTS)
@settings(max_examples=50, deadline=None)
def test_any_texts_get_vectors(tokens: list[list[str]]) -> None:
    vectors = learn(tokens, epochs=2)
    assert len(vectors) == len(tokens)
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths == pytest.approx(np.round(lengths), abs=1e-5)
    assert set(np.round(lengths)) <= {0.0, 1.0}
