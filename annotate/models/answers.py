"""Prompts and the answers drawn for them."""

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q, QuerySet
from django.utils.timezone import localtime, now

from annotate.formats.rows import clean_text
from annotate.models.imports import Import
from annotate.models.projects import Project, of_project


class WithoutWords(models.Manager):
    """Leaves the search vector where it is: no page and no file shows it, and it is as long as the text."""

    def get_queryset(self) -> QuerySet:
        return super().get_queryset().defer("words")


def _words() -> SearchVectorField:
    return SearchVectorField(null=True, editable=False, help_text="For the search. Filled later, by searching.py.")


class Prompt(models.Model):
    """Chat messages that end with the user's turn."""

    class Split(models.TextChoices):
        TRAIN = "train", "Training"
        ID_TEST = "id_test", "Test, in distribution"
        OOD_TEST = "ood_test", "Test, out of distribution"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="prompts", db_index=False)
    external_id = models.CharField(max_length=200)
    root = models.CharField(max_length=200, help_text="The conversation that it came from: splits never cut one.")
    messages = models.JSONField()
    content_sha256 = models.CharField(max_length=64)
    split = models.CharField(max_length=10, choices=Split.choices, default=Split.TRAIN)
    metadata = models.JSONField(default=dict)
    origin = models.ForeignKey(Import, null=True, blank=True, on_delete=models.PROTECT, related_name="prompts")
    created_at = models.DateTimeField(default=now)
    words = _words()

    objects = WithoutWords()

    class Meta:
        base_manager_name = "objects"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "external_id"], name="one_prompt_per_external_id"),
            models.CheckConstraint(
                name="prompt_split_is_known", condition=Q(split__in=["train", "id_test", "ood_test"])
            ),
            models.CheckConstraint(name="prompt_has_messages", condition=~Q(messages=[])),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["project", "split", "id"], name="prompts_of_a_split"),
            models.Index(fields=["project", "root"], name="prompts_of_a_root"),
            models.Index(fields=["project", "id"], name="prompts_of_a_project"),
            GinIndex(fields=["words"], condition=Q(words__isnull=False), name="prompts_by_words"),
            models.Index(fields=["project", "id"], condition=Q(words=None), name="prompts_without_words"),
        ]

    def __str__(self) -> str:
        return self.last_message[:80]

    @property
    def last_message(self) -> str:
        return str(self.messages[-1]["content"])


class AnswerBatch(models.Model):
    """Answers drawn together from one source."""

    class Source(models.TextChoices):
        POLICY = "policy", "A policy"
        IMPORT = "import", "An import"
        PEOPLE = "people", "People"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="answer_batches")
    name = models.CharField(max_length=200)
    source = models.CharField(max_length=8, choices=Source.choices)
    source_name = models.CharField(max_length=200, help_text="What an export calls it, for example a policy's name.")
    settings = models.JSONField(default=dict, help_text="How the answers were sampled.")
    for_ranking = models.BooleanField(
        default=False, help_text="Make a ranking task of each prompt once it is complete."
    )
    answers_wanted = models.PositiveSmallIntegerField(default=1, help_text="For each prompt.")
    origin = models.ForeignKey(Import, null=True, blank=True, on_delete=models.PROTECT, related_name="answer_batches")
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="batch_source_is_known", condition=Q(source__in=["policy", "import", "people"])
            ),
            models.CheckConstraint(name="batch_wants_an_answer", condition=Q(answers_wanted__gte=1)),
        ]
        verbose_name_plural = "answer batches"

    def __str__(self) -> str:
        """With the time, since all batches of a policy have one name until someone gives them others."""
        return f"{self.name}, {localtime(self.created_at):%-d %b %Y %H:%M}"

    def get_absolute_url(self) -> str:
        """Its row on the page of its project."""
        return f"{self.project.get_absolute_url()}?batch={self.pk}#batch-{self.pk}"


class Answer(models.Model):
    batch = models.ForeignKey(AnswerBatch, on_delete=models.CASCADE, related_name="answers", db_index=False)
    project = of_project()
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="answers")
    index = models.PositiveIntegerField()
    text = models.TextField(blank=True)
    token_ids = ArrayField(models.IntegerField(), null=True, blank=True)
    logprobs = ArrayField(models.FloatField(), null=True, blank=True)
    logprob = models.FloatField(null=True, blank=True, help_text="Sum over the answer's tokens, in nats.")
    finish_reason = models.CharField(max_length=20, blank=True, default="")
    seed = models.BigIntegerField(null=True, blank=True)
    metadata = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=now)
    words = _words()

    objects = WithoutWords()

    class Meta:
        base_manager_name = "objects"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["batch", "prompt", "index"], name="one_answer_per_batch_prompt_and_index"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["project", "id"], name="answers_of_a_project"),
            models.Index(fields=["batch", "id"], name="answers_of_a_batch"),
            GinIndex(fields=["words"], condition=Q(words__isnull=False), name="answers_by_words"),
            models.Index(fields=["project", "id"], condition=Q(words=None), name="answers_without_words"),
            models.Index(fields=["project", "id"], condition=Q(text=""), name="answers_without_text"),
        ]

    def __str__(self) -> str:
        return self.text[:80]

    def save(self, **kwargs: Any) -> None:
        self.text = clean_text(self.text)
        super().save(**kwargs)
