"""The `history.csv` of a model folder: the epochs of the model, after those of its base."""

import io
from typing import Any

import pandas as pd

from sentcli.errors import BundleError
from sentcli.model.bundle import HISTORY, Bundle

MODEL_STAGE = "model"  # the epochs of the model itself; those of its base come before


def read_history(bundle: Bundle) -> list[dict[str, Any]]:
    """Read the records of all stages.

    :raises BundleError: when the file is missing or not a table.
    """
    try:
        records: list[Any] = pd.read_csv(io.BytesIO(bundle.read(HISTORY))).to_dict("records")
    except ValueError as error:
        raise BundleError(f"{bundle.path / HISTORY}: cannot be read: {error!s:.200}") from None
    return records


def own_epochs(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the records of the model itself."""
    return [record for record in history if record["stage"] == MODEL_STAGE]
