"""What a scorer adds on request depends on the text and the model alone."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import sentcli
from sentcli.errors import UsageError
from sentcli.explain.phrases import MOST_SHIFT
from sentcli.scoring.scorer import Scorer

DATA = Path(__file__).parents[1] / "data"
ABOUT = {
    "price": (
        "price",
        "cost",
        "fee",
        "expensive",
        "cheap",
        "charge",
        "value",
        "bill",
        "pay",
        "money",
        "overpriced",
        "affordable",
    ),
    "staff": (
        "staff",
        "service",
        "waiter",
        "waitress",
        "receptionist",
        "manager",
        "employee",
        "owner",
        "team",
        "crew",
        "nurse",
        "driver",
    ),
    "place": (
        "place",
        "location",
        "room",
        "atmosphere",
        "parking",
        "lobby",
        "building",
        "view",
        "area",
        "seat",
        "decor",
    ),
    "quality": (
        "quality",
        "food",
        "material",
        "fabric",
        "sound",
        "battery",
        "build",
        "meal",
        "coffee",
        "taste",
        "product",
    ),
}
UNSEEN = {
    name: words.split(",")
    for name, words in {
        "price": (
            "price,prices,priced,pricey,cost,costs,expensive,cheap,overpriced,bill,fee,fees,"
            "value,money,charge,charged,paid"
        ),
        "staff": (
            "staff,service,waiter,waitress,server,manager,reception,receptionist,team,"
            "employee,employees,owner,guy,lady,girl"
        ),
        "place": (
            "place,location,room,rooms,parking,building,atmosphere,decor,view,seating,toilet,"
            "toilets,bathroom,shop,store,lobby"
        ),
        "quality": (
            "quality,food,meal,taste,product,material,fabric,broke,broken,durable,coffee,"
            "pizza,burger,steak,finish"
        ),
    }.items()
}
ALL = {
    "explain": 3,
    "sentences": True,
    "about": ABOUT,
    "words": {"killer": 2.0, "not bad": -1.5},
    "unknown_words": True,
    "null_unknown": 0.5,
}
TEXT = "It isn’t good, but the staff was lovely"
TEXTS = [
    TEXT,
    None,
    "",
    "Killer price! Not bad at all.",
    "zqxwy 12",
    TEXT,
    "zqxwy qwxyz good",
    "Rooms and fees.",
]


def read_rows(name):
    """Read texts that judge two aspects each, half of them in two directions."""
    with (DATA / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def texts():
    return TEXTS + [row["text"] for row in read_rows("aspects.csv")]


@pytest.fixture(scope="module")
def scorer():
    with sentcli.load(**ALL) as scorer:
        yield scorer


@pytest.fixture(scope="module")
def plain():
    with sentcli.load() as scorer:
        yield scorer


@pytest.mark.parametrize(
    ("file", "about", "count", "share"),
    [
        ("aspects.csv", ABOUT, 120, 0.85),  # the clauses were chosen on these texts
        # Texts and words were written without a look at the rule; it had 193 of them right at first.
        ("aspects_unseen.csv", UNSEEN, 240, 0.80),
    ],
)
def test_what_is_said_of_aspects_is_right(plain, file, about, count, share):
    written = read_rows(file)
    with Scorer(plain.bundle, about=about) as scorer:
        more = scorer.score([row["text"] for row in written]).more
    right = 0
    for number, row in enumerate(written):
        named = [name for name in about if row[name]]
        found = {name: more[f"sentiment_{name}"][number] for name in named}
        right += all(
            score is not None and (score >= 0.5) == (row[name] == "positive") for name, score in found.items()
        )
    assert len(written) == count
    assert right >= share * count


def test_what_follows_with_belongs_to_a_word_that_judges(plain):
    texts = ["I was so unhappy with the staff.", "Delicious soup with rude staff."]
    with Scorer(plain.bundle, about={"staff": ["staff"]}) as scorer:
        more = scorer.score(texts).more
    assert more["sentiment_staff"] == plain.score([texts[0], "with rude staff."]).scores


def test_an_aspect_has_the_score_of_its_clauses_and_none_without_them(plain):
    about = {"price": ["price", "fee", "front desk"], "city": ["city"]}
    with Scorer(plain.bundle, about=about) as scorer:
        more = scorer.score(
            [
                "Fair PRICES, rude staff. We left early.",
                "The front desks were closed. The fee is a joke!",
                "Priceless. A feed.",
                "Great cities",
            ]
        ).more
    first, second = plain.score(["Fair PRICES,", "The front desks were closed. The fee is a joke!"]).scores
    assert more["sentiment_price"] == [pytest.approx(first, abs=1e-6), second, None, None]
    assert [score is None for score in more["sentiment_city"]] == [True, True, True, False]


def test_the_columns_are_what_an_explanation_says(scorer):
    scores = scorer.score(TEXTS)
    assert scores.labels == [
        *("positive", None, None, "positive", None, "positive", None),
        scores.labels[-1],
    ]
    (explanation,) = scorer.explain([TEXT])
    assert json.loads(scores.more["sentiment_words"][0]) == [
        [phrase.text, round(phrase.part, 3)] for phrase in explanation.phrases[:3]
    ]
    assert json.loads(scores.more["sentiment_sentences"][0]) == [
        [sentence.start, sentence.end, sentence.label, round(sentence.score, 6)]
        for sentence in explanation.sentences
    ]
    for values in scores.more.values():
        assert [value is None for value in values[1:3]] == [True, True]
        assert values[0] == values[5]
        assert values[6] is None


def test_columns_alone_are_those_of_all_together(scorer, plain, texts):
    together = scorer.score(texts)
    needed = {name: ALL[name] for name in ("words", "null_unknown")}
    options = [{"explain": 3}, {"sentences": True}, *({"about": {name: ABOUT[name]}} for name in ABOUT)]
    for option in options:
        with Scorer(plain.bundle, **needed, **option) as single:
            alone = single.score(texts)
        assert list(alone) == list(together)
        for column in single.extras.columns:
            assert column.values(alone) == column.values(together)


def test_columns_do_not_depend_on_batches_threads_and_the_order_of_texts(scorer, texts, monkeypatch):
    expected = scorer.score(texts)
    backwards = scorer.score(texts[::-1])
    for name, values in expected.more.items():
        assert backwards.more[name][::-1] == values
    single = [scorer.score([text]) for text in texts[:20]]
    monkeypatch.setattr("sentcli.explain.parts._GROUP", 60)
    monkeypatch.setattr("sentcli.scoring.inference.BATCH_TOKENS", 300)
    monkeypatch.setattr("sentcli.scoring.inference.BATCH_ROWS", 7)
    with Scorer(scorer.bundle, workers=1, **ALL) as other:
        assert other.score(texts).more == expected.more
    for number, scores in enumerate(single):
        assert {name: values[0] for name, values in scores.more.items()} == {
            name: values[number] for name, values in expected.more.items()
        }


def test_a_weight_moves_the_texts_with_its_phrase_and_no_other(plain, texts):
    with Scorer(plain.bundle, words={"staff": 1.0, "Killer": 100.0}) as scorer:
        moved, before = scorer.probabilities(texts), plain.probabilities(texts)
        labels = scorer.score(texts).labels
    for text, now, then, label in zip(texts, moved, before, labels, strict=True):
        if label is None:
            continue
        words = text.lower().replace(",", " ").replace(".", " ").split()
        expected = words.count("staff") + 100 * words.count("killer")
        change = np.log(now[1] / now[0]) - np.log(then[1] / then[0])
        assert change == pytest.approx(min(expected, MOST_SHIFT), abs=1e-6), text
        assert expected or (now == then).all()


@pytest.mark.parametrize("exact", [True, False])
def test_the_weight_is_a_part_of_the_words_where_it_stands(plain, exact):
    text = "The desk was a killer deal, the desk"
    words = {"a killer": 2.0, "desk": -0.75}
    with Scorer(plain.bundle, words=words, explain=9) as scorer:
        before = {word.start: word for word in next(plain.parts.words([text]))}
        for word in next(scorer.parts.words([text], exact=exact)):
            moved = {"a": 2.0, "killer": 2.0, "desk": -0.75}.get(word.text, 0.0)
            assert word.part == pytest.approx(before[word.start].part + moved, abs=2e-6)
        (explanation,) = scorer.explain([text])
        assert [word[:4] for word in explanation.own_words] == [
            ("desk", -0.75, 4, 8),
            ("a killer", 2.0, 13, 21),
            ("desk", -0.75, 32, 36),
        ]
        assert len(explanation.to_json()["own_words"]) == 3
        assert "own_words" not in plain.explain([text])[0].to_json()
        assert explanation.score == scorer.score([text]).scores[0]


def test_clear_sentences_of_both_kinds_make_a_text_mixed(plain, texts):
    both = "The food was absolutely delicious! The staff was terrible and rude."
    with Scorer(plain.bundle, neutral=True, mixed=True, sentences=True) as scorer:
        assert scorer.given_labels == ["negative", "neutral", "mixed", "positive"]
        scores = scorer.score([both, "Delicious! Lovely.", *texts])
        with Scorer(plain.bundle, neutral=True) as usual:
            before = usual.score([both, "Delicious! Lovely.", *texts])
    assert scores.labels[:2] == ["mixed", "positive"]
    assert scores.scores == before.scores
    assert {now for now, then in zip(scores.labels, before.labels, strict=True) if now != then} == {"mixed"}
    assert scores.counts.labels["mixed"] == scores.labels.count("mixed") > 5
    assert scores.counts.labels.total() == before.counts.labels.total()
    found = [json.loads(sentences or "[]") for sentences in scores.more["sentiment_sentences"]]
    assert "mixed" not in {label for sentences in found for _, _, label, _ in sentences}


def test_lists_are_structs_in_arrow(scorer):
    table = scorer.score_arrow(pa.table({"text": TEXTS}), prefix="my_")
    scores = scorer.score(TEXTS)
    words, sentences = table["my_sentiment_words"].to_pylist(), table["my_sentiment_sentences"].to_pylist()
    for found, expected in ((words, "sentiment_words"), (sentences, "sentiment_sentences")):
        lists = [None if of is None else [[*item.values()] for item in of] for of in found]
        assert lists == [None if text is None else json.loads(text) for text in scores.more[expected]]
    assert list(words[0][0]) == ["phrase", "part"]
    assert list(sentences[0][0]) == ["start", "end", "label", "score"]


def test_all_options_are_in_the_fingerprint(scorer, plain):
    assert plain.fingerprint.items() >= {"explain": 0, "sentences": False, "words": None, "about": []}.items()
    names = [name for name, _ in scorer.fingerprint["about"]]
    with Scorer(
        scorer.bundle, **{**ALL, "about": dict(reversed(ABOUT.items())), "words": {"killer": 1}}
    ) as other:
        changed = {name for name, value in other.fingerprint.items() if value != scorer.fingerprint[name]}
        assert [name for name, _ in other.fingerprint["about"]] == names[::-1]
    assert changed == {"about", "words"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mixed": True}, "mixed=True needs neutral=True"),
        ({"null_unknown": -0.1}, "share from 0 to 1"),
        ({"min_score": 1.1}, r"min_score=1\.1: it has to be a share from 0 to 1"),
        ({"min_score": 0.5, "neutral": (0.3, 0.7)}, "min_score and neutral contradict each other"),
        ({"about": {"x": [" "]}}, "has no word"),
        ({"words": {"": 1}}, "has no word"),
        ({"about": {"Price": ["a"], "price": ["b"]}}, "column sentiment_price already"),
        ({"about": {"score": ["a"]}}, "column sentiment_score already"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_any_text(plain, options, message):
    with pytest.raises(UsageError, match=message):
        Scorer(plain.bundle, **options)


def test_aspects_and_weights_need_two_labels(trained_three):
    for options in ({"about": {"x": ["y"]}}, {"words": {"x": 1}}):
        with pytest.raises(UsageError, match="needs a model of two labels, not negative, neutral"):
            Scorer(trained_three, **options)
    with Scorer(trained_three, explain=2, sentences=True) as scorer:
        text = "warm wonderful film. dull"
        scores = scorer.score([text, None])
        (explanation,) = scorer.explain([text])
    assert json.loads(scores.more["sentiment_words"][0]) == [
        [phrase.text, round(phrase.part, 3)] for phrase in explanation.phrases[:2]
    ]
    assert scores.more["sentiment_words"][1] is None
