"""What a person reads of a score: the words that decided, and the sentences."""

import json

import pytest

from sentcli.explain.explanation import phrases
from sentcli.explain.parts import Word

TEXT = "It isn’t good, but the staff was lovely"
TEXTS = [
    TEXT,
    None,
    "",
    "N/A",
    "12 ...",
    "not bad at all",
    "Great phone.\nAwful zqxwy battery, never again! 12 ",
]


def words_of(text, **parts):
    """Words with the part that is given, or 0."""
    found, end = [], 0
    for spelled in text.split():
        start = text.index(spelled, end)
        end = start + len(spelled)
        word = Word(spelled, parts.get(spelled.strip(",."), 0.0), start, end, alone=1.0)
        found.append(word._replace(alone=0.2) if spelled == "was" else word)
    return found


@pytest.fixture(scope="module")
def explained(scorer):
    return scorer.explain(TEXTS)


def test_label_and_score_are_those_of_the_scorer(scorer, explained):
    assert [(each.label, each.score) for each in explained] == list(scorer.score(TEXTS))
    assert [each.text for each in explained] == [text or "" for text in TEXTS]


def test_phrases_have_the_spelling_of_the_text(explained):
    parts = {word.text: word.part for word in explained[0].phrases}
    assert parts["isn’t good"] < -1
    assert parts["lovely"] > 1
    assert explained[0].phrases[0].text == "lovely"
    assert explained[5].phrases[0].text == "not bad"


@pytest.mark.parametrize(
    "end", ["", ".", "!", ". We went in May.", ". It rained, or else.", ".\nNever again!"]
)
def test_a_clause_shows_the_same_whatever_follows(scorer, end):
    (explained,) = scorer.explain([TEXT + end])
    phrases = sorted((word.start, word.text) for word in explained.phrases)
    assert [text for start, text in phrases if start < len(TEXT)] == ["isn’t good", "lovely"]


def test_an_empty_text_has_no_explanation(explained):
    for each in explained[1:5]:
        assert (each.label, each.score, each.words, each.phrases, each.sentences) == (None, None, [], [], [])


def test_a_sentence_has_the_score_of_a_text_of_its_own(scorer, explained):
    for each in explained:
        alone = scorer.score([sentence.text for sentence in each.sentences])
        assert [(sentence.label, sentence.score) for sentence in each.sentences] == list(alone)
        assert all(each.text[sentence.start : sentence.end] == sentence.text for sentence in each.sentences)
    assert [sentence.label for sentence in explained[0].sentences] == ["negative", "positive"]
    assert [sentence.text for sentence in explained[-1].sentences] == [
        "Great phone.",
        "Awful zqxwy battery, never again!",
        "12",
    ]
    assert explained[-1].sentences[-1].label is None


def test_the_explanation_as_json(explained):
    found = json.loads(json.dumps(explained[0].to_json()))
    assert {**found, "words": found["words"][:2], "phrases": found["phrases"][:2]} == {
        "text": TEXT,
        "label": "positive",
        "score": 0.831503,
        "phrases": [
            ["lovely", explained[0].words[-1].part, 33, 39],
            ["isn’t good", explained[0].words[2].part, 3, 13],
        ],
        "words": [["It", explained[0].words[0].part, 0, 2], ["isn’t", explained[0].words[1].part, 3, 8]],
        "unknown": [],
        "sentences": [
            ["It isn’t good,", "negative", 0.048329, 0, 14],
            ["but the staff was lovely", "positive", 0.832315, 15, 39],
        ],
    }
    assert json.loads(json.dumps(explained[1].to_json()))["score"] is None


def test_explanations_do_not_depend_on_each_other(scorer, explained):
    assert [scorer.explain([text])[0] for text in TEXTS] == explained


@pytest.mark.parametrize("texts", ["one string", [1]])
def test_what_is_no_list_of_texts_is_refused(scorer, texts):
    with pytest.raises(TypeError):
        scorer.explain(texts)


@pytest.mark.parametrize(
    ("text", "parts", "expected"),
    [
        ("truly awful food", {"truly": -1.0, "awful": -3.0}, [("truly awful", -3.0)]),
        ("truly, awful food", {"truly": -1.0, "awful": -3.0}, [("awful", -3.0), ("truly", -1.0)]),
        ("not awful food", {"not": 1.0, "awful": -3.0}, [("not awful", -3.0)]),
        ("so the awful food", {"so": -1.0, "the": -0.5, "awful": -3.0}, [("awful", -3.0)]),
        ("but not else", {"but": 1.0, "not": 3.0, "else": -3.0}, []),
        ("didn't really like it", {"didn't": -3.0, "really": 4.0}, [("didn't really like", -3.0)]),
        (
            "bad. A superb, superb place",
            {"bad": -0.2, "superb": 9.0},
            [("superb", 9.0)] * 2 + [("bad.", -0.2)],
        ),
        ("the food", {"the": 0.05, "food": -0.09}, []),
        ("was awful", {"was": -2.0, "awful": -3.0}, [("awful", -3.0)]),
        ("", {}, []),
    ],
)
def test_neighbors_of_one_sign_are_a_phrase(text, parts, expected):
    words = [
        word._replace(text=word.text.strip(","), end=word.start + len(word.text.strip(",")))
        for word in words_of(text, **parts)
    ]
    assert [(word.text, word.part) for word in phrases(text, words)] == expected
