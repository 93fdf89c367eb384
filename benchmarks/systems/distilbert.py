"""Run DistilBERT (Sanh et al., 2019) on PyTorch or onnxruntime, with random weights or a checkpoint.

All choices favor it: batches of texts of similar length, padded to the longest one, and by default 256
tokens, although the published accuracies are those of 512.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from systems.base import LABELS, Context, System, train_split

_BATCH = 4  # on two cores as fast as 16 at 256 tokens, and 1.2 times as fast at 512 (48 texts)
_WORDS = 30_522  # of bert-base-uncased


class DistilBert(System):
    """The tokenizer and the network.

    :param runtime: `torch` or `onnxruntime`.
    :param tokens: longest text; longer ones are truncated.
    """

    trains = True

    def __init__(self, context: Context, *, runtime: str, device: str = "cpu", tokens: int = 256) -> None:
        self._tokenizer = _tokenizer(context, tokens)
        self._run = _torch(context, device) if runtime == "torch" else _onnxruntime(context)
        super().__init__(context)

    @classmethod
    def train(cls, context: Context, *, runtime: str, **options: Any) -> None:
        """Train a WordPiece vocabulary of the usual size, unless a checkpoint has one; export the network."""
        if runtime == "onnxruntime":
            _onnxruntime(context)
        if context.distilbert:
            return
        from tokenizers import BertWordPieceTokenizer

        tokenizer = BertWordPieceTokenizer(lowercase=True)
        texts, _ = train_split(context)
        tokenizer.train_from_iterator(texts, vocab_size=_WORDS, show_progress=False)
        tokenizer.save(str(context.trained("wordpiece.json", __file__)))

    def positive(self, texts: Sequence[str]) -> list[float]:
        import numpy as np

        encoded = self._tokenizer.encode_batch(list(texts))
        order = sorted(range(len(texts)), key=lambda row: len(encoded[row].ids))
        scores = [0.0] * len(texts)
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            longest = len(encoded[rows[-1]].ids)
            ids, mask = np.zeros((2, len(rows), longest), np.int64)
            for index, row in enumerate(rows):
                length = len(encoded[row].ids)
                ids[index, :length], mask[index, :length] = encoded[row].ids, 1
            logits = self._run(ids, mask)
            for row, margin in zip(rows, logits[:, 1] - logits[:, 0], strict=True):
                scores[row] = float(1 / (1 + np.exp(-margin)))
        return scores


def _tokenizer(context: Context, tokens: int) -> Any:
    from tokenizers import Tokenizer

    file = (
        Path(context.distilbert, "tokenizer.json")
        if context.distilbert
        else context.trained("wordpiece.json", __file__)
    )
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.enable_truncation(tokens)
    return tokenizer


def _model(context: Context) -> Any:
    import torch
    from transformers import DistilBertConfig, DistilBertForSequenceClassification, logging

    logging.set_verbosity_error()
    if context.distilbert:
        return DistilBertForSequenceClassification.from_pretrained(context.distilbert).eval()
    torch.manual_seed(1)
    return DistilBertForSequenceClassification(DistilBertConfig(num_labels=len(LABELS))).eval()


def _torch(context: Context, device: str) -> Any:
    import torch

    model = _model(context).to(device)

    def run(ids: Any, mask: Any) -> Any:
        tensors = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        with torch.inference_mode():
            return model(**{name: tensor.to(device) for name, tensor in tensors.items()}).logits.cpu().numpy()

    return run


def _onnxruntime(context: Context) -> Any:
    import onnxruntime

    origin = hashlib.sha256((context.distilbert or "").encode()).hexdigest()[:8]
    file = Path(context.cache, f"{origin}-distilbert.onnx")
    if not file.exists():
        unfinished = file.with_suffix(".tmp")
        _export(_model(context), unfinished)
        unfinished.rename(file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = context.cores
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda ids, mask: session.run(None, {"input_ids": ids, "attention_mask": mask})[0]


def _export(model: Any, file: Path) -> None:
    import torch

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.model(input_ids=input_ids, attention_mask=attention_mask).logits

    example = torch.ones(2, 8, dtype=torch.int64)
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens")}
    torch.onnx.export(
        Logits(),
        (example, example),
        file,
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_shapes=(axes, axes),
        dynamo=True,
        external_data=False,
        verbose=False,
    )
