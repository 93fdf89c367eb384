import csv
import itertools

from sentcli.files.encodings import Encoding
from sentcli.tables.dialect import Dialect


def test_labels_are_quoted_where_they_have_to_be():
    dialect = Dialect(",", '"', Encoding.named(None))
    fields = ["a,b", 'a"b', "a\nb", "a\rb", "a b", "", "ñ"]
    for values in itertools.permutations(fields, 3):
        assert next(csv.reader([dialect.record(values)], strict=True)) == list(values)
