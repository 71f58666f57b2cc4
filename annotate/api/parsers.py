"""Bodies of requests: options as JSON, and files of rows. None of them fills the memory."""

import io
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from django.core.files import File
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, DataAndFiles, JSONParser

from annotate.api.problems import TooLarge

ROW_TYPES = {
    "application/x-ndjson": "upload.jsonl",
    "application/jsonl": "upload.jsonl",
    "application/json": "upload.json",
    "text/csv": "upload.csv",
    "application/gzip": "upload.gz",
    "application/octet-stream": "upload",
}
"""What a body may be, with the name of a file that has none."""
IN_MEMORY = LARGEST_OPTIONS = 1 << 20
LARGEST_UPLOAD = 64 << 20
"""Bytes. What a request stores well within its time; larger files are for a page, where a job does it."""
LARGEST_RANKINGS_UPLOAD = 16 << 20
"""A ranking brings a prompt, answers, a task and comparisons: it takes several times as long as a prompt."""


class OptionsParser(JSONParser):
    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(LARGEST_OPTIONS + 1)
        if len(body) > LARGEST_OPTIONS:
            raise too_large(LARGEST_OPTIONS)
        try:
            return super().parse(io.BytesIO(body), media_type, parser_context)
        except RecursionError:
            raise ParseError("This is nested too deeply.") from None


class RowsParser(BaseParser):
    """The whole body is the file, which goes to disk once it is long."""

    def __init__(self, media_type: str) -> None:
        self.media_type = media_type

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None
    ) -> "DataAndFiles[dict[str, Any], dict[str, Any]]":
        kept = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  closed with the request
        for block in _blocks(stream):
            kept.write(block)
            if kept.tell() > LARGEST_UPLOAD:
                raise too_large()
        kept.seek(0)
        return DataAndFiles({}, {"file": File(kept, name=ROW_TYPES[self.media_type])})


def too_large(most: int = LARGEST_UPLOAD) -> TooLarge:
    return TooLarge(
        f"This takes {most >> 20} MiB at most. Send a file in parts, or import it on the page or by manage.py."
    )


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    while block := stream.read(1 << 16):
        yield block
