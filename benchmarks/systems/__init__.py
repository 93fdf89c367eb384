"""List the peers of the comparison, and how each of them uses the cores."""

from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from systems.base import System

CORE, PROCESSES, THREADS = "one core", "a process per core", "threads of its own"
ALL_REVIEWS = 25_000
SHORT_ROWS = 10  # as many short rows as reviews are timed


@dataclass(frozen=True)
class Entry:
    """A peer in one way of using the cores.

    :param key: its name for `--systems`.
    :param package: that it is part of, as PyPI names it.
    :param needs: the module of the package.
    :param factory: module and class here, which only its own process imports; "" for `sentcli score`.
    :param model: folder of its trained model; entries can share one. None: it is not trained.
    :param options: settings of the training.
    :param reviews: number of reviews that are timed.
    :param one_of: it is measured on one of so many texts.
    :param apart: whether its package has a folder of its own, without what it requires: fasttext-turbo
        replaces the modules of fastText, and fasttext-threaded asks for NumPy 1, but runs with NumPy 2.
    """

    key: str
    title: str
    package: str
    needs: str
    factory: str
    how: str
    model: str | None
    options: dict[str, Any] = field(default_factory=dict)
    reviews: int = ALL_REVIEWS
    one_of: int = 1
    apart: bool = False

    @property
    def system(self) -> type[System]:
        module, name = self.factory.split(":")
        found: type[System] = getattr(import_module(f"systems.{module}"), name)
        return found

    @property
    def is_missing(self) -> bool:
        return not self.apart and find_spec(self.needs) is None


_VW = ("vowpalwabbit", "vowpalwabbit", "bags:VowpalWabbit")
_FASTTEXT = ("fasttext-community", "fasttext", "fasttexts:FastText")
_SMALL = {"dim": 10, "bucket": 1_000_000}
_SKLEARN = ("scikit-learn", "sklearn")
_MODEL2VEC = ("model2vec", "model2vec")

ENTRIES = [
    Entry("sentcli", "sentcli", "sentcli", "sentcli", "", THREADS, None),
    Entry("sentcli-1", "sentcli", "sentcli", "sentcli", "", CORE, None),
    Entry("vw", "Vowpal Wabbit", *_VW, PROCESSES, "vw"),
    Entry("vw-1", "Vowpal Wabbit", *_VW, CORE, "vw"),
    Entry("fasttext-10", "fastText (10 dimensions)", *_FASTTEXT, PROCESSES, "fasttext-10", _SMALL),
    Entry("fasttext-10-1", "fastText (10 dimensions)", *_FASTTEXT, CORE, "fasttext-10", _SMALL),
    Entry(
        "fasttext-new",
        "fasttext-new (10 dimensions)",
        "fasttext-new",
        "fasttext_new",
        "fasttexts:New",
        THREADS,
        "fasttext-10",
        _SMALL,
    ),
    Entry(
        "fasttext-threaded",
        "fasttext-threaded (10 dimensions)",
        "fasttext-threaded",
        "fasttext_threaded",
        "fasttexts:Threaded",
        THREADS,
        "fasttext-10",
        _SMALL,
        apart=True,
    ),
    Entry(
        "fasttext-turbo",
        "fasttext-turbo (10 dimensions)",
        "fasttext-turbo",
        "fasttext",
        "fasttexts:FastText",
        PROCESSES,
        "fasttext-10",
        _SMALL,
        apart=True,
    ),
    Entry("hashing", "hashed (1,2)-grams + SGD", *_SKLEARN, "bags:Hashing", PROCESSES, "hashing"),
    Entry("tfidf", "TF-IDF (1,2)-grams + logistic regression", *_SKLEARN, "bags:Tfidf", PROCESSES, "tfidf"),
    Entry("nblr", "NB-weighted (1,2)-grams + LR", *_SKLEARN, "bags:NaiveBayes", PROCESSES, "nblr"),
    Entry("fasttext-100", "fastText (100 dimensions)", *_FASTTEXT, PROCESSES, "fasttext-100"),
    Entry("fasttext-100-1", "fastText (100 dimensions)", *_FASTTEXT, CORE, "fasttext-100"),
    Entry(
        "model2vec-tuned",
        "model2vec, fine-tuned",
        *_MODEL2VEC,
        "embeddings:StaticFineTuned",
        PROCESSES,
        "model2vec-tuned",
        reviews=6_000,
        one_of=2,
    ),
    Entry(
        "model2vec-lr",
        "model2vec + logistic regression",
        *_MODEL2VEC,
        "embeddings:StaticWithRegression",
        PROCESSES,
        "model2vec-lr",
        reviews=6_000,
        one_of=2,
    ),
    Entry(
        "spacy",
        "spaCy, bag of words",
        "spacy",
        "spacy",
        "bags:Spacy",
        PROCESSES,
        "spacy",
        reviews=4_000,
        one_of=2,
    ),
    Entry(
        "minilm",
        "MiniLM-L6, fine-tuned on 4,000 texts, 128 tokens, int8",
        "transformers",
        "transformers",
        "embeddings:MiniLM",
        THREADS,
        "minilm",
        reviews=600,  # a time that is long beside the noise of its start
        one_of=2,
    ),
    Entry(
        "vader",
        "VADER",
        "vaderSentiment",
        "vaderSentiment",
        "lexicons:Vader",
        PROCESSES,
        None,
        reviews=2_000,
    ),
    Entry(
        "textblob", "TextBlob", "textblob", "textblob", "lexicons:TextBlob", PROCESSES, None, reviews=4_000
    ),
]
