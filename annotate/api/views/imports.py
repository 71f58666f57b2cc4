"""Files that come in, and what came of each."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.core.files import File
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from annotate import imports
from annotate.api.pagination import PageQuery, page, page_of
from annotate.api.parsers import LARGEST_RANKINGS_UPLOAD, LARGEST_UPLOAD, ROW_TYPES, RowsParser, too_large
from annotate.api.serializers.asked import asked
from annotate.api.serializers.imports import ImportRow, RefusedRow, UploadBody, UploadQuery
from annotate.api.views.base import ProjectView, Role, Scope
from annotate.models import Import

Content = Import.Content
STORES: dict[str, Callable[..., imports.ImportReport]] = {
    Content.PROMPTS: imports.import_prompts,
    Content.ANSWERS: imports.import_answers,
    Content.RANKINGS: imports.import_rankings,
}
LARGEST = {Content.RANKINGS.value: LARGEST_RANKINGS_UPLOAD}
FORM = 1 << 16
"""Bytes of a form around its file."""


@extend_schema(tags=["Imports"])
class Imports(ProjectView):
    scopes: ClassVar[dict[str, str]] = {"GET": Scope.READ, "POST": Scope.UPLOAD}
    role = Role.RESEARCHER

    def get_parsers(self) -> list[BaseParser]:
        return [MultiPartParser(), *(RowsParser(kind) for kind in ROW_TYPES)]

    @extend_schema(
        operation_id="list_imports",
        summary="List files that came in",
        parameters=[PageQuery],
        responses=page_of(ImportRow),
    )
    def get(self, request: Request, slug: str) -> Response:
        return page(request, asked(PageQuery, request), self.project.imports.all(), ImportRow)

    @extend_schema(
        operation_id="import_file",
        summary="Import a file of prompts, answers or rankings",
        description="The file is the whole body, or the part “file” of multipart/form-data; gzip is seen by itself.",
        parameters=[UploadQuery],
        request={"multipart/form-data": UploadBody, **dict.fromkeys(ROW_TYPES, OpenApiTypes.BINARY)},
        responses={201: ImportRow},
    )
    def post(self, request: Request, slug: str) -> Response:
        said = asked(UploadQuery, request)
        report = self._stored(_file(request, said["content"]), **said)
        record = self.project.imports.get(pk=report.origin)
        address = request.build_absolute_uri(reverse("api_import", args=[slug, record.pk]))
        return Response(ImportRow(record).data, status=201, headers={"Location": address})

    def _stored(self, file: "File[bytes]", *, content: str, filename: str = "", **options: Any) -> imports.ImportReport:
        """Within the request, so a limit of its own holds, also for what the file unpacks to."""
        if content == Content.ANSWERS:
            options.setdefault("source", "import")
        return STORES[content](
            project=self.project,
            stream=file,
            filename=filename or str(file.name),
            user=self.person,
            most_bytes=LARGEST.get(content, LARGEST_UPLOAD),
            **options,
        )


@extend_schema(tags=["Imports"])
class OneImport(ProjectView):
    scopes: ClassVar[dict[str, str]] = {"GET": Scope.READ}
    role = Role.RESEARCHER

    @extend_schema(operation_id="get_import", summary="One file that came in, with its counts", responses=ImportRow)
    def get(self, request: Request, slug: str, key: int) -> Response:
        return Response(ImportRow(get_object_or_404(self.project.imports, pk=key)).data)


@extend_schema(tags=["Imports"])
class RefusedRows(ProjectView):
    scopes: ClassVar[dict[str, str]] = {"GET": Scope.READ}
    role = Role.RESEARCHER

    @extend_schema(
        operation_id="list_refused_rows",
        summary="List the rows that were refused",
        parameters=[PageQuery],
        responses=page_of(RefusedRow),
    )
    def get(self, request: Request, slug: str, key: int) -> Response:
        record = get_object_or_404(self.project.imports, pk=key)
        return page(request, asked(PageQuery, request), record.refused_rows.all(), RefusedRow)


def _file(request: Request, content: str) -> "File[bytes]":
    """No more is read than the header says, so that what is too long is refused before it fills the disk."""
    most = LARGEST.get(content, LARGEST_UPLOAD)
    if int(request.META.get("CONTENT_LENGTH") or 0) > most + FORM:
        raise too_large(most)
    file = request.FILES.get("file")
    if not file:
        raise ValidationError({"file": ["Send the file as the body, or as the part “file” of multipart/form-data."]})
    if file.size and file.size > most:
        raise too_large(most)
    return file
