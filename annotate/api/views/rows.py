"""Prompts, answers and rankings, page by page.

Answers, rankings and the metadata of prompts are for researchers: they name sources, which whoever may still rank blind
must not see."""

from typing import Any, ClassVar

from django.db.models import Exists, OuterRef, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from annotate import row_source
from annotate.api.pagination import page, page_of
from annotate.api.serializers.asked import asked
from annotate.api.serializers.rows import (
    AnswerQuery,
    AnswerRow,
    BlindPromptRow,
    PromptQuery,
    PromptRow,
    RankingQuery,
    RankingRow,
)
from annotate.api.views.base import ProjectView, Role, Scope
from annotate.models import Answer, Ranking, TaskAnswer
from annotate.roles import at_least


@extend_schema(tags=["Rows"])
class Prompts(ProjectView):
    scopes: ClassVar[dict[str, str]] = {"GET": Scope.READ}
    role = Role.REVIEWER

    @extend_schema(
        operation_id="list_prompts", summary="List prompts", parameters=[PromptQuery], responses=page_of(PromptRow)
    )
    def get(self, request: Request, slug: str) -> Response:
        said = asked(PromptQuery, request)
        found = _filtered(self.project.prompts.all(), said, split="split", since="created_at__gte")
        row = PromptRow if at_least(self.held, Role.RESEARCHER) else BlindPromptRow
        return page(request, said, found, row)


@extend_schema(tags=["Rows"])
class Answers(ProjectView):
    scopes: ClassVar[dict[str, str]] = {"GET": Scope.READ}
    role = Role.RESEARCHER

    @extend_schema(
        operation_id="list_answers", summary="List answers", parameters=[AnswerQuery], responses=page_of(AnswerRow)
    )
    def get(self, request: Request, slug: str) -> Response:
        said = asked(AnswerQuery, request)
        answers = Answer.objects.filter(project=self.project).select_related("prompt", "batch")
        answers = answers.defer("token_ids", "logprobs", "prompt__messages", "prompt__metadata", "batch__settings")
        found = _filtered(answers, said, split="prompt__split", source="batch__source_name", since="created_at__gte")
        return page(request, said, found, AnswerRow)


@extend_schema(tags=["Rows"])
class Rankings(ProjectView):
    scopes: ClassVar[dict[str, str]] = {"GET": Scope.READ}
    role = Role.RESEARCHER

    @extend_schema(
        operation_id="list_rankings",
        summary="List rankings",
        description="Those that stand: what was taken back is left out.",
        parameters=[RankingQuery],
        responses=page_of(RankingRow),
    )
    def get(self, request: Request, slug: str) -> Response:
        said = asked(RankingQuery, request)
        standing = Ranking.objects.standing().filter(project=self.project)
        if "source" in said:
            shown = TaskAnswer.objects.filter(task=OuterRef("task"), answer__batch__source_name=said["source"])
            standing = standing.filter(Exists(shown))
        found = _filtered(
            standing, said, split="task__prompt__split", labeler="labeler__pseudonym", since="created_at__gte"
        )
        return page(request, said, found, RankingRow, read=row_source.ranking_rows_by_key)


def _filtered(rows: QuerySet[Any], said: dict[str, Any], **lookups: str) -> QuerySet[Any]:
    """By what was said; a lookup stands for each name that may be."""
    return rows.filter(**{lookup: said[name] for name, lookup in lookups.items() if name in said})
