"""Figures that take seconds to count."""

from typing import ClassVar

from django.db import models
from django.utils.timezone import now

from annotate.models.projects import Project


class AgreementFigures(models.Model):
    """What the agreement page of a large project said, to be shown again."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="agreement_figures")
    choice = models.CharField(max_length=64, help_text="SHA-256 of what the page was asked for.")
    figures = models.JSONField()
    last_ranking = models.BigIntegerField(default=0)
    last_withdrawal = models.BigIntegerField(default=0)
    counted_at = models.DateTimeField(default=now)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "choice"], name="one_agreement_per_project_and_choice"),
        ]
        verbose_name_plural = "agreement figures"

    def __str__(self) -> str:
        return f"Agreement in {self.project_id} of {self.counted_at:%Y-%m-%d %H:%M}"
