"""Train one model: data, baseline, fit, n-grams, calibration, neutral head."""

import logging
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from sentcli.errors import option
from sentcli.evaluation.display import accuracy_of_texts, rarest
from sentcli.evaluation.metrics import Evaluation
from sentcli.model import bundle
from sentcli.model.bilstm import choose_device, round_embedding
from sentcli.scoring.labels import STARS
from sentcli.training.classifier import Classification, balanced_weights
from sentcli.training.corpus import Corpus, Texts, encode_texts
from sentcli.training.cross_validation import CrossValidation, ValidationSplit, cross_validate
from sentcli.training.glove import frequent_words
from sentcli.training.heads import Fitted, add_neutral_head, calibrate
from sentcli.training.init_model import init_model, torch_set_up
from sentcli.training.loop import Run, fit
from sentcli.training.ngrams import Baseline, add_ngrams
from sentcli.training.record import Record
from sentcli.training.settings import NO_VECTORS, Options, Settings

_log = logging.getLogger("sentcli")

_CHECKPOINT = "model.safetensors"
_SKEWED = 1.5  # the most frequent class has this many times an even share


def train_model(
    texts: Texts, settings: Settings, options: Options, output: Path, work: Path, *, overwrite: bool
) -> None:
    """Train one model and write its folder; continue from its checkpoint in `work` if there is one."""
    started = time.perf_counter()
    with torch_set_up(options.threads, sum(text.count(" ") + 1 for text in texts.train.texts)):
        record = _fit_model(texts, settings, options, work)
    with bundle.new_bundle(output, overwrite=overwrite) as folder:
        record.write(folder, output)
    (work / _CHECKPOINT).unlink(missing_ok=True)
    _report(output.name, record, time.perf_counter() - started)
    is_balanced = settings.config.class_weight == "balanced"
    _warn_of_chance(output.name, record.calibrated.figures, is_balanced=is_balanced)


def _fit_model(texts: Texts, settings: Settings, options: Options, work: Path) -> Record:
    config, device = settings.config, choose_device(options.device)

    # The data, the network that learns them, and what it has to beat.
    data = _encode(texts, settings, quiet=options.quiet)
    class_weights = balanced_weights(data.train.targets) if config.class_weight == "balanced" else None
    initial = init_model(data, settings, quiet=options.quiet)
    baseline = Baseline.fit(data)
    initial.before(data, class_weights)

    # The fit. In a cross-validation, that of the folds decides how many epochs the network is trained.
    run = Run(device, int(data.validation.has_label.sum()), quiet=options.quiet, vary=initial.vary)
    validation: ValidationSplit | CrossValidation
    if len(data.folds) > 1:
        validation = cross_validate(initial, data, config, work, run)
    else:
        validation = ValidationSplit(data.validation, class_weights, device)
    run = replace(run, checkpoint=work / _CHECKPOINT, last_epoch=validation.epochs)
    network, objective = initial.build(), Classification(config, device, class_weights)
    epochs = fit(network, objective, initial.rehearse(data.train), validation.measure, config, run)
    best = min(epochs, key=lambda record: record["validation_loss"])
    initial.interpolate(network)
    round_embedding(network)

    # The n-grams in the logits, and the choice between the network and the one that it started from.
    logits, ngrams = validation.logits(network).astype(np.float64), dict[str, float]()
    if initial.takes_ngrams:
        logits, ngrams = add_ngrams(network, data, logits, class_weights)
    fitted = initial.choose(Fitted(network, logits, int(best["epoch"]), ngrams), data, class_weights)

    # The calibration, and the neutral head.
    calibrated = calibrate(fitted, data, class_weights)
    if calibrated.neutral and len(data.folds) == 1:
        add_neutral_head(fitted.network, data, settings.source.data)
    initial.after(fitted.network)
    compared = baseline.compare(calibrated, texts.labels)
    seconds = sum(record["seconds"] for record in epochs) + validation.seconds
    return Record(texts, settings, options, data, initial, fitted, calibrated, compared, epochs, seconds)


def _encode(texts: Texts, settings: Settings, *, quiet: bool) -> Corpus:
    """Encode the texts with the vocabulary of the model to fine-tune, or one that word vectors extend."""
    config, frequent = settings.config, list[str]()
    if settings.glove != NO_VECTORS and config.fill_vocab:
        width, count = settings.model.embedding_dim, 2 * config.fill_vocab
        frequent = frequent_words(settings.glove, width, count, quiet=quiet)
    vocab = settings.base.vocab if settings.base else None
    return encode_texts(texts, settings.text, config, vocab, frequent)


def _report(name: str, record: Record, seconds: float) -> None:
    figures, baseline = record.calibrated.figures, record.baseline
    for line in rarest(asdict(figures)):
        _log.info("%s: validation: %s", name, line)
    if record.data.texts.labels == STARS:
        stars = ", ".join(f"{key.replace('_', ' ')} {value:.3f}" for key, value in figures.ordered.items())
        _log.info("%s: labels are stars: a score is their mean, a label their median: %s", name, stars)
    accuracy = accuracy_of_texts(figures.accuracy, figures.examples)
    of_ngrams = accuracy_of_texts(baseline["accuracy"], figures.examples)
    line = "%s: validation accuracy %s, loss %.4f; %.0f s; n-grams alone: %s; %.1f s"
    _log.info(line, name, accuracy, figures.log_loss, seconds, of_ngrams, baseline["seconds"])
    if baseline["is_better"]:
        use = "docs/training.md shows how to use that one: 'N-grams instead of a network'"
        _log.warning("%s: worse than a linear model of words and characters (n-grams); %s", name, use)
    elif not baseline["is_beaten"]:
        _log.warning("%s: not significantly better than a linear model of n-grams; try more texts", name)


def _warn_of_chance(name: str, figures: Evaluation, *, is_balanced: bool) -> None:
    """Warn if a model is no better than one label for every text."""
    classes = [row for row in figures.classes if row["support"]]
    most_frequent = max(classes, key=lambda row: row["support"])
    if figures.balanced_accuracy > 1 / len(classes):
        return
    is_skewed = most_frequent["support"] * len(classes) > _SKEWED * figures.examples
    advice = f", or {option('class_weight', 'balanced')}" if is_skewed and not is_balanced else ""
    problem = "%s: on validation texts, it is no better than %r for every text; try more texts%s"
    _log.warning(problem, name, most_frequent["name"], advice)
