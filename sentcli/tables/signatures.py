"""Binary formats by their first bytes, with which no text begins."""

import re

# By format, or by the suffix of files that are not read, see `registry.instead_of`.
_SIGNATURES = {
    name: re.compile(pattern, re.DOTALL)
    for name, pattern in (
        ("parquet", rb"PAR1\x15"),
        ("arrow", rb"ARROW1\0\0|\xff{4}..\0\0"),  # a file or a stream
        ("orc", rb"ORC.{0,16}[\0-\x06]"),
        # By the name of the first part; of .ods too, about which the reader has a message.
        ("xlsx", rb"PK\x03\x04.{26}(\[Content_Types\]|_rels/|docProps/|xl/|mimetype)"),
        (".zip", rb"PK(\x03\x04|\x05\x06)"),
        (".xls", rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        (".sqlite", rb"SQLite format 3\0"),
        (".duckdb", rb".{8}DUCK.\0{7}"),
        (".avro", rb"Obj\x01"),
        (".pkl", rb"\x80[\x02-\x05][\x80-\xff\]}c(]"),
        (".bz2", rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
        (".xz", rb"\xfd7zXZ\0"),
    )
}
SIGNATURE_BYTES = 64


def signature_of(start: bytes) -> str:
    """Return the binary format that the first bytes of an input show; empty for none of these."""
    return next((name for name, pattern in _SIGNATURES.items() if pattern.match(start)), "")
