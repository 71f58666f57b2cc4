"""The token itself, and the projects that it is good in."""

from typing import ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from annotate import overview
from annotate.api.pagination import PageQuery, page, page_of
from annotate.api.serializers.asked import asked
from annotate.api.serializers.projects import ProjectRow, TokenSelf
from annotate.api.views.base import ProjectView, Role, Scope, TokenView
from annotate.models import Project, Token


@extend_schema(tags=["Projects"])
class Root(TokenView):
    scopes: ClassVar[dict[str, str]] = {"GET": Scope.READ}

    @extend_schema(operation_id="get_token", summary="What this token is good for", responses=TokenSelf)
    def get(self, request: Request) -> Response:
        return Response(TokenSelf(self.token, context={"request": request}).data)


@extend_schema(tags=["Projects"])
class Projects(TokenView):
    scopes: ClassVar[dict[str, str]] = {"GET": Scope.READ}

    @extend_schema(
        operation_id="list_projects", summary="List projects", parameters=[PageQuery], responses=page_of(ProjectRow)
    )
    def get(self, request: Request) -> Response:
        return page(request, asked(PageQuery, request), _projects(self.token), ProjectRow)


@extend_schema(tags=["Projects"])
class OneProject(ProjectView):
    scopes: ClassVar[dict[str, str]] = {"GET": Scope.READ}
    role = Role.LABELER

    @extend_schema(operation_id="get_project", summary="One project", responses=ProjectRow)
    def get(self, request: Request, slug: str) -> Response:
        found = get_object_or_404(_projects(self.token), pk=self.project.pk)
        return Response(ProjectRow(found, context={"request": request}).data)


def _projects(token: Token) -> QuerySet[Project]:
    """A token that is limited to one project knows of no other."""
    found = overview.projects_of(token.user)
    return found.filter(pk=token.project_id) if token.project_id else found
