"""Who gets in, what a refusal looks like, and how often one may ask."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client, RequestFactory
from django.utils.timezone import now
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from annotate import tokens
from annotate.api import problems
from annotate.models import AuditEvent, Membership, Token, TokenUse, User
from tests import factories

pytestmark = pytest.mark.django_db


def told(answer, status):
    """The problem, once it is one: the same shape whatever it is."""
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert {"type", "title", "status", "detail"} <= set(problem) and problem["status"] == status
    return problem


def test_no_token_a_wrong_one_and_a_dead_one_get_the_same_answer(script):
    dead, closed = script(), script()
    Token.objects.filter(pk=dead.token.pk).update(expires_at=now() - timedelta(seconds=1))
    User.objects.filter(pk=closed.user.pk).update(is_active=False)
    headers = ({}, {"Authorization": "Bearer plackett_x"}, {"Authorization": "Basic bWlhOm1pYQ=="})
    answers = [Client(headers=each).get("/api/v1/projects") for each in headers]
    answers += [each.get("projects") for each in (dead, closed)]
    told(answers[0], 401)
    assert len({(answer.status_code, answer.content, answer["WWW-Authenticate"]) for answer in answers}) == 1


def test_many_wrong_tokens_lock_nobody_out(script):
    mia = script()
    for _ in range(20):
        Client(headers={"Authorization": "Bearer plackett_guess"}).get("/api/v1/projects")
    assert mia.get("projects").status_code == 200


def test_a_token_loses_what_its_person_loses(script):
    mia = script()
    assert mia.get("projects/garden/rankings").status_code == 200
    Membership.objects.filter(user=mia.user).update(role="labeler")
    assert "labeler" in told(mia.get("projects/garden/rankings"), 403)["detail"]
    Membership.objects.filter(user=mia.user).delete()
    told(mia.get("projects/garden/rankings"), 404)


def test_a_revoked_token_is_dead_at_once(script):
    mia = script()
    assert mia.get("projects").status_code == 200
    tokens.revoke(mia.token, by=mia.user)
    told(mia.get("projects"), 401)
    assert not TokenUse.objects.exists()


def test_a_token_says_what_it_is_good_for_and_when_it_was_used(script, garden):
    mia = script("read", "freeze", project=garden)
    answer = mia.get("").json()
    assert (answer["scopes"], answer["project"]) == (["read", "freeze"], "garden")
    mia.token.refresh_from_db()
    assert mia.token.last_used_at is not None


def test_what_a_token_does_is_told_of_it_by_name_and_what_its_person_does_is_not(script, garden):
    mia = script()
    factories.make_ranking(factories.make_task(garden))
    assert mia.send("projects/garden/imports", '{"prompt": "Why?"}', content="prompts").status_code == 201
    made = mia.post("projects/garden/snapshots", {}).json()
    mia.get(f"projects/garden/snapshots/{made['key']}/download", format="ranking").getvalue()
    AuditEvent.record("sign_in", user=User.objects.get(pk=mia.user.pk))
    told_of = dict(AuditEvent.objects.filter(user=mia.user).values_list("action", "details"))
    assert {action for action, details in told_of.items() if "by_token" in details} == {
        "prompts.import",
        "snapshot.freeze",
        "export",
    }
    assert told_of["export"]["by_token"] == {"key": mia.token.pk, "name": "for a test"}
    assert mia.secret not in str(told_of) and mia.token.secret_sha256 not in str(told_of)


@pytest.mark.parametrize("lacking", [{"role": "labeler"}, {"scopes": {"GET": "read"}, "role": ""}])
def test_a_view_that_says_no_scope_or_no_role_is_for_nobody(script, lacking):
    forgotten = type("Forgotten", (APIView,), {"get": lambda self, request: Response("secret"), **lacking})
    request = APIRequestFactory().get("/", headers={"Authorization": f"Bearer {script().secret}"})
    assert forgotten.as_view()(request).status_code == 403


def test_a_method_that_there_is_not_an_address_that_there_is_not(script):
    mia = script()
    answer = mia._client.delete("/api/v1/projects/garden/snapshots")
    told(answer, 405)
    assert answer["Allow"] == "GET, POST"
    told(mia._client.get("/api/v1/nowhere"), 404)
    told(mia._client.get(f"/api/v1/projects/garden/snapshots/{10**25}"), 404)


def test_what_nobody_foresaw_is_a_problem_too():
    told_of = problems.server_error(RequestFactory().get("/api/v1/projects"))
    assert (told_of.status_code, told_of["Content-Type"]) == (500, "application/problem+json")
    assert problems.server_error(RequestFactory().get("/projects/"))["Content-Type"].startswith("text/html")


def test_who_asks_too_often_is_told_when_to_come_back(script, settings):
    settings.API_RATES = {"read": 2, "write": 1}
    mia, jonas = script(), script()
    assert [mia.get("projects").status_code for _ in range(3)] == [200, 200, 429]
    cache.clear()  # another web process would know as little
    answer = mia.get("projects")
    told(answer, 429)
    assert 0 < int(answer["Retry-After"]) <= 60
    assert mia.post("projects/garden/snapshots", {}).status_code != 429
    assert jonas.get("projects").status_code == 200
    TokenUse.objects.update(since=now() - timedelta(minutes=2))
    assert mia.get("projects").status_code == 200
