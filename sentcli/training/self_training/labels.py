"""What a teacher says of texts without labels, and of passages cut from all texts."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate, chain, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from sentcli.config import SelfTrainingConfig
from sentcli.errors import OutputError
from sentcli.evaluation.history import MODEL_STAGE
from sentcli.evaluation.holdout import digest_texts
from sentcli.evaluation.labels import label_ids
from sentcli.evaluation.metrics import log_loss
from sentcli.evaluation.passages import cut_passages
from sentcli.files.atomic import new_file
from sentcli.model.bundle import Bundle
from sentcli.text.tokenizer import tokenize
from sentcli.training.corpus import Texts
from sentcli.training.init_model import set_up
from sentcli.training.self_training.document_vectors import document_vectors
from sentcli.training.self_training.ngram_index import TokenizedTexts
from sentcli.training.self_training.pseudo_labels import PseudoLabels
from sentcli.training.self_training.teacher import (
    StackedEnsemble,
    classify_by_ngrams,
    classify_vectors,
    score_with,
)
from sentcli.training.settings import Settings

_log = logging.getLogger("sentcli")

NGRAMS = "n-grams"
DOCUMENT_VECTORS = "document vectors"
TOGETHER = "all together"
VECTORS = "document-vectors.safetensors"  # in the folder of a run
# Names that no bundle has among the members of a teacher: those of its other parts and of the student.
RESERVED = (NGRAMS, DOCUMENT_VECTORS, TOGETHER, MODEL_STAGE)


def label(
    texts: Texts,
    bundles: dict[str, Bundle],
    settings: Settings,
    plan: SelfTrainingConfig,
    number: int,
    folder: Path,
) -> PseudoLabels:
    """Have a teacher of these bundles, of n-grams and of document vectors label whole texts and passages.

    Passages are labelled by the bundles alone, as a few words have too few n-grams and no document vector;
    without a bundle, none is cut. The weights of the bundles are then fitted on passages of the validation
    part, each with the label of its text: who judges reviews best need not judge a sentence best. A sentence
    out of its text is uncertain all the same, so its label is mixed with that of the text. Before the last
    round, for teachers, one passage a text is enough.

    :param number: of the round.
    :param folder: of the run, where document vectors are kept for later rounds.
    :raises BundleError: when a bundle was changed since it was opened, or cannot be run.
    :raises OutputError: when the document vectors cannot be written.
    """
    classes = len(texts.labels)
    validation = label_ids(texts.validation.labels, texts.labels, texts.validation.where)
    train = label_ids(texts.train.labels, texts.labels, texts.train.where)
    share = plan.passages if number == plan.rounds else min(plan.passages, 1.0)
    if share and not bundles:
        plan = replace(plan, passages=0.0)
        _log.info("no passages are cut: of so few words n-grams say nothing; --teacher auto trains models")
    passages, sources = _cut(texts, plan, share, settings.config.seed) if bundles else ([], [])
    of_validation = cut_passages(texts.validation.texts, plan.passage_sentences) if passages else []
    parts = (texts.validation.texts, texts.unlabeled, passages, of_validation)
    everything = [*chain.from_iterable(parts)]
    held_out, unlabeled, cut, cut_held_out = _slices([len(part) for part in parts])
    whole, labeled = slice(unlabeled.stop), slice(unlabeled.start, cut.stop)

    said = {
        name: score_with(bundle, everything, name=name, workers=settings.cores, quiet=settings.quiet)
        for name, bundle in bundles.items()
    }
    _log.info("round %d: the n-gram model of the teacher is fitted", number)
    of_whole = {NGRAMS: classify_by_ngrams(texts.train.texts, train, classes, everything[whole])}
    if plan.document_vectors:
        vectors = learn_vectors(texts, settings, plan, folder)
        of_whole[DOCUMENT_VECTORS] = classify_vectors(vectors, train, classes)
    for name, values in of_whole.items():
        said[name] = np.full((len(everything), classes), np.nan)
        said[name][whole] = values

    teacher = StackedEnsemble(validation, {name: values[held_out] for name, values in said.items()})
    targets = teacher.probabilities({name: values[unlabeled] for name, values in said.items()})
    if passages:
        of_passages = StackedEnsemble(validation, {name: said[name][cut_held_out] for name in bundles})
        alone = of_passages.probabilities({name: said[name][cut] for name in bundles})
        of_sources = np.concatenate([np.eye(classes, dtype=np.float32)[train], targets])[sources]
        mixed = (1 - plan.passage_context) * alone + plan.passage_context * of_sources
        targets = np.concatenate([targets, mixed.astype(np.float32)])
    members = {
        name: {
            "validation_loss": log_loss(validation, values[held_out]),
            "validation_accuracy": float((values[held_out].argmax(axis=1) == validation).mean()),
        }
        for name, values in said.items()
    }
    members[TOGETHER] = {"validation_loss": teacher.loss, "validation_accuracy": teacher.accuracy}
    for name, reached in members.items():
        _log.info("round %d: %s: validation accuracy %.4f", number, name, reached["validation_accuracy"])
    return PseudoLabels(
        everything[labeled],
        np.repeat([False, True], [len(texts.unlabeled), len(passages)]),
        targets,
        texts.labels,
        {name: values[labeled].astype(np.float32) for name, values in said.items()},
        {
            "members": members,
            "round": number,
            "plan": plan.to_json(),
            "split": digest_texts(texts.validation.texts),
        },
    )


def learn_vectors(
    texts: Texts, settings: Settings, plan: SelfTrainingConfig, folder: Path
) -> npt.NDArray[np.float32]:
    """Give the vectors of the training part, the validation part and the texts without labels, in a row.

    They are learnt once in a run, and kept: no round changes them.

    :param folder: of the run, which is made when it is not there yet.
    :raises OutputError: when they cannot be written there.
    """
    everything = [*texts.train.texts, *texts.validation.texts, *texts.unlabeled]
    origin = {
        "texts": digest_texts(everything),
        "size": str(plan.document_vectors),
        "seed": str(settings.config.seed),
    }
    file = folder / VECTORS
    with suppress(FileNotFoundError, SafetensorError), safe_open(file, "numpy") as stored:
        if stored.metadata() == origin:
            vectors: npt.NDArray[np.float32] = stored.get_tensor("vectors")
            return vectors
    _log.info("vectors of %d texts are learnt from their n-grams", len(everything))
    with set_up(settings):
        vectors = document_vectors(
            TokenizedTexts(everything),
            size=plan.document_vectors,
            seed=settings.config.seed,
            quiet=settings.quiet,
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with new_file(file) as new:
            new.write(save({"vectors": vectors}, origin))
    except OSError as error:
        raise OutputError(f"{file}: the vectors of the texts cannot be written: {error.strerror}") from error
    return vectors


def _slices(lengths: Sequence[int]) -> list[slice]:
    """Give where each of so many lists is, once they are joined."""
    return [slice(*ends) for ends in pairwise(accumulate(lengths, initial=0))]


def _cut(
    texts: Texts, plan: SelfTrainingConfig, passages_a_text: float, seed: int
) -> tuple[list[str], list[int]]:
    """Cut passages, so many from each text; of a share of a passage, from some.

    :returns: the passages, and where each comes from in the training part and the texts without labels.
    """
    whole = [*texts.train.texts, *texts.unlabeled]
    passages: list[str] = []
    sources: list[int] = []
    for number in range(int(np.ceil(passages_a_text))):
        share = min(1.0, passages_a_text - number)
        order = np.random.default_rng((seed, number)).permutation(len(whole))
        drawn = np.sort(order[: round(share * len(whole))]).tolist()
        cut = cut_passages([whole[row] for row in drawn], plan.passage_sentences, 1000 * seed + number)
        for row, passage in zip(drawn, cut, strict=True):
            if tokenize(passage):
                passages.append(passage)
                sources.append(row)
    return passages, sources
