"""Score files of reviews on a CPU.

From Python:

    import sentcli

    with sentcli.load() as scorer:
        scorer.score(["an absolute joy"]).labels  # ['positive']
"""

import typing as _typing

if _typing.TYPE_CHECKING:
    from sentcli.errors import SentcliError as SentcliError
    from sentcli.runs.run import score_file as score_file
    from sentcli.runs.summary import Summary as Summary
    from sentcli.scoring.extras import Extras as Extras
    from sentcli.scoring.labels import Counts as Counts
    from sentcli.scoring.labels import Scores as Scores
    from sentcli.scoring.scorer import Scorer as Scorer
    from sentcli.scoring.scorer import load as load
    from sentcli.tables.options import ReadOptions as ReadOptions
    from sentcli.tables.options import RejectOptions as RejectOptions
    from sentcli.tables.options import WriteOptions as WriteOptions

__version__ = "0.1.0"

# The modules of these names are imported when a name is used first: `import sentcli` loads no NumPy.
_MODULES = {
    **dict.fromkeys(("ReadOptions", "RejectOptions", "WriteOptions"), "tables.options"),
    **dict.fromkeys(("Counts", "Scores"), "scoring.labels"),
    **dict.fromkeys(("Scorer", "load"), "scoring.scorer"),
    "Extras": "scoring.extras",
    "SentcliError": "errors",
    "Summary": "runs.summary",
    "score_file": "runs.run",
}
__all__ = [*_MODULES]


def __getattr__(name: str) -> _typing.Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'sentcli' has no attribute {name!r:.200}")
    import importlib

    return getattr(importlib.import_module(f"sentcli.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
