"""Data frames: which column is scored, what is added, and what is refused."""

import pyarrow as pa
import pytest

pytest.importorskip("pandas")

import pandas as pd

from sentcli import load
from sentcli.errors import DataError


def test_a_frame_gets_two_columns_and_keeps_all_else(scorer):
    frame = pd.DataFrame({"id": ["001", "NA", "1e5"], "review": ["warm", None, "dull"]}, index=[7, 7, -1])
    before = frame.copy()
    scored = scorer.score_frame(frame)
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(scored[["id", "review"]], before)
    assert list(scored.columns) == ["id", "review", "sentiment", "sentiment_score"]
    assert scored["sentiment"].dropna().tolist() == ["positive", "negative"]
    assert scored[["sentiment", "sentiment_score"]].isna().to_numpy().tolist() == [
        [False] * 2,
        [True] * 2,
        [False] * 2,
    ]
    alone = scorer.score(["warm", "dull"]).scores
    assert scored["sentiment_score"].dropna().tolist() == alone


def test_a_frame_may_call_its_columns_anything(scorer):
    frame = pd.DataFrame({"sentiment": ["?"], "words of mine": ["warm"]})
    scored = scorer.score_frame(frame, "words of mine", prefix="my_")
    assert list(scored.columns) == ["sentiment", "words of mine", "my_sentiment", "my_sentiment_score"]


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
@pytest.mark.parametrize("dtype", [object, "string"])
def test_a_missing_text_of_a_frame_is_blank(scorer, missing, dtype):
    scored = scorer.score_frame(pd.DataFrame({"text": pd.Series(["warm", missing], dtype=dtype)}))
    assert scored["sentiment"].isna().tolist() == [False, True]


@pytest.mark.parametrize("texts", [["warm", None], [None, ""], [], ["warm", "dull"]])
def test_new_columns_have_the_same_types_whatever_is_in_them(scorer, texts):
    scored = scorer.score_frame(pd.DataFrame({"text": pd.Series(texts, dtype=object)}), "text")
    assert (scored["sentiment"].dtype, scored["sentiment_score"].dtype) == (object, float)


@pytest.mark.parametrize(
    ("columns", "wanted", "message"),
    [
        ({"text": ["a"]}, "nope", "nope.*'text'"),
        ({"stars": [1, 2]}, None, "which column"),
        ({"stars": [1, 2], "text": ["a", "b"]}, "stars", "does not hold only texts"),
        ({"text": ["a", None, 1]}, "text", r"does not hold only texts: it has 1 \(int\); pass strings"),
        (
            {"text": ["a", 5]},
            None,
            r"'text' does not hold only texts: it has 5 \(int\).*try another (--)?text.column;",
        ),
        (
            {"review": ["a", 5], "title": ["b", "c"]},
            None,
            r"'review' does not hold only texts: it has 5 \(int\)",
        ),
        (
            {"a": ["it was a good day"], "b c": ["it was a bad day"]},
            None,
            "Add (--)?text.column.'?a'? or (--)?text.column.'b c'; the columns",
        ),
        ({"text": ["a", ["b"]]}, "text", r"it has \['b'\] \(list\)"),
        ({"text": ["a"], "sentiment": ["b"]}, "text", "sentiment"),
        (
            {"text": ["a"], 1: [2], "Sentiment_Score": ["b"]},
            "text",
            "a column 'Sentiment_Score' already; try (--)?prefix.'?new_'?$",
        ),
    ],
)
def test_a_frame_without_a_column_of_texts_or_room_is_refused(scorer, columns, wanted, message):
    with pytest.raises(DataError, match=message):
        scorer.score_frame(pd.DataFrame(columns), wanted)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["text", "text"], "several columns"),
        (pd.MultiIndex.from_tuples([("text", ""), ("sentiment", "")]), "the columns have 2 levels"),
        (pd.MultiIndex.from_tuples([("text",), ("id",)]), "the columns have 1 levels"),
    ],
)
def test_column_names_that_are_not_plain_and_unique_are_refused(scorer, columns, message):
    with pytest.raises(DataError, match=message):
        scorer.score_frame(pd.DataFrame([["good", "x"]], columns=columns), "text")


@pytest.mark.parametrize("wanted", ["text", "view"])
def test_texts_of_arrow_of_each_kind(scorer, wanted):
    view = pd.Series(["warm", None], dtype=pd.ArrowDtype(pa.string_view()))
    frame = pd.DataFrame({"text": ["warm", None], "view": view})
    assert scorer.score_frame(frame, wanted)["sentiment"].tolist() == ["positive", None]


class Frame:
    """As that of another library: a list of names for columns."""

    columns = ("text",)


@pytest.mark.parametrize("frame", [pd.Series(["warm"], name="text"), {"text": ["warm"]}, Frame(), None])
def test_what_is_no_frame_of_pandas_is_refused_by_its_type(scorer, frame):
    with pytest.raises(TypeError, match=f"frame is a .*{type(frame).__name__}'>; pass a pandas data frame"):
        scorer.score_frame(frame, "text")


def test_a_frame_gets_the_probability_of_each_label(trained):
    with load(trained.path, workers=1, probabilities=True) as scorer:
        scored = scorer.score_frame(pd.DataFrame({"text": ["warm", None]}), prefix="my_")
        taken = pd.DataFrame({"text": ["warm"], "probability_POSITIVE": [1]})
        with pytest.raises(DataError, match="a column 'probability_POSITIVE' already"):
            scorer.score_frame(taken)
    assert [*scored.columns[3:]] == ["my_probability_negative", "my_probability_positive"]
    assert scored["my_probability_positive"].equals(scored["my_sentiment_score"])
    assert scored["my_probability_negative"][0] == pytest.approx(1 - scored["my_sentiment_score"][0])


def test_a_note_on_the_column_names_the_argument(scorer, caplog):
    columns = {"id": ["a1"], "title": ["a good day"], "words": ["it was a very good day"]}
    scorer.score_frame(pd.DataFrame(columns))
    assert "texts taken from 'words', the column with the longest texts" in caplog.text
    assert caplog.messages[-1].endswith("another one: text_column='title'")


@pytest.mark.parametrize(
    "dtype",
    [object, "str", "string", "category", pd.ArrowDtype(pa.string()), pd.ArrowDtype(pa.string_view())],
    ids=str,
)
def test_texts_may_be_a_column(scorer, dtype):
    column = pd.Series(["warm", None, "dull"], dtype=dtype, index=[3, 3, 1])
    assert scorer.score(column) == scorer.score(["warm", None, "dull"])


def test_a_frame_in_place_of_a_column_is_refused(scorer):
    with pytest.raises(TypeError, match="of the type DataFrame; pass a list or a column"):
        scorer.score(pd.DataFrame({"text": ["warm"]}))
