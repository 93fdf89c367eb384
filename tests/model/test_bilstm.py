"""The BiLSTM: both routes, every pooling, and its gates."""

import pytest
import tiny_models
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from sentcli.config import POOLINGS
from sentcli.model.bilstm import (
    gates_of,
    hash_pairs,
    tie_gates,
)

NO_DROPOUT = {"dropout": 0.0, "embedding_dropout": 0.0}


def batch(rows=7, longest=13, seed=0):
    return tuple(map(torch.from_numpy, tiny_models.make_batch(rows, longest, seed)))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_packed_and_padded_route_agree(num_layers: int, pooling: str):
    ids, lengths = batch()
    model = tiny_models.make_model(num_layers=num_layers, pooling=pooling, **NO_DROPOUT).train()
    results = []
    for route in (model._padded_states, model._packed_states):
        model._padded_states = route
        model.zero_grad()
        logits = model(ids, lengths)
        nn.functional.cross_entropy(logits, torch.arange(len(ids)) % 2).backward()
        results.append([logits.detach(), *(parameter.grad.clone() for parameter in model.parameters())])
    (padded, *padded_gradients), (packed, *packed_gradients) = results
    torch.testing.assert_close(padded, packed, rtol=0, atol=1e-5)
    for left, right in zip(padded_gradients, packed_gradients, strict=True):
        assert left.abs().max() > 0
        torch.testing.assert_close(left, right, rtol=0, atol=1e-4)


def test_ngrams_count_as_often_as_they_occur_and_are_divided_by_their_norm():
    model = tiny_models.make_model(ngram_buckets=7919, num_classes=3)
    plain = tiny_models.make_model(num_classes=3)
    plain.load_state_dict(model.state_dict(), strict=False)
    texts = [[5, 9, 5, 9], [9, 5, 5, 0], [9, 0, 0, 0]]
    ids, lengths = torch.tensor(texts), torch.tensor([4, 3, 1])
    table = model.ngrams.weight
    five, nine = table[5], table[9]
    to_nine, to_five, same = (table[60 + int(hash_pairs(*pair, 7919))] for pair in ((5, 9), (9, 5), (5, 5)))
    texts = 2 * five + 2 * nine + 2 * to_nine + to_five, nine + 2 * five + to_five + same, nine
    expected = torch.stack([torch.cat([row.new_zeros(1), row[:2] / row[2].sqrt()]) for row in texts])
    found = model(ids, lengths) - plain(ids, lengths)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_takes_the_packed_route_to_the_same_logits():
    ids, lengths = batch()
    model = tiny_models.make_model(num_layers=2)
    with torch.inference_mode():
        wanted = model(ids, lengths)
        found = model.cuda()(ids.cuda(), lengths).cpu()
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_neither_padding_nor_neighbours_matter(pooling: str):
    ids, lengths = batch()
    model = tiny_models.make_model(num_layers=2, pooling=pooling)
    together = tiny_models.torch_logits(model, ids.numpy(), lengths.numpy())
    wider = nn.functional.pad(ids, (0, 9))
    assert abs(tiny_models.torch_logits(model, wider.numpy(), lengths.numpy()) - together).max() < 1e-6
    for row, length in enumerate(lengths):
        alone = tiny_models.torch_logits(
            model, ids[row : row + 1, :length].numpy(), lengths[row : row + 1].numpy()
        )
        assert abs(alone[0] - together[row]).max() < 1e-6


def test_last_pooling_is_the_final_state_of_nn_lstm():
    ids, lengths = batch()
    model = tiny_models.make_model(pooling="last")
    packed = pack_padded_sequence(model.embedding(ids), lengths, batch_first=True, enforce_sorted=False)
    _, (hidden, _) = model.lstm(packed)
    wanted = model.classifier(torch.cat([hidden[0], hidden[1]], dim=1))
    torch.testing.assert_close(model(ids, lengths), wanted, rtol=0, atol=1e-6)


def test_max_and_mean_pooling_are_over_the_tokens_alone():
    ids, lengths = batch()
    model = tiny_models.make_model()
    for row, length in enumerate(lengths):
        (states,), _ = model.lstm(model.embedding(ids[row : row + 1, :length]))
        wanted = model.classifier(torch.cat([states.amax(0), states.mean(0)]))
        torch.testing.assert_close(model(ids, lengths)[row], wanted, rtol=0, atol=1e-6)


def test_padding_has_no_vector_and_gets_no_gradient():
    ids, lengths = batch()
    model = tiny_models.make_model()
    model(ids, lengths).sum().backward()
    assert not model.embedding.weight[0].any()
    assert not model.embedding.weight.grad[0].any()
    assert model.embedding.weight.grad[ids[0, 0]].any()


def test_tied_gates_are_computed_from_the_forget_gate():
    model = tiny_models.make_model(pooling="last", hidden_size=4)
    tie_gates(model, "forget")
    inputs, weights, recurrent, *biases = torch.randn(3, 10), *model.lstm.all_weights[0]
    state = cell = torch.zeros(4)
    for values in inputs:
        sums = weights @ values + recurrent @ state + sum(biases)
        _, forget, new, _ = sums.chunk(4)
        kept = torch.sigmoid(forget)
        cell = kept * cell + (1 - kept) * torch.tanh(new)
        state = torch.tanh(cell)
    found, _ = model.lstm(inputs)
    torch.testing.assert_close(found[-1, :4], state, rtol=0, atol=1e-6)


def test_tied_gates_stay_tied_in_training():
    ids, lengths = batch()
    model = tiny_models.make_model(num_layers=2, **NO_DROPOUT).train()
    tie_gates(model, "separate")
    assert gates_of(model) == "separate"
    tie_gates(model, "forget")
    assert gates_of(model) == "forget"
    optimizer = torch.optim.AdamW(model.parameters(), 0.1, weight_decay=5.0, fused=True)  # halves weights
    for _ in range(5):
        loss = nn.functional.cross_entropy(model(ids, lengths), torch.arange(len(ids)) % 2)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
    assert gates_of(model) == "forget"


def test_the_gradient_of_tied_gates_is_that_of_both():
    ids, lengths = batch()
    tied, free = (tiny_models.make_model(**NO_DROPOUT).train() for _ in range(2))
    tie_gates(tied, "forget")
    free.load_state_dict(tied.state_dict())
    for model in (tied, free):
        model(ids, lengths).sum().backward()
    for found, wanted in zip(tied.lstm.parameters(), free.lstm.parameters(), strict=True):
        of_input, of_forget, of_cell, of_output = wanted.grad.chunk(4)
        both = of_forget - of_input  # the weights of the input gate are the negated ones
        torch.testing.assert_close(found.grad, torch.cat([-both, both, of_cell, 0 * of_output]))


def test_the_packed_route_runs_the_lstm_outside_of_autocast(monkeypatch):
    """CUDA's autocast, in which an LSTM runs in fp16, is also on for a loss in bf16."""
    model, enabled = tiny_models.make_model(), []
    ids, lengths = map(torch.from_numpy, tiny_models.make_batch(3, 5))
    run = model.lstm.forward
    monkeypatch.setattr(
        model.lstm, "forward", lambda packed: enabled.append(torch.is_autocast_enabled("cpu")) or run(packed)
    )
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        forward, _ = model._packed_states(model.embed(ids), lengths)
        assert torch.is_autocast_enabled("cpu")
    assert (enabled, forward.dtype) == ([False], torch.float32)
