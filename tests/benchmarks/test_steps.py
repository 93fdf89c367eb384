"""The networks of benchmarks/train/steps.py, and the table that it writes into docs/tutorial.md."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence  # noqa: E402
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


@pytest.mark.parametrize(("cell", "kind"), [("rnn", torch.nn.RNN), ("gru", torch.nn.GRU)])
def test_other_cells_are_those_of_pytorch_on_packed_texts(cell, kind):
    model, other = network(steps.Recurrent, cell), kind(3, 4, 2, bidirectional=True).eval()
    other.load_state_dict(model.lstm.state_dict())
    with torch.inference_mode():
        embedded = model.embed(IDS)
        states, _ = pad_packed_sequence(other(pack_padded_sequence(embedded, LENGTHS))[0])
        found = torch.cat(model._padded_states(embedded, LENGTHS), 2)
    for text, length in enumerate(LENGTHS):
        torch.testing.assert_close(found[:length, text], states[:length, text])


def test_the_table_of_the_page_is_that_of_the_results():
    page, records = steps.PAGE.read_text("utf-8"), steps.read(steps.RESULTS)
    assert [*records] == [step.key for step in steps.STEPS]
    assert steps.with_table(page, records) == page
