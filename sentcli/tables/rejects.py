"""Rejected rows as JSON lines."""

import base64
import json

from sentcli.tables.chunk import Reject


def to_line(reject: Reject) -> bytes:
    r"""Write a rejected row as one line of ASCII, which no terminal takes for a command.

    `raw` is the record's own bytes as text, or `raw_base64` where they are not UTF-8.
    """
    entry = {"input": reject.input, "line": reject.line, "offset": reject.offset, "reason": reject.reason}
    try:
        entry["raw"] = reject.raw.decode()
    except UnicodeDecodeError:
        entry["raw_base64"] = base64.b64encode(reject.raw).decode()
    return json.dumps(entry).encode() + b"\n"
