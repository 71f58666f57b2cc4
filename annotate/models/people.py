"""Who signs in, with what, and what they did."""

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.timezone import now
from knox.models import AbstractAuthToken


class User(AbstractUser):  # type: ignore[django-manager-missing]  # knox types its manager loosely
    """A person with an account. A superuser is an installation admin: owns policies, workers and all projects."""

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    @property
    def is_installation_admin(self) -> bool:
        return self.is_active and self.is_superuser


class SignInLink(models.Model):
    """A link that signs one person in once. Only the hash of its secret is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_in_links")
    secret_sha256 = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"Sign-in link for {self.user}"

    def is_open(self, at: datetime) -> bool:
        return self.used_at is None and at < self.expires_at


class Token(AbstractAuthToken):
    """An API token: hashed, expiring, and good only for its scopes."""

    class Scope(models.TextChoices):
        READ = "read", "Read"
        UPLOAD = "upload", "Upload"
        FREEZE = "freeze", "Freeze snapshots"
        DOWNLOAD = "download", "Download"
        JOBS = "jobs", "Launch and cancel jobs"
        ADMIN = "admin", "Change members and settings"

    name = models.CharField(max_length=100, default="")
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope.choices), default=list)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="token_scopes_are_known",
                condition=models.Q(scopes__contained_by=["read", "upload", "freeze", "download", "jobs", "admin"]),
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.token_key


class AuditEvent(models.Model):
    """What was done, by whom, to what. A database trigger refuses UPDATE and DELETE."""

    at = models.DateTimeField(default=now)
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey("annotate.Project", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=200, blank=True, default="")
    details = models.JSONField(default=dict)
    ip_address = models.GenericIPAddressField(null=True, blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["project", "-id"], name="audit_by_project")]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}".strip()

    @classmethod
    def record(
        cls,
        action: str,
        *,
        user: User | None = None,
        project: Any = None,
        subject: object = "",
        ip_address: str | None = None,
        **details: Any,
    ) -> "AuditEvent":
        """Call it inside the transaction that it tells of."""
        return cls.objects.create(
            action=action,
            user=user,
            project=project,
            subject=str(subject)[:200],
            ip_address=ip_address,
            details=details,
        )
