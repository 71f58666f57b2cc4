"""Words of prompts and answers, as Postgres searches them. They are made later, by the upkeep of the light worker: an
import or a sampling job that made them too would take about twice as long."""

import re
import time

from django.contrib.postgres.search import SearchQuery
from django.db import connection

from annotate.models import Answer, Project, Prompt

CONFIG = "simple"
"""No stemming, no stop words: texts are in any language."""
BATCH = 500
LONGEST = 100_000
"""Characters of a text that are searched: Postgres refuses a vector past 1 MB."""
MOST_COUNTED = 10_000
SHORTEST_PREFIX = 3
"""Of fewer letters most of all words begin, and the search would read them all."""

_MADE = {
    Prompt: "(SELECT string_agg(message->>'content', ' ') FROM jsonb_array_elements(messages) message)",
    Answer: "text",
}
_ADD = """
UPDATE {table} SET words = to_tsvector('{config}', left({text}, {longest})) WHERE id IN
    (SELECT id FROM {table} WHERE words IS NULL LIMIT {batch} FOR NO KEY UPDATE SKIP LOCKED)
"""


def add_words() -> int:
    """Of a batch of each kind. How many rows: 0 when the search covers everything."""
    added = 0
    for model, text in _MADE.items():
        table = model._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(_ADD.format(table=table, config=CONFIG, text=text, longest=LONGEST, batch=BATCH))
            added += cursor.rowcount
    return added


def catch_up(seconds: float) -> int:
    """For so long at most, and a batch. How many rows."""
    until, added = time.monotonic() + seconds, 0
    while now := add_words():
        added += now
        if time.monotonic() > until:
            break
    return added


def behind(project: Project, model: type[Prompt] | type[Answer]) -> int:
    """How many rows the search does not cover yet; no further than MOST_COUNTED."""
    missing = model.objects.filter(project=project, words=None)
    return missing.order_by()[:MOST_COUNTED].count()


def query(text: str) -> SearchQuery:
    """As people write to search engines: "a phrase", -without, or. The last of plain words may be unfinished."""
    words = text.split()
    are_plain = all(re.fullmatch(r"\w+", word) and word.lower() != "or" for word in words)
    if words and are_plain and len(words[-1]) >= SHORTEST_PREFIX:
        return SearchQuery(" & ".join(words) + ":*", config=CONFIG, search_type="raw")
    return SearchQuery(text, config=CONFIG, search_type="websearch")
