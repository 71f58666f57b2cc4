"""The list of projects, a new one, settings, guidelines and members."""

import pytest
from django.urls import reverse

from annotate.models import AuditEvent, Membership, Project
from tests.factories import (
    make_guidelines,
    make_labeler,
    make_member,
    make_project,
    make_prompt,
    make_ranking,
    make_user,
)

pytestmark = pytest.mark.django_db
XSS = "<img src=x onerror=alert(1)>"


@pytest.fixture
def project():
    return make_project("help", name="Everyday help")


@pytest.fixture
def admin(client, project):
    user = make_member(project, "admin", make_user("ada"))
    client.force_login(user)
    return user


def role_of(name, project):
    return Membership.objects.get(project=project, user__username=name).role


def audited(action):
    return AuditEvent.objects.filter(action=action)


# The bar of every page


@pytest.mark.parametrize(("role", "shown"), [("labeler", False), ("reviewer", False), ("researcher", True)])
def test_the_bar_links_to_jobs_and_models_for_people_who_research_something(client, project, role, shown):
    client.force_login(make_member(make_project(), "labeler", make_member(project, role)))
    page = client.get(reverse("projects")).content.decode()
    assert [f'<a href="{reverse(name)}"' in page for name in ("jobs", "policies", "reward_models")] == [shown] * 3


# The list, and a new project


def test_people_see_their_projects_and_an_installation_admin_all(client, project, admin):
    make_project("other", name="Another one")
    assert [p.slug for p in client.get(reverse("projects")).context["projects"]] == ["help"]
    client.force_login(make_user(admin=True))
    assert [p.slug for p in client.get(reverse("projects")).context["projects"]] == ["other", "help"]


def test_the_list_counts_prompts_and_standing_rankings(client, project, admin):
    make_prompt(project)
    make_ranking(labeler=make_labeler(project))
    shown = client.get(reverse("projects")).context["projects"][0]
    assert (shown.n_prompts, shown.n_rankings, shown.n_wanted, shown.role) == (2, 1, 1, "admin")


def test_the_list_of_projects_costs_the_same_however_long_it_is(client, admin, django_assert_max_num_queries):
    for _ in range(12):
        make_member(make_project(), "labeler", admin)
    with django_assert_max_num_queries(4):
        assert client.get(reverse("projects")).content.count(b"<tr>") == 14


def test_only_an_installation_admin_makes_projects(client, admin):
    assert client.post(reverse("project_new"), {"name": "Mine"}).status_code == 403
    assert not Project.objects.filter(name="Mine").exists()


def test_a_new_project_gets_an_address_of_its_name_and_its_maker_as_admin(client):
    root = make_user("root", admin=True)
    client.force_login(root)
    form = {"name": "Kitchen help", "purpose": "training", "rankings_wanted": 2}
    response = client.post(reverse("project_new"), form)
    assert response.url == reverse("project", args=["kitchen-help"])
    assert role_of("root", Project.objects.get(slug="kitchen-help")) == "admin"
    assert audited("project.create").get().user == root


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"slug": "help"}, {"name": "new"}, {"rankings_wanted": 0}, {"purpose": "x"}]
)
def test_a_project_that_cannot_be_is_refused(client, project, wrong):
    client.force_login(make_user(admin=True))
    form = {"name": "Kitchen help", "slug": "", "purpose": "training", "rankings_wanted": 2, **wrong}
    response = client.post(reverse("project_new"), form)
    assert response.status_code == 422
    assert Project.objects.count() == 1


# Settings and guidelines


def test_settings_are_saved_and_leave_an_audit_row(client, project, admin):
    form = {"name": XSS, "description": "d", "rankings_wanted": 3}
    page = client.post(reverse("project_settings", args=["help"]), form, follow=True).content
    project.refresh_from_db()
    assert (project.name, project.rankings_wanted) == (XSS, 3)
    assert XSS.encode() not in page
    assert audited("project.settings").get().details["changed"]["rankings_wanted"] == 3


def test_settings_refused_are_422_and_store_nothing(client, project, admin):
    response = client.post(reverse("project_settings", args=["help"]), {"name": "", "rankings_wanted": 3})
    assert response.status_code == 422
    project.refresh_from_db()
    assert (project.name, project.rankings_wanted) == ("Everyday help", 1)


def test_a_change_of_guidelines_is_a_new_version(client, project, admin):
    make_guidelines(project, "first")
    client.post(reverse("guidelines", args=["help"]), {"text": "second", "based_on": 1})
    assert list(project.guidelines.order_by("version").values_list("version", "text")) == [(1, "first"), (2, "second")]
    assert b"first" in client.get(reverse("guidelines", args=["help"]) + "?version=1").content
    assert client.get(reverse("guidelines", args=["help"]) + "?version=3").status_code == 404


def test_guidelines_written_on_an_old_version_are_refused_and_kept_on_the_page(client, project, admin):
    make_guidelines(project, "first")
    make_guidelines(project, "somebody else's", version=2)
    response = client.post(reverse("guidelines", args=["help"]), {"text": "my long work", "based_on": 1})
    assert response.status_code == 422
    assert b"my long work" in response.content and b"v2 was saved while you wrote" in response.content
    assert project.guidelines.count() == 2
    assert response.context["form"]["based_on"].value() == "2"


def test_a_labeler_reads_guidelines_but_does_not_write_them(client, project):
    make_guidelines(project, f"Be kind. {XSS}")
    client.force_login(make_member(project))
    page = client.get(reverse("guidelines", args=["help"])).content
    assert b"Be kind." in page and XSS.encode() not in page
    assert client.post(reverse("guidelines", args=["help"]), {"text": "x", "based_on": 1}).status_code == 403


# Members


def add(client, name, role="labeler", **extra):
    return client.post(reverse("members", args=["help"]), {"name": name, "role": role}, **extra)


def member_url(name, project, page="member"):
    return reverse(page, args=["help", Membership.objects.get(project=project, user__username=name).pk])


def test_adding_a_new_name_shows_a_link_that_signs_them_in(client, project, admin):
    response = add(client, "mia")
    assert response.status_code == 200
    assert role_of("mia", project) == "labeler"
    link = response.context["link"]
    assert link.encode() in response.content
    client.logout()
    assert client.post(link).url == reverse("password")
    assert audited("member.add").get().subject == "mia"


def test_the_link_is_shown_this_once(client, project, admin):
    add(client, "mia")
    assert b"/sign-in/" not in client.get(reverse("members", args=["help"])).content


def test_htmx_gets_the_partial_of_the_same_address(client, project, admin):
    response = add(client, "mia", headers={"HX-Request": "true"})
    assert b"<html" not in response.content and b'id="members"' in response.content


@pytest.mark.parametrize("wrong", [{"name": ""}, {"name": "mia and jonas"}, {"name": "ada"}, {"role": "king"}])
def test_a_member_that_cannot_be_is_refused(client, project, admin, wrong):
    assert add(client, **{"name": "mia", **wrong}).status_code == 422
    assert project.memberships.count() == 1


def test_no_link_opens_an_account_that_reaches_further_than_the_admin(client, project, admin):
    make_user("root", admin=True)
    make_member(make_project(), "labeler", make_user("guest"))
    for name in ("root", "guest"):
        response = add(client, name)
        assert response.context["link"] is None and b"/sign-in/" not in response.content
        refused = client.post(member_url(name, project, "member_link"))
        assert refused.status_code == 422 and b"/sign-in/" not in refused.content


def test_an_admin_of_all_their_projects_makes_a_new_link(client, project, admin):
    make_member(project, "labeler", make_user("mia"))
    response = client.post(member_url("mia", project, "member_link"))
    assert response.context["link"].encode() in response.content
    assert audited("member.link").get().user == admin


def test_a_role_changes_with_an_audit_row(client, project, admin):
    make_member(project, "labeler", make_user("mia"))
    client.post(member_url("mia", project), {"role": "reviewer"})
    assert role_of("mia", project) == "reviewer"
    assert audited("member.role").get().details == {"before": "labeler", "after": "reviewer"}


def test_the_roles_promise_only_what_there_are_pages_for(client, project, admin):
    page = client.get(reverse("members", args=["help"])).content.decode()
    assert "Labeler: ranks<" in page and "Reviewer: also reads prompts and rankings<" in page
    assert "flags" not in page and "writes" not in page


def test_the_last_admin_keeps_the_role_and_the_place(client, project, admin):
    make_member(project, "labeler", make_user("mia"))
    demoted = client.post(member_url("ada", project), {"role": "labeler"})
    removed = client.post(member_url("ada", project, "member_remove"))
    assert (demoted.status_code, removed.status_code) == (422, 422)
    assert b"the only admin" in demoted.content and b"the only admin" in removed.content
    assert role_of("ada", project) == "admin"


def test_one_of_two_admins_may_leave(client, project, admin):
    make_member(project, "admin", make_user("sam"))
    assert client.post(member_url("ada", project), {"role": "labeler"}, follow=True).status_code == 200
    assert role_of("ada", project) == "labeler"


def test_removing_a_member_keeps_what_they_ranked(client, project, admin):
    mia = make_member(project, "labeler", make_user("mia"))
    ranking = make_ranking(labeler=make_labeler(project, mia))
    assert client.post(member_url("mia", project, "member_remove")).status_code == 302
    assert not Membership.objects.filter(user=mia).exists()
    ranking.refresh_from_db()
    assert audited("member.remove").get().subject == "mia"


def test_a_membership_of_another_project_is_not_found(client, project, admin):
    elsewhere = make_project()
    make_member(elsewhere, "labeler", make_user("guest"))
    pk = elsewhere.memberships.get().pk
    for page in ("member", "member_link", "member_remove"):
        assert client.post(reverse(page, args=["help", pk]), {"role": "admin"}).status_code == 404
    assert role_of("guest", elsewhere) == "labeler"


def test_the_list_of_members_costs_the_same_however_long_it_is(client, project, admin, django_assert_max_num_queries):
    for _ in range(15):
        make_labeler(project)
    with django_assert_max_num_queries(5):
        assert client.get(reverse("members", args=["help"])).content.count(b"<tr>") == 17


def test_a_link_names_the_address_that_the_admin_uses(client, project, admin):
    link = add(client, "mia", headers={"host": "localhost"}).context["link"]
    assert link.startswith("http://localhost/sign-in/")
