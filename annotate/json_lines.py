"""Rows as lines of JSON, the way all our files are written: compact, text as it is."""

import json

import orjson

from annotate.formats.rows import Row


def line(row: Row) -> bytes:
    try:
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # a whole number of more than 64 bits, from the metadata of an import
        return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
