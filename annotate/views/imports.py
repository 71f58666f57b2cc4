"""Files of prompts, answers and rankings: what came of each, and the rows that were refused."""

import json
from collections.abc import Iterator

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from annotate import imports
from annotate.models import Import, Membership
from annotate.paging import keyset_page
from annotate.requests import ProjectRequest
from annotate.roles import project_role

Role = Membership.Role


@project_role(Role.RESEARCHER)
@require_safe
def imported(request: ProjectRequest, slug: str) -> HttpResponse:
    page = keyset_page(request.project.imports.all(), request)
    files = [(record, imports.ImportReport.of(record.counts)) for record in page.rows]
    return render(request, "annotate/imports.html", {"project": request.project, "page": page, "files": files})


@project_role(Role.RESEARCHER)
@require_safe
def refused_rows(request: ProjectRequest, slug: str, pk: int) -> StreamingHttpResponse:
    record = get_object_or_404(request.project.imports, pk=pk)
    return StreamingHttpResponse(
        _refused_lines(record),
        content_type="application/x-ndjson; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="refused-{record.pk}.jsonl"'},
    )


def _refused_lines(record: Import) -> Iterator[str]:
    for refused in record.refused_rows.iterator():
        said = {"line": refused.line, "problem": refused.problem, "row": refused.row}
        yield json.dumps(said, ensure_ascii=False) + "\n"
