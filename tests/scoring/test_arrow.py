"""Arrow tables and batches: scores as in files, and everything else untouched."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentcli import load, score_file
from sentcli.errors import DataError


@pytest.fixture(scope="module")
def table(texts):
    """Texts of all lengths, many of which say nothing, and columns of other types."""
    count = len(texts)
    return pa.table(
        {
            "id": pa.array([f"{number:06}" for number in range(count)]),
            "review": pa.array(texts, pa.string()),
            "tags": pa.array([["a", None]] * count),
            "stars": pa.array([None, 3] * (count // 2) + [1] * (count % 2), pa.int8()),
        }
    ).replace_schema_metadata({"made": "by hand"})


@pytest.fixture(scope="module")
def scored_file(trained, table, tmp_path_factory):
    """What `sentcli score` writes for the table."""
    folder = tmp_path_factory.mktemp("arrow")
    pq.write_table(table, folder / "in.parquet")
    with load(trained.path, workers=1, probabilities=True) as scorer:
        score_file(folder / "in.parquet", folder / "out.parquet", scorer=scorer)
    return pq.read_table(folder / "out.parquet")


@pytest.mark.parametrize("rows", [1, 7, 4096])
def test_scores_are_those_of_a_file_for_batches_of_any_size(trained, table, scored_file, rows):
    with load(trained.path, workers=2, probabilities=True) as scorer:
        parts = [scorer.score_arrow(batch, "review") for batch in table.to_batches(max_chunksize=rows)]
        whole = scorer.score_arrow(table)
    assert pa.Table.from_batches(parts).equals(scored_file)
    assert whole.equals(scored_file)
    assert whole.select(table.column_names).equals(table, check_metadata=True)
    assert scored_file["sentiment"].null_count > 0


def test_other_columns_are_not_copied(scorer, table):
    scored = scorer.score_arrow(table, prefix="my_")
    assert scored.column_names == [*table.column_names, "my_sentiment", "my_sentiment_score"]
    for name in table.column_names:
        for before, after in zip(table[name].chunks, scored[name].chunks, strict=True):
            assert [part and part.address for part in before.buffers()] == [
                part and part.address for part in after.buffers()
            ]


@pytest.mark.parametrize(
    "kind",
    [pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()), pa.string()],
    ids=str,
)
def test_texts_of_each_type_of_strings(scorer, kind):
    batch = pa.record_batch({"text": pa.array(["warm", None, "dull", "warm"]).cast(kind)})
    scored = scorer.score_arrow(batch.slice(1), "text")
    assert isinstance(scored, pa.RecordBatch)
    assert scored["sentiment"].to_pylist() == [None, "negative", "positive"]
    chunked = pa.table({"text": pa.chunked_array([batch["text"], batch["text"].slice(2)])})
    assert scorer.score_arrow(chunked)["sentiment"].to_pylist()[3:] == ["positive", "negative", "positive"]


def test_texts_of_nulls_of_structs_and_of_several_columns(scorer):
    table = pa.table({"title": ["warm", None], "body": pa.nulls(2), "of": [{"text": "dull"}, None]})
    found = [scorer.score_arrow(table, name)["sentiment"].to_pylist() for name in ("body", "of.text", "1,2")]
    assert found == [[None, None], ["negative", None], ["positive", None]]


def test_an_empty_batch_keeps_its_schema(scorer, table):
    wanted = scorer.score_arrow(table).schema
    assert wanted.field("sentiment").type == pa.string()
    assert wanted.field("sentiment_score").type == pa.float64()
    for empty in (table.schema.empty_table(), table.slice(0, 0), table.to_batches()[0].slice(0, 0)):
        scored = scorer.score_arrow(empty)
        assert type(scored) is type(empty)
        assert (scored.num_rows, scored.schema) == (0, wanted)


@pytest.mark.parametrize(
    ("columns", "wanted", "message"),
    [
        ({"text": ["a"]}, "nope", "the batch: no column 'nope'; .*; try another (--)?text.column$"),
        ({"stars": [1]}, "stars", "'stars' is int64, not a string"),
        ({"text": ["a"], "Sentiment": ["b"]}, "text", "'Sentiment' already; try (--)?prefix.'?new_'?$"),
    ],
)
def test_what_cannot_be_scored_is_refused(scorer, columns, wanted, message):
    with pytest.raises(DataError, match=message):
        scorer.score_arrow(pa.table(columns), wanted)


@pytest.mark.parametrize("batch", [{"text": ["a"]}, pa.array(["a"]), None])
def test_what_is_no_table_of_arrow_is_refused_by_its_type(scorer, batch):
    with pytest.raises(TypeError, match=f"batch is a .*{type(batch).__name__}'>; pass a pyarrow Table"):
        scorer.score_arrow(batch, "text")
