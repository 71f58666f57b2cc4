"""Accounts without open sign-up: an admin hands out a link that signs one person in once."""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.timezone import now

from annotate.models import AuditEvent, SignInLink, User

LINK_LIFETIME = timedelta(minutes=15)


class LinkSpent(ValueError):
    """The link was used, has lapsed, or never was."""


def first_admin() -> User:
    """The installation admin: the first superuser, made if there is none. It has no password until its link is used."""
    admin = User.objects.filter(is_superuser=True, is_active=True).order_by("id").first()
    if admin is None:
        with transaction.atomic():
            admin = User(username="admin", is_superuser=True, is_staff=True)
            admin.set_unusable_password()
            admin.save()
            AuditEvent.record("user.create", subject=admin.username)
    return admin


def person(username: str, *, by: User | None) -> User:
    """The person of this name, made without a password if new. `by` is None for the command line."""
    user = User.objects.filter(username=username).first()
    if user is None:
        user = User(username=username)
        user.set_unusable_password()
        user.full_clean(exclude=["password"])
        user.save()
        AuditEvent.record("user.create", user=by, subject=username)
    return user


def sign_in_link(user: User, base_url: str, *, by: User | None = None) -> str:
    """A fresh link, good once within LINK_LIFETIME. Only its hash is stored. `by` is None for the command line."""
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        SignInLink.objects.create(user=user, secret_sha256=digest(secret), expires_at=now() + LINK_LIFETIME)
        AuditEvent.record("sign_in_link.create", user=by, subject=user.username)
    return f"{base_url.rstrip('/')}/sign-in/{secret}"


def find_link(secret: str, *, at: datetime) -> SignInLink:
    """Look without using it up. Raises LinkSpent."""
    link = SignInLink.objects.select_related("user").filter(secret_sha256=digest(secret)).first()
    if link is None or not link.is_open(at) or not link.user.is_active:
        raise LinkSpent("This link was used already or has lapsed. Ask for a new one.")
    return link


@transaction.atomic
def use_link(secret: str, *, at: datetime) -> User:
    """Use the link up and return whom it signs in. Two uses at once: one wins, the other raises LinkSpent."""
    link = find_link(secret, at=at)
    if not SignInLink.objects.filter(pk=link.pk, used_at=None).update(used_at=at):
        raise LinkSpent("This link was used already. Ask for a new one.")
    AuditEvent.record("sign_in_link.use", user=link.user, subject=link.user.username)
    return link.user


def digest(secret: str) -> str:
    """What is kept of a secret that nobody could guess."""
    return hashlib.sha256(secret.encode()).hexdigest()
