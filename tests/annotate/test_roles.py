import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse

from annotate import roles
from annotate.models import Labeler
from tests.factories import make_member, make_project, make_user

pytestmark = pytest.mark.django_db


@roles.project_role("reviewer")
def page(request, slug, number=0):
    return HttpResponse(f"{request.project.slug} {request.role} {number}")


def visit(rf, user, slug="p", view=page, **kwargs):
    request = rf.get("/somewhere?x=1")
    request.user = user
    return view(request, slug, **kwargs)


@pytest.mark.parametrize(
    ("role", "wanted", "may"),
    [
        ("labeler", "labeler", True),
        ("labeler", "reviewer", False),
        ("reviewer", "labeler", True),
        ("researcher", "admin", False),
        ("admin", "researcher", True),
    ],
)
def test_a_role_may_also_do_what_the_ones_before_it_may(role, wanted, may):
    project = make_project()
    assert roles.allows(make_member(project, role), project, wanted) is may


def test_a_member_of_another_project_may_nothing():
    assert not roles.allows(make_member(make_project(), "admin"), make_project(), "labeler")


def test_an_installation_admin_may_everything_without_being_a_member():
    assert roles.allows(make_user(admin=True), make_project(), "admin")


@pytest.mark.parametrize("admin", [True, False])
def test_a_closed_account_may_nothing(admin):
    project = make_project()
    closed = make_member(project, "admin", make_user(is_active=False, admin=admin))
    assert not roles.allows(closed, project, "labeler")


def test_the_view_gets_the_project_the_role_and_its_own_arguments(rf):
    reviewer = make_member(make_project("p"), "reviewer")
    assert visit(rf, reviewer, number=7).content == b"p reviewer 7"


def test_a_project_that_is_not_yours_looks_like_one_that_does_not_exist(rf):
    make_project("p")
    stranger = make_member(make_project("other"), "admin")
    with pytest.raises(Http404) as foreign:
        visit(rf, stranger, "p")
    with pytest.raises(Http404) as missing:
        visit(rf, stranger, "nowhere")
    assert str(foreign.value) == str(missing.value)


def test_too_low_a_role_is_told_which_one_it_takes(rf):
    labeler = make_member(make_project("p"), "labeler")
    with pytest.raises(PermissionDenied, match="You are a labeler in P. This takes the role of reviewer"):
        visit(rf, labeler)


def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(rf, settings):
    settings.LOGIN_URL = "/sign-in/"
    make_project("p")
    assert visit(rf, AnonymousUser()).url == "/sign-in/?next=/somewhere%3Fx%3D1"


def test_an_unknown_role_is_a_mistake_in_the_code():
    with pytest.raises(ValueError, match="no role 'owner'"):
        roles.project_role("owner")


def test_pages_about_the_installation_refuse_a_project_admin(rf):
    @roles.installation_admin_required
    def workers(request, slug):
        return HttpResponse("workers")

    assert visit(rf, make_user(admin=True), view=workers).content == b"workers"
    with pytest.raises(PermissionDenied, match="installation admin"):
        visit(rf, make_member(make_project(), "admin"), view=workers)


def test_a_guarded_view_says_what_it_asks_for():
    assert page.required_role == "reviewer"


def test_a_person_has_one_labeler_row_a_project():
    mia, project = make_user(), make_project()
    first, again = roles.labeler_for(mia, project), roles.labeler_for(mia, project)
    assert first == again and Labeler.objects.count() == 1
    assert roles.labeler_for(mia, make_project()) != first
