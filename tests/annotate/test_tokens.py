"""API tokens: made by a page or a command, shown once, dead when they should be."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils.timezone import now

from annotate import tokens
from annotate.models import AuditEvent, Token, User
from tests.factories import make_member, make_project, make_token, make_user

pytestmark = pytest.mark.django_db
ASKED = {"name": "nightly", "scopes": ["read", "download"], "days": 90}


def test_a_secret_is_kept_as_its_hash_only():
    token, secret = make_token(make_user())
    assert secret.startswith("plackett_") and len(secret) > 50
    assert not any(secret in str(value) for value in vars(Token.objects.get(pk=token.pk)).values())
    assert tokens.find(secret, at=now()) == token


def test_a_token_dies_with_its_time_and_with_the_account():
    user = make_user()
    _, secret = make_token(user, days=1)
    assert tokens.find(secret, at=now() + timedelta(hours=23))
    assert tokens.find(secret, at=now() + timedelta(hours=25)) is None
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert tokens.find(secret, at=now()) is None


@pytest.mark.parametrize(
    "wrong", [{"days": 0}, {"days": 366}, {"scopes": []}, {"scopes": ["jobs"]}, {"project": "foreign"}]
)
def test_a_token_that_would_be_good_for_nothing_or_too_long_is_refused(wrong):
    asked = {"scopes": ["read"], "days": 90} | wrong
    if "project" in wrong:
        asked["project"] = make_project()
    with pytest.raises(tokens.TokenRefused):
        tokens.make(make_user(), "x", by=None, **asked)
    assert not Token.objects.exists()


def test_the_page_shows_a_token_once(client):
    user = make_member(make_project("garden"))
    client.force_login(user)
    made = client.post(reverse("tokens"), {**ASKED, "project": "garden"})
    token = Token.objects.get()
    assert (token.user, token.scopes, token.project.slug) == (user, ["read", "download"], "garden")
    assert abs(token.expires_at - now() - timedelta(days=90)) < timedelta(minutes=1)
    assert "plackett_" in made.text and "no-store" in made["Cache-Control"]
    listed = client.get(reverse("tokens")).text
    assert "nightly" in listed and "plackett_" not in listed


def test_the_page_refuses_more_than_a_year_and_a_project_that_is_not_ones_own(client):
    make_project("secret")
    client.force_login(make_user())
    for wrong in ({"days": 366}, {"project": "secret"}, {"scopes": ["admin"]}):
        assert client.post(reverse("tokens"), ASKED | wrong).status_code == 422
    assert not Token.objects.exists()


def test_making_and_revoking_are_audited_without_the_secret(client):
    user = make_user("mia")
    client.force_login(user)
    client.post(reverse("tokens"), ASKED)
    client.post(reverse("token_revoke", args=[Token.objects.get().pk]))
    assert not Token.objects.exists()
    events = AuditEvent.objects.filter(action__startswith="token.").order_by("pk")
    assert [(one.action, one.user, one.subject) for one in events] == [
        ("token.create", user, "mia"),
        ("token.revoke", user, "mia"),
    ]
    assert "plackett_" not in str([one.details for one in events])


def test_nobody_revokes_the_token_of_another(client):
    token, _ = make_token(make_user())
    client.force_login(make_user(admin=True))
    assert client.post(reverse("token_revoke", args=[token.pk])).status_code == 404
    assert Token.objects.exists()


def test_the_last_use_is_written_down_once_a_minute():
    token, _ = make_token(make_user())
    first = now()
    for later in (0, 59, 61):
        tokens.note_use(token, at=first + timedelta(seconds=later))
        token.refresh_from_db()
        assert token.last_used_at == first + timedelta(seconds=61 if later == 61 else 0)


def test_the_command_prints_a_token_alone_on_its_line(capsys):
    user = make_member(make_project("garden"), user=make_user("mia"))
    call_command("create_token", "mia", "--scopes", "read", "upload", "--days", "7", "--project", "garden")
    secret = capsys.readouterr().out.strip()
    found = tokens.find(secret, at=now())
    assert (found.user, found.scopes, found.project.slug) == (user, ["read", "upload"], "garden")


def test_the_command_refuses_in_a_sentence():
    make_user("mia")
    with pytest.raises(CommandError, match="1 to 365 days"):
        call_command("create_token", "mia", "--scope", "read", "--days", "400")


def test_the_tokens_of_some_people_or_of_all_are_revoked_by_a_command(capsys):
    mia, jonas = make_user("mia"), make_user("jonas")
    for user in (mia, mia, jonas):
        make_token(user)
    for words in ([], ["mia", "--all"]):
        with pytest.raises(CommandError, match="or say --all"):
            call_command("revoke_tokens", *words)
    call_command("revoke_tokens", "mia")
    assert Token.objects.get().user == jonas
    call_command("revoke_tokens", "--all")
    assert not Token.objects.exists()
    assert capsys.readouterr().out == "Revoked: 2.\nRevoked: 1.\n"
    assert AuditEvent.objects.filter(action="token.revoke", user=None).count() == 3
