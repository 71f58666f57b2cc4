"""Who signs in, with what, and what they did."""

from datetime import datetime
from typing import Any, ClassVar, Self

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.timezone import now


class User(AbstractUser):
    """A person with an account. A superuser is an installation admin: owns policies, workers and all projects."""

    asks_by: "Token | None" = None
    """The token, where it is a script that asks in their name. No column: it is so for one request."""

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


class TokenQuerySet(models.QuerySet["Token"]):
    def living(self, at: datetime) -> Self:
        """Good for something: a closed account's tokens are dead, whatever they say themselves."""
        return self.filter(expires_at__gt=at, user__is_active=True)


class Token(models.Model):
    """An API token: hashed, expiring, good only for its scopes, and never for more than its person may do."""

    class Scope(models.TextChoices):
        READ = "read", "Read: projects, prompts, answers, rankings, snapshots"
        UPLOAD = "upload", "Upload: import files"
        FREEZE = "freeze", "Freeze: make snapshots"
        DOWNLOAD = "download", "Download: the files of snapshots"
        JOBS = "jobs", "Jobs: launch and cancel them"
        ADMIN = "admin", "Admin: change members and settings"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100, help_text="What it is for.")
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope.choices))
    project = models.ForeignKey(
        "annotate.Project", null=True, blank=True, on_delete=models.CASCADE, related_name="+", help_text="Empty: all."
    )
    secret_sha256 = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=now)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = TokenQuerySet.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="token_scopes_are_known",
                condition=Q(scopes__contained_by=["read", "upload", "freeze", "download", "jobs", "admin"]),
            ),
            models.CheckConstraint(name="token_has_a_scope", condition=~Q(scopes=[])),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= now()


class TokenUse(models.Model):
    """How often a token was used since then: tokens.counted writes it. A crash of Postgres may forget it."""

    pk = models.CompositePrimaryKey("token", "kind")
    token = models.ForeignKey(Token, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    kind = models.CharField(max_length=5)
    since = models.DateTimeField()
    count = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.count} times to {self.kind}"


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
        if user is not None and user.asks_by is not None:
            details["by_token"] = {"key": user.asks_by.pk, "name": user.asks_by.name}
        return cls.objects.create(
            action=action,
            user=user,
            project=project,
            subject=str(subject)[:200],
            ip_address=ip_address,
            details=details,
        )
