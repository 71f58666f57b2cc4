"""What goes wrong, as RFC 9457 has it: type, title, status, detail, and errors by field."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from annotate.exports import ExportRefused
from annotate.imports import AlreadyImported, ImportRefused
from annotate.snapshots import InvalidSnapshotSpec, SnapshotDamaged, SnapshotRefused

CONTENT_TYPE = "application/problem+json"
REFUSALS: dict[type[Exception], HTTPStatus] = {
    AlreadyImported: HTTPStatus.CONFLICT,
    ImportRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
    SnapshotRefused: HTTPStatus.CONFLICT,
    SnapshotDamaged: HTTPStatus.CONFLICT,
    ExportRefused: HTTPStatus.CONFLICT,
}
"""What annotate's own modules refuse, the narrower kind first. Their sentences say what to do."""


class TooLarge(exceptions.APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def answer_to(problem: Exception, context: dict[str, Any]) -> Response | None:
    """None for what nobody foresaw: that is logged, and server_error answers."""
    if isinstance(problem, InvalidSnapshotSpec):
        problem = exceptions.ValidationError({problem.field: [str(problem)]})
    for kind, status in REFUSALS.items():
        if isinstance(problem, kind):
            set_rollback()
            return Response(as_problem(status, str(problem)), status=status, content_type=CONTENT_TYPE)
    response = exception_handler(problem, context)
    if response is not None:
        response.data = _told(problem, response)
        response.content_type = CONTENT_TYPE
    return response


def as_problem(status: int, detail: str, **more: Any) -> dict[str, Any]:
    """About:blank: the status says it all, and `detail` the rest."""
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": int(status), "detail": detail, **more}


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """For addresses that there are not."""
    if not request.path.startswith("/api/"):
        return defaults.page_not_found(request, exception)
    return _answer(HTTPStatus.NOT_FOUND, "There is no such address. GET /api/schema/ names them all.")


def server_error(request: HttpRequest) -> HttpResponse:
    if not request.path.startswith("/api/"):
        return defaults.server_error(request)
    return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong here. It is in the server's log.")


def _answer(status: HTTPStatus, detail: str) -> JsonResponse:
    return JsonResponse(as_problem(status, detail), status=status, content_type=CONTENT_TYPE)


def _told(problem: Exception, response: Response) -> dict[str, Any]:
    if isinstance(problem, exceptions.ValidationError):
        errors = response.data if isinstance(response.data, dict) else {"request": response.data}
        detail = f"Not as it should be: {', '.join(str(name) for name in errors)}."
        return as_problem(response.status_code, detail, errors=errors)
    detail = response.data.get("detail", "") if isinstance(response.data, dict) else ""
    return as_problem(response.status_code, str(detail))
