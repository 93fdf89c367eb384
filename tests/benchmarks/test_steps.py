"""The networks of benchmarks/train/steps.py, and the table that it writes into docs/tutorial.md."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from train import steps  # noqa: E402

from sentcli.config import ModelConfig  # noqa: E402
from sentcli.model.bilstm import BiLSTM  # noqa: E402

SHAPE = ModelConfig(vocab_size=9, embedding_dim=3, hidden_size=4, num_layers=2, pooling="last")
IDS = torch.tensor([[2, 3, 4, 5], [6, 7, 0, 0]])
LENGTHS = torch.tensor([4, 2], dtype=torch.int32)


def network(kind, *arguments):
    torch.manual_seed(1)
    return kind(SHAPE, *arguments).eval()


def test_with_an_lstm_the_network_is_that_of_sentcli():
    assert torch.equal(network(steps.Recurrent, "lstm")(IDS, LENGTHS), network(BiLSTM)(IDS, LENGTHS))


def test_the_table_of_the_page_is_that_of_the_results():
    page, records = steps.PAGE.read_text("utf-8"), steps.read(steps.RESULTS)
    assert [*records] == [step.key for step in steps.STEPS]
    assert steps.with_table(page, records) == page
