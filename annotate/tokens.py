"""API tokens: shown once, kept as a hash. What one is good for is looked up at each use."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.timezone import now

from annotate.accounts import digest
from annotate.models import AuditEvent, Project, Token, User
from annotate.roles import role_in

Scope = Token.Scope
OFFERED = (Scope.READ, Scope.UPLOAD, Scope.FREEZE, Scope.DOWNLOAD)
"""What the API asks for so far. A token that is good for what there is not yet would surprise its owner later."""
PREFIX = "plackett_"
"""So that people, and scanners of leaked secrets, know one when they see it."""
DAYS, MOST_DAYS = 90, 365
USED_AGAIN = timedelta(minutes=1)
"""The last use is written down at most so often: a client that reads all pages would write a row with each."""

COUNT = """
    INSERT INTO annotate_tokenuse AS used (token_id, kind, since, count) VALUES (%s, %s, now(), 1)
    ON CONFLICT (token_id, kind) DO UPDATE SET
        since = CASE WHEN used.since > now() - interval '1 minute' THEN used.since ELSE now() END,
        count = CASE WHEN used.since > now() - interval '1 minute' THEN used.count + 1 ELSE 1 END
    RETURNING count, extract(epoch FROM since + interval '1 minute' - now())
"""


class TokenRefused(ValueError):
    """It would be good for nothing, or for too long."""


@transaction.atomic
def make(
    user: User, name: str, scopes: Sequence[str], *, project: Project | None = None, days: int = DAYS, by: User | None
) -> tuple[Token, str]:
    """The token and its secret, which nobody sees again. `by` is None for the command line. Raises TokenRefused."""
    if not scopes or not set(scopes) <= set(OFFERED):
        raise TokenRefused(f"A token is good for one or more of {', '.join(OFFERED)}.")
    if not 1 <= days <= MOST_DAYS:
        raise TokenRefused(f"A token lives for 1 to {MOST_DAYS} days.")
    if project and role_in(user, project) is None:
        raise TokenRefused(f"{user} is not in {project}.")
    secret = PREFIX + secrets.token_urlsafe(32)
    token = Token.objects.create(
        user=user,
        name=name,
        scopes=[scope for scope in OFFERED if scope in scopes],
        project=project,
        secret_sha256=digest(secret),
        expires_at=now() + timedelta(days=days),
    )
    _record("token.create", token, by, expires_at=token.expires_at.isoformat())
    return token, secret


def find(secret: str, *, at: datetime) -> Token | None:
    """The living token of this secret, with its person and the project that it is limited to."""
    return Token.objects.living(at).select_related("user", "project").filter(secret_sha256=digest(secret)).first()


def note_use(token: Token, *, at: datetime) -> None:
    if token.last_used_at is None or token.last_used_at < at - USED_AGAIN:
        Token.objects.filter(pk=token.pk).update(last_used_at=at)


def counted(token: Token, kind: str) -> tuple[int, float]:
    """Which use of this kind it is in the minute that began with the first, and how many seconds of that are left.

    Counted by the database, so for all web processes together."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [token.pk, kind])
        count, left = cursor.fetchone()
    return count, float(left)


@transaction.atomic
def revoke(token: Token, *, by: User | None) -> None:
    """From its next use on it is unknown."""
    _record("token.revoke", token, by)
    token.delete()


def revoke_all(user: User) -> None:
    """Whoever held one is out."""
    revoke_each(user.tokens.all(), by=user)


@transaction.atomic
def revoke_each(found: QuerySet[Token], *, by: User | None) -> int:
    """Returns how many."""
    each = list(found.select_related("user", "project"))
    for token in each:
        revoke(token, by=by)
    return len(each)


def _record(action: str, token: Token, by: User | None, **details: Any) -> None:
    AuditEvent.record(
        action,
        user=by,
        project=token.project,
        subject=token.user.username,
        token=token.pk,
        name=token.name,
        scopes=token.scopes,
        **details,
    )
