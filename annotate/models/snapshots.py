"""Frozen data."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import MD5, Cast
from django.utils.timezone import now

from annotate.models.people import User
from annotate.models.projects import Project


class Snapshot(models.Model):
    """An immutable file named by the hash of its content: PLACKETT_HOME/snapshots/<sha256>.jsonl. Where different
    settings choose the same content, each has a row, with its own card, of one file."""

    class Kind(models.TextChoices):
        RANKINGS = "rankings", "Rankings"
        DEMONSTRATIONS = "demonstrations", "Demonstrations"
        PROMPTS = "prompts", "Prompts"

    class Purpose(models.TextChoices):
        TRAINING = "training", "For training: test prompts are left out"
        TESTING = "testing", "For testing: training refuses it"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="snapshots")
    kind = models.CharField(max_length=14, choices=Kind.choices, default=Kind.RANKINGS)
    purpose = models.CharField(max_length=8, choices=Purpose.choices, default=Purpose.TRAINING)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    counts = models.JSONField(default=dict, help_text="Rows, prompts, comparisons, ties, labelers, left out.")
    settings = models.JSONField(default=dict, help_text="What was asked for: filters, ties, several rankings, split.")
    card = models.JSONField(default=dict, help_text="What a reader of the file must know of it.")
    guidelines_versions = models.JSONField(default=list)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                "project",
                "kind",
                "purpose",
                "sha256",
                MD5(Cast("settings", models.TextField())),
                name="one_snapshot_per_content_and_settings",
            ),
            models.CheckConstraint(
                name="snapshot_kind_is_known", condition=Q(kind__in=["rankings", "demonstrations", "prompts"])
            ),
            models.CheckConstraint(name="snapshot_purpose_is_known", condition=Q(purpose__in=["training", "testing"])),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.short_hash}"

    @property
    def short_hash(self) -> str:
        return self.sha256[:8]
