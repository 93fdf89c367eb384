"""The part of a word is what the log odds lose without it."""

import numpy as np
import pytest

import sentcli
from sentcli.explain.parts import Parts
from sentcli.scoring.scorer import Scorer
from sentcli.text.tokenizer import Vocab

LONG = (
    "The lobby was lovely. "
    + "We walked from the old town to the harbor. " * 80
    + "Never again, awful service!"
)


def log_odds(scorer, text):
    (probabilities,) = scorer.probabilities([text])
    return np.log(probabilities[1]) - np.log(probabilities[0])


def spelled(words):
    return [word.text for word in words]


@pytest.fixture
def texts(marked_reviews):
    return marked_reviews[:: len(marked_reviews) // 40]


def test_the_part_of_a_word_is_the_score_without_it(scorer, texts):
    for text, words in zip([*texts, LONG], scorer.parts.words([*texts, LONG]), strict=True):
        whole = log_odds(scorer, text)
        for word in [*words[:3], *words[-3:]]:
            assert text[word.start : word.end] == word.text
            other = log_odds(scorer, f"{text[: word.start]} {text[word.end :]}")
            assert word.part == pytest.approx(whole - other, abs=1e-5)


def test_all_words_have_a_part_and_marks_have_none(scorer):
    (words,) = scorer.parts.words(["“Sooo good”, isn’t it?! 10/10 :) <br />"])
    assert spelled(words) == ["Sooo", "good", "isn’t", "it", "10/10", ":)"]


def test_the_last_word_is_compared_with_an_unknown_word(scorer):
    (joy,), (unknown,) = scorer.parts.words(["joy", "zqxwy"])
    assert joy.part > 2
    assert joy.is_known
    assert unknown == ("zqxwy", 0, 0, 5, False, 0, 0)


def test_of_a_long_text_the_words_are_those_that_the_model_reads(scorer):
    text = "good " * 5000 + "<b> </b> bad " * 5000
    (words,) = scorer.parts.words([text])
    assert len(words) == 4 * scorer.bundle.config.text.max_tokens
    assert (words[0].text, words[-1].text) == ("good", "bad")
    assert words[-1].part < 0 == words[1000].part


def test_blank_texts_have_no_words(scorer):
    assert list(scorer.parts.words([])) == []
    assert list(scorer.parts.words(["", "a joy", " <br /> !!"]))[::2] == [[], []]


def test_in_bulk_the_quarter_that_says_most_has_the_same_parts(scorer, texts):
    exact, bulk = (list(scorer.parts.words([*texts, LONG], exact=exact)) for exact in (True, False))
    for words, some in zip(exact, bulk, strict=True):
        assert len(some) == min(len(words), max(4, -(-len(words) // 4)))
        assert [word for word in words if word in some] == some
    assert {"lovely", "Never", "awful"} <= {*spelled(bulk[-1])}


@pytest.mark.parametrize("exact", [True, False])
def test_parts_are_the_same_in_any_batch_and_thread(scorer, texts, exact, monkeypatch):
    expected = list(scorer.parts.words(texts, exact=exact))
    single = [words for text in texts[::-1] for words in scorer.parts.words([text], exact=exact)]
    assert single[::-1] == expected
    monkeypatch.setattr("sentcli.scoring.inference.BATCH_TOKENS", 2000)
    monkeypatch.setattr("sentcli.scoring.inference.BATCH_ROWS", 7)
    with Scorer(scorer.bundle, workers=1) as other:
        assert list(other.parts.words(texts, exact=exact)) == expected


def test_with_more_than_two_labels_parts_speak_for_the_predicted_one():
    vocab = Vocab(["<pad>", "<unk>", "bad", "so", "good", "so so"])
    logits = {2: (3.0, 0.0, 0.0), 3: (0.0, 0.5, 0.0), 4: (0.0, 0.0, 2.0), 5: (0.0, 4.0, 0.0)}

    def sums(sequences):
        return np.array(
            [np.sum([logits.get(id_, (0, 0, 0)) for id_ in ids], axis=0) for ids in sequences], np.float32
        )

    bad, good, middling = Parts(vocab, 9, lambda sequences: lambda: sums(sequences)).words(
        ["Bad, good", "good!", "so so bad"]
    )
    assert [word.part > 0 for word in bad] == [True, False]
    assert good[0].part == pytest.approx(2 - np.log(2) + np.log(2), abs=1e-5)
    assert [word.part > 0 for word in middling] == [True, True, False]  # without one `so`, no bigram


def test_a_closed_scorer_has_no_parts():
    with sentcli.load() as scorer:
        parts = scorer.parts
    with pytest.raises(RuntimeError):
        list(parts.words(["a joy"]))
