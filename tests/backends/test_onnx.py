"""A model on onnxruntime: PyTorch's logits, the same bits in every batch, errors in place of crashes."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, numpy_helper
from tiny_models import make_batch, make_model

from sentcli.backends.onnx import OnnxBackend, keep_words
from sentcli.errors import BundleError
from sentcli.export.folded import folded_graph
from sentcli.export.portable import portable_graph

FILE = Path("some", "model.onnx")
MODEL = make_model(num_classes=3)
GRAPHS = {"portable": portable_graph(MODEL), "folded": folded_graph(MODEL)}


@pytest.fixture(params=GRAPHS)
def content(request):
    return GRAPHS[request.param].SerializeToString()


@pytest.fixture
def loaded(monkeypatch):
    """The contents of the sessions that are made."""
    contents = []
    session = onnxruntime.InferenceSession

    def load(content, *arguments, **options):
        contents.append(content)
        return session(content, *arguments, **options)

    monkeypatch.setattr(onnxruntime, "InferenceSession", load)
    return contents


def backend(content: bytes) -> OnnxBackend:
    return OnnxBackend(content, FILE, MODEL.config)


def with_constant(graph: str, name: str, values: np.ndarray) -> bytes:
    model = ModelProto.FromString(GRAPHS[graph].SerializeToString())
    for constant in model.graph.initializer:
        if constant.name == name:
            constant.CopyFrom(numpy_helper.from_array(values, name))
    return model.SerializeToString()


def test_a_single_row_gets_the_bits_that_it_gets_among_others(content):
    ids, lengths = make_batch(12, 30)
    running = backend(content)
    together = running.logits(ids, lengths)
    for row in range(12):
        alone = running.logits(ids[row : row + 1, : lengths[row]], lengths[row : row + 1])
        assert np.array_equal(alone, together[row : row + 1])


def test_small_and_large_batches_get_the_same_bits(content):
    batches = [make_batch(6, 20, seed) for seed in range(12)]  # more than run with their words alone
    small, large = backend(content), backend(content)
    large.prepare()
    for batch in batches:
        assert np.array_equal(small.logits(*batch), large.logits(*batch))


@pytest.mark.parametrize("ngram_buckets", [0, 31])
def test_small_first_batches_load_only_their_words(loaded, ngram_buckets):
    model = make_model(vocab_size=3000, ngram_buckets=ngram_buckets)
    content = folded_graph(model).SerializeToString()
    running = OnnxBackend(content, FILE, model.config)
    running.logits(*make_batch(2, 20))
    assert max(map(len, loaded)) < len(content) - 2 * 10 * 2900
    for batch in (make_batch(300, 30), make_batch(300, 30), make_batch(2, 20)):
        running.logits(*batch)
    assert loaded.count(content) == 1
    assert loaded[-1] == content
    loaded.clear()
    running = OnnxBackend(content, FILE, model.config)
    for _ in range(20):
        running.logits(*make_batch(2, 20))
    assert len(loaded) < 10
    assert loaded[-1] == content


@pytest.mark.parametrize("graph", [portable_graph, folded_graph])
@pytest.mark.parametrize(
    "shape", [{}, {"vocab_size": 20_000, "embedding_dim": 200}, {"ngram_buckets": 31, "neutral_head": True}]
)
def test_a_model_with_some_of_the_words_gives_them_the_same_bits(graph, shape):
    model = make_model(**shape)
    content = graph(model).SerializeToString()
    words = np.array([0, 1, 7, 30, 59])
    cut = ModelProto.FromString(keep_words(content, words, model.config))
    (embedding,) = (constant for constant in cut.graph.initializer if constant.name == "embedding")
    expected = model.embedding.weight.detach().numpy()[words].astype(np.float16)
    assert np.array_equal(numpy_helper.to_array(embedding), expected)
    ids, lengths = np.array([[2, 3, 4], [4, 1, 0]]), np.array([3, 2], np.int32)
    small = OnnxBackend(cut.SerializeToString(), FILE, replace(model.config, vocab_size=5))
    whole = OnnxBackend(content, FILE, model.config)
    whole.prepare()
    assert np.array_equal(small.logits(ids, lengths), whole.logits(words[ids], lengths))


def test_an_embedding_that_is_stored_in_another_way_is_loaded_whole():
    model = ModelProto.FromString(GRAPHS["folded"].SerializeToString())
    (embedding,) = (constant for constant in model.graph.initializer if constant.name == "embedding")
    values = numpy_helper.to_array(embedding)
    embedding.ClearField("raw_data")
    embedding.int32_data.extend(values.view(np.uint16).ravel().tolist())
    content = model.SerializeToString()
    assert keep_words(content, np.array([0, 1]), MODEL.config) is None
    batch = make_batch(2, 3)
    expected = backend(GRAPHS["folded"].SerializeToString()).logits(*batch)
    assert np.array_equal(backend(content).logits(*batch), expected)


def test_ngrams_of_an_older_version_are_loaded_whole():
    """Their formula is in the graph, so onnxruntime scores as before."""
    model = make_model(ngram_buckets=31)
    content = folded_graph(model).SerializeToString().replace(b"ngram_ids", b"token_ids")
    assert keep_words(content, np.array([0, 1]), model.config) is None


def test_a_prepared_backend_loads_no_more(loaded, content):
    batch = make_batch(2, 20)
    expected = backend(content).logits(*batch)
    running = backend(content)
    loaded.clear()
    running.prepare()
    running.prepare()
    assert np.array_equal(running.logits(*batch), expected)
    assert loaded == [content]


def test_threads_share_one_backend(content):
    batches = [make_batch(rows, 25, seed=rows) for rows in range(1, 40)]
    running = backend(content)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda batch: running.logits(*batch), batches))
    alone = backend(content)
    for batch, logits in zip(batches, found, strict=True):
        assert np.array_equal(logits, alone.logits(*batch))


@pytest.mark.parametrize("graph", GRAPHS)
def test_logits_that_are_not_finite_are_an_error(graph):
    huge = np.full((24, 3), 3e38, np.float32) * np.array([1, -1] * 12, np.float32)[:, None]
    with pytest.raises(BundleError, match="scores that are not finite"):
        backend(with_constant(graph, "classifier_weight", huge)).logits(*make_batch(9, 30))


def test_onnxruntime_neither_prints_nor_tries_again(monkeypatch, content, capfd):
    def fail(self, *arguments):
        raise RuntimeError("no memory\nand a stack")

    monkeypatch.setattr(onnxruntime.InferenceSession, "_create_inference_session", fail)
    with pytest.raises(BundleError, match=r"^some/model\.onnx: onnxruntime: no memory$"):
        backend(content)
    assert capfd.readouterr() == ("", "")


def test_too_little_memory_is_not_an_error_of_the_model(monkeypatch, content):
    def fail(self, *arguments):
        raise RuntimeError("Non-zero status code returned while running Gemm node. std::bad_alloc")

    running = backend(content)
    monkeypatch.setattr(onnxruntime.InferenceSession, "run", fail)
    with pytest.raises(MemoryError, match="bad_alloc"):
        running.logits(*make_batch(9, 30))


@pytest.mark.parametrize("graph", GRAPHS)
def test_weights_of_another_shape_are_an_error_at_once(graph, capfd):
    with pytest.raises(BundleError, match=r"^some/model\.onnx: onnxruntime: .*"):
        backend(with_constant(graph, "classifier_weight", np.zeros((7, 3), np.float32)))
    assert capfd.readouterr() == ("", "")


def test_a_batch_that_onnxruntime_refuses_is_an_error(content, capfd):
    running = backend(content)
    with pytest.raises(BundleError, match=r"some/model\.onnx: onnxruntime: "):
        running.logits(np.full((300, 30), 60), np.full(300, 30, np.int32))  # the last word is 59
    assert capfd.readouterr() == ("", "")


MUTATE = """
import random, sys
from pathlib import Path
import numpy as np
from sentcli.backends.onnx import OnnxBackend
from sentcli.backends.onnx_check import check_model
from sentcli.config import ModelConfig
from sentcli.errors import BundleError

original = Path(sys.argv[1]).read_bytes()
config = ModelConfig(vocab_size=60, num_classes=3, embedding_dim=10, hidden_size=6)
ids, lengths = np.array([[3, 4, 5, 0], [6, 7, 0, 0], [2, 3, 4, 5]]), np.array([3, 2, 4], np.int32)
generator = random.Random(1)
refused = 0
for _ in range(400):
    content = bytearray(original)
    for _ in range(generator.randint(1, 3)):
        place = generator.randrange(len(content))
        match generator.randrange(4):
            case 0: content[place] = generator.randrange(256)
            case 1: content[place] ^= 1 << generator.randrange(8)
            case 2: del content[place]
            case 3: content.insert(place, generator.randrange(256))
    content = bytes(content)
    try:
        check_model(content, Path("model.onnx"), config)
        logits = OnnxBackend(content, Path("model.onnx"), config).logits(ids, lengths)
        assert np.isfinite(logits).all() and logits.shape == (3, 3)
    except BundleError as error:
        refused += 1
        assert str(error).startswith("model.onnx: ")
assert refused > 100
"""


def test_mutated_files_end_in_an_error_or_in_logits_and_in_silence(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    command = [sys.executable, "-c", MUTATE, str(tmp_path / "model.onnx")]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
