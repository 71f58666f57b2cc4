"""Files that came in."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from annotate.models.people import User
from annotate.models.projects import Project


class Import(models.Model):
    """One file that was brought into a project, and how far it is. What it brought points to it."""

    class Content(models.TextChoices):
        PROMPTS = "prompts", "Prompts"
        ANSWERS = "answers", "Answers"
        RANKINGS = "rankings", "Rankings"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="imports")
    content = models.CharField(max_length=8, choices=Content.choices)
    format = models.CharField(max_length=30)
    filename = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64, help_text="Of the file's content, unpacked.")
    licence = models.CharField(max_length=200, blank=True, default="")
    counts = models.JSONField(default=dict)
    rows_done = models.PositiveIntegerField(default=0, help_text="Taking the file up again goes on after these.")
    rows_refused = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "content", "sha256"], name="one_import_per_content"),
            models.CheckConstraint(
                name="import_content_is_known", condition=Q(content__in=["prompts", "answers", "rankings"])
            ),
        ]

    def __str__(self) -> str:
        return self.filename


class RefusedRow(models.Model):
    """A row of a file that was not stored, and why: to be mended and brought again."""

    origin = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="refused_rows")
    line = models.PositiveIntegerField()
    problem = models.TextField()
    row = models.TextField(blank=True, default="", help_text="As it stands in the file; very long ones are cut.")

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]

    def __str__(self) -> str:
        return f"Line {self.line}: {self.problem}"
