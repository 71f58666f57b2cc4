"""Rows for tests. Say only what matters; the rest is filled in."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any
from uuid import uuid4

from django.utils.timezone import now

from annotate import assignment, tokens
from annotate.models import (
    Answer,
    AnswerBatch,
    Assignment,
    Guidelines,
    Import,
    Labeler,
    Membership,
    Project,
    Prompt,
    Ranking,
    RankingTask,
    TaskAnswer,
    Token,
    User,
)

_number = count(1)


def make_user(username: str = "", *, admin: bool = False, **fields: Any) -> User:
    user = User(username=username or f"person{next(_number)}", is_superuser=admin, is_staff=admin, **fields)
    user.set_unusable_password()
    user.save()
    return user


def make_token(user: User, *scopes: str, **fields: Any) -> tuple[Token, str]:
    """And its secret."""
    return tokens.make(user, "for a test", scopes or tokens.OFFERED, by=user, **fields)


def make_project(slug: str = "", **fields: Any) -> Project:
    slug = slug or f"project{next(_number)}"
    return Project.objects.create(**{"slug": slug, "name": slug.title(), **fields})


def make_member(project: Project, role: str = "labeler", user: User | None = None) -> User:
    user = user or make_user()
    Membership.objects.create(project=project, user=user, role=role)
    return user


def make_labeler(project: Project, user: User | None = None, **fields: Any) -> Labeler:
    return Labeler.objects.create(project=project, user=user or make_member(project), **fields)


def make_guidelines(project: Project, text: str = "Prefer the true answer.", version: int = 1) -> Guidelines:
    return Guidelines.objects.create(project=project, text=text, version=version)


def make_prompt(project: Project | None = None, text: str = "", **fields: Any) -> Prompt:
    number = next(_number)
    fields = {"external_id": f"prompt-{number}", "messages": [user_says(text or f"Question {number}?")], **fields}
    fields = {"root": fields["external_id"], "content_sha256": f"{number:064x}", **fields}
    return Prompt.objects.create(project=project or make_project(), **fields)


def user_says(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def make_import(project: Project, content: str = "rankings", **fields: Any) -> Import:
    fields = {"filename": "rows.jsonl", "sha256": f"{next(_number):064x}", "finished_at": now(), **fields}
    return Import.objects.create(project=project, content=content, **fields)


def make_batch(project: Project, source_name: str = "sft", **fields: Any) -> AnswerBatch:
    fields = {"name": source_name, "source": AnswerBatch.Source.POLICY, **fields}
    return AnswerBatch.objects.create(project=project, source_name=source_name, **fields)


def make_answers(
    prompt: Prompt, texts: Sequence[str] = ("good", "middling", "bad"), batch: AnswerBatch | None = None
) -> list[Answer]:
    batch = batch or make_batch(prompt.project, answers_wanted=len(texts))
    return [Answer.objects.create(batch=batch, prompt=prompt, index=n, text=text) for n, text in enumerate(texts)]


def make_task(
    project: Project | None = None, *, answers: Sequence[Answer] = (), rankings_wanted: int = 1, **fields: Any
) -> RankingTask:
    answers = answers or make_answers(make_prompt(project))
    prompt = answers[0].prompt
    fields = {"open_slots": rankings_wanted, "batch": answers[0].batch, **fields}
    task = RankingTask.objects.create(project=prompt.project, prompt=prompt, rankings_wanted=rankings_wanted, **fields)
    TaskAnswer.objects.bulk_create(TaskAnswer(task=task, answer=answer, position=n) for n, answer in enumerate(answers))
    return task


def make_assignment(labeler: Labeler, task: RankingTask | None = None) -> Assignment:
    """The labeler's next task, claimed as at the desk; without a task at hand, one is made."""
    if task is None:
        make_task(labeler.project)
    claimed = assignment.claim(labeler=labeler, now=now())
    assert claimed is not None, "nothing to claim"
    assert task is None or claimed.task_id == task.pk, "another task is next for this labeler"
    return claimed


def ranks_for(turn: Assignment, ranks: Sequence[int] = (1, 2, 3)) -> Mapping[int, int]:
    """Ranks by answer id, given in the order of the task's positions."""
    ids = turn.task.task_answers.order_by("position").values_list("answer_id", flat=True)
    return dict(zip(ids, ranks, strict=True))


def make_ranking(
    task: RankingTask | None = None, *, labeler: Labeler | None = None, ranks: Sequence[int] = (1, 2, 3)
) -> Ranking:
    """A ranking given at the desk: claimed and submitted."""
    task = task or make_task(labeler.project if labeler else None)
    turn = make_assignment(labeler or make_labeler(task.project), task)
    shown = task.project.current_guidelines()
    return assignment.submit(
        assignment=turn,
        ranks=ranks_for(turn, ranks),
        submission_id=uuid4(),
        guidelines_version=shown.version if shown else None,
        now=now(),
    )


def undo_last(labeler: Labeler, at: datetime) -> Assignment:
    """Undo at a desk that shows this labeler's last ranking, if there is one."""
    last = assignment.last_ranking(labeler)
    return assignment.undo(labeler=labeler, ranking_id=last.pk if last else 0, now=at)
