"""Snapshots: listed, frozen, read."""

from typing import ClassVar

from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from annotate import exports
from annotate import snapshots as frozen
from annotate.api.pagination import PageQuery, page, page_of
from annotate.api.serializers.asked import asked
from annotate.api.serializers.snapshots import DownloadQuery, SnapshotDetail, SnapshotRow, Spec
from annotate.api.views.base import ProjectView, Role, Scope
from annotate.models import Snapshot


@extend_schema(tags=["Snapshots"])
class Snapshots(ProjectView):
    scopes: ClassVar[dict[str, str]] = {"GET": Scope.READ, "POST": Scope.FREEZE}
    role = Role.RESEARCHER

    @extend_schema(
        operation_id="list_snapshots", summary="List snapshots", parameters=[PageQuery], responses=page_of(SnapshotRow)
    )
    def get(self, request: Request, slug: str) -> Response:
        rows = self.project.snapshots.defer("card", "settings")
        return page(request, asked(PageQuery, request), rows, SnapshotRow)

    @extend_schema(
        operation_id="freeze",
        summary="Freeze a snapshot",
        description="The same content is the same snapshot, whoever freezes it and however often.",
        request=Spec,
        responses={201: SnapshotDetail},
    )
    def post(self, request: Request, slug: str) -> Response:
        options = Spec(data=request.data)
        options.is_valid(raise_exception=True)
        spec = frozen.SnapshotSpec.from_json(options.validated_data)
        snapshot = frozen.freeze(project=self.project, spec=spec, user=self.person)
        address = request.build_absolute_uri(reverse("api_snapshot", args=[slug, snapshot.pk]))
        return Response(SnapshotDetail(snapshot).data, status=201, headers={"Location": address})


@extend_schema(tags=["Snapshots"])
class OneSnapshot(ProjectView):
    scopes: ClassVar[dict[str, str]] = {"GET": Scope.READ}
    role = Role.RESEARCHER

    @extend_schema(operation_id="get_snapshot", summary="One snapshot, with its card", responses=SnapshotDetail)
    def get(self, request: Request, slug: str, key: int) -> Response:
        return Response(SnapshotDetail(get_object_or_404(self.project.snapshots, pk=key)).data)


@extend_schema(tags=["Snapshots"])
class SnapshotFile(ProjectView):
    scopes: ClassVar[dict[str, str]] = {"GET": Scope.DOWNLOAD}
    role = Role.RESEARCHER

    @extend_schema(
        operation_id="download",
        summary="Download a snapshot in a format",
        description="Streamed: a row is sent when it is read.",
        parameters=[DownloadQuery],
        responses={(200, kind.partition(";")[0]): OpenApiTypes.BINARY for kind in exports.TYPES.values()},
    )
    def get(self, request: Request, slug: str, key: int) -> StreamingHttpResponse:
        said = asked(DownloadQuery, request)
        snapshot: Snapshot = get_object_or_404(self.project.snapshots.select_related("project"), pk=key)
        lines = exports.export(snapshot, said["format"], ending=said["as"], user=self.person)
        name = exports.filename(snapshot, said["format"], said["as"])
        return StreamingHttpResponse(
            lines,
            content_type=exports.TYPES[said["as"]],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
