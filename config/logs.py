"""What the log says of a request that was refused."""

import logging


def in_one_line(record: logging.LogRecord) -> bool:
    """A filter that keeps everything. A refusal (4xx) is no fault of ours: who, where and why, without a traceback."""
    request = getattr(record, "request", None)
    if request is not None and record.exc_info and getattr(record, "status_code", 500) < 500:
        user = getattr(request, "_cached_user", None)  # to look for one now might ask a database that is away
        told = (request.method, request.path, getattr(user, "pk", None), record.exc_info[1])
        record.msg = f"{record.status_code}: %s %s, user %s: %s"  # type: ignore[attr-defined]
        record.args = tuple(str(word).encode("unicode_escape").decode("ascii") for word in told)
        record.exc_info = None
    return True
