"""Run sentcli with each of its backends, through the same pipeline as `sentcli score`."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sentcli
from sentcli.model.bundle import Bundle, default_bundle_path, load_bundle
from sentcli.runs.job import JobOptions
from sentcli.runs.run import score_files
from sentcli.scoring.scorer import Scorer
from systems.base import Context, System

_ROWS = 2048  # rows of a chunk, for texts in memory


def score_csv(scorer: Scorer, source: Path, target: Path) -> None:
    """Run `sentcli score SOURCE -o TARGET` with a loaded model."""
    score_files(scorer, [str(source)], str(target), JobOptions(overwrite=True))


@dataclass(frozen=True)
class _Piece:
    texts: Sequence[str]


class Sentcli(System):
    """The model of the context, with one backend.

    :param export: options of `sentcli export`; the exported file scores.
    :param precision: `bf16` or `fp16`, for PyTorch; None is fp32.
    """

    def __init__(
        self,
        context: Context,
        *,
        backend: str | None = None,
        device: str | None = None,
        workers: int | None = None,
        export: dict[str, Any] | None = None,
        precision: str | None = None,
    ) -> None:
        bundle = _bundle(context)
        folder = _exported(bundle, context, export) if export else bundle.path
        self._scorer = Scorer(
            load_bundle(folder),
            backend=backend,
            device=device,
            precision=precision,
            workers=workers,
        )
        super().__init__(context)

    @classmethod
    def train(cls, context: Context, *, export: dict[str, Any], **options: Any) -> None:
        """Export the model before the worker starts, so that its memory is only that of scoring."""
        _exported(_bundle(context), context, export)

    def score_texts(self, texts: Sequence[str]) -> list[float]:
        pieces = (_Piece(texts[start : start + _ROWS]) for start in range(0, len(texts), _ROWS))
        found = [score for _, scores in self._scorer.stream(pieces) for score in scores.scores]
        return [0.5 if score is None else score for score in found]

    def score_file(self, source: Path, target: Path) -> None:
        score_csv(self._scorer, source, target)


def _bundle(context: Context) -> Bundle:
    return load_bundle(Path(context.model) if context.model else default_bundle_path())


def _exported(bundle: Bundle, context: Context, options: dict[str, Any]) -> Path:
    """Export the model once."""
    name = hashlib.sha256(f"{bundle.digest}{options}{sentcli.__version__}".encode()).hexdigest()[:12]
    folder = Path(context.cache, f"export-{name}")
    if not folder.exists():
        import torch

        from sentcli.export.export import export_bundle

        torch.set_num_threads(1)  # the parity check runs step by step: a second thread would only wait
        export_bundle(bundle, folder, **options)
    return folder


class Tutorial(System):
    """The same PyTorch model in the loop of most tutorials: file order, padded, packed, batches of 64."""

    batch = 64

    def __init__(self, context: Context, *, device: str = "cpu") -> None:
        import torch

        from sentcli.backends.weights import load_model

        bundle = _bundle(context)
        self._vocab, self._max_tokens = bundle.vocab, bundle.config.text.max_tokens
        self._device = torch.device(device)
        self._model = load_model(bundle).to(self._device)
        self._model._padded_states = self._model._packed_states
        super().__init__(context)

    def positive(self, texts: Sequence[str]) -> list[float]:
        scores: list[float] = []
        for start in range(0, len(texts), self.batch):
            scores += self._positive(texts[start : start + self.batch])
        return scores

    def _positive(self, texts: Sequence[str]) -> list[float]:
        import torch
        from torch.nn.utils.rnn import pad_sequence

        from sentcli.text.tokenizer import truncate, words_of
        from sentcli.text.vocabulary import UNK_ID

        ids = [truncate(self._vocab.encode(words_of(text)), self._max_tokens) or [UNK_ID] for text in texts]
        lengths = torch.tensor(list(map(len, ids)))
        padded = pad_sequence([torch.tensor(row) for row in ids], batch_first=True)
        with torch.inference_mode():
            return self._model(padded.to(self._device), lengths).softmax(1)[:, 1].tolist()
