"""Lists with their counts, each in one query however long the list is."""

import json
from collections.abc import Iterable

from django.db.models import Count, Exists, F, Func, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum, TextField
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from annotate.models import Answer, AnswerBatch, Comparison, Membership, Project, Prompt, Ranking, RankingTask, User

ENOUGH_COMPARISONS = 100
"""With a winner: from so many a reward model learns something. To measure it takes more prompts, not more pairs."""


def projects_of(user: User) -> QuerySet[Project]:
    """What the person sees, with their role and how far each project is."""
    rankings = Ranking.objects.standing()
    return Project.objects.visible_to(user).annotate(
        role=Subquery(Membership.objects.filter(project=OuterRef("pk"), user=user).values("role")[:1]),
        n_prompts=_count(Prompt.objects.filter(project=OuterRef("pk")), "project"),
        n_rankings=_count(rankings.filter(task__project=OuterRef("pk")), "task__project"),
        n_wanted=_number(RankingTask.objects.filter(project=OuterRef("pk")), "project", Sum("rankings_wanted")),
    )


def prompts_of(project: Project, *, split: str = "", text: str = "") -> QuerySet[Prompt]:
    prompts = project.prompts.all()
    if split:
        prompts = prompts.filter(split=split)
    if text:
        prompts = prompts.alias(said=_Contents("messages")).filter(
            Q(said__icontains=json.dumps(text, ensure_ascii=False)[1:-1]) | Q(external_id=text)
        )
    return prompts.annotate(
        n_answers=_count(Answer.objects.filter(prompt=OuterRef("pk")), "prompt"),
        n_rankings=_count(Ranking.objects.standing().filter(task__prompt=OuterRef("pk")), "task__prompt"),
        n_wanted=_number(RankingTask.objects.filter(prompt=OuterRef("pk")), "prompt", Sum("rankings_wanted")),
    )


def what_stands(project: Project) -> dict[str, int]:
    """What there is to freeze, and how many of the prompts are for testing."""
    people = AnswerBatch.Source.PEOPLE
    return {
        "rankings": Ranking.objects.standing().filter(task__project=project).count(),
        "demonstrations": Answer.objects.filter(batch__project=project, batch__source=people).count(),
        "prompts": project.prompts.count(),
        "test_prompts": project.prompts.exclude(split=Prompt.Split.TRAIN).count(),
    }


def comparisons_to_train_on(projects: Iterable[int]) -> QuerySet[Comparison]:
    """What snapshots for training would hold now, by the projects' ids: nothing of a root that a test prompt has."""
    roots = Prompt.objects.filter(project=OuterRef("prompt__project"), root=OuterRef("prompt__root"))
    return Comparison.objects.filter(
        ~Exists(roots.exclude(split=Prompt.Split.TRAIN)),
        prompt__project__in=projects,
        ranking__withdrawal=None,
        kind=Comparison.Kind.IMPLIED,
    )


def members_of(project: Project) -> QuerySet[Membership]:
    ranked = Ranking.objects.standing().filter(labeler__project=project, labeler__user=OuterRef("user"))
    return (
        project.memberships.select_related("user")
        .annotate(n_rankings=_count(ranked, "labeler__user"))
        .order_by("user__username")
    )


class _Contents(Func):
    """The texts of the messages as one JSON text, so that a search does not find the word "role" in every prompt."""

    template = "jsonb_path_query_array(%(expressions)s, '$[*].content')::text"
    output_field = TextField()


def _count(rows: QuerySet, by: str) -> Combinable:
    return _number(rows, by, Count("pk"))


def _number(rows: QuerySet, by: str, aggregate: Count | Sum) -> Combinable:
    """One number for each row outside, 0 where nothing is found."""
    found = rows.order_by().values(_by=F(by)).annotate(_n=aggregate).values("_n")
    return Coalesce(Subquery(found, output_field=IntegerField()), 0)
