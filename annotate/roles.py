"""Who may do what in a project. Denied unless a view says which role it wants."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from annotate.models import Labeler, Membership, Project, User

ROLES = tuple(Membership.Role.values)
"""From the least to the most: each may also do what the ones before it may."""
DUTIES = {
    Membership.Role.LABELER: "Labeler: ranks",
    Membership.Role.REVIEWER: "Reviewer: also reads prompts and rankings",
    Membership.Role.RESEARCHER: "Researcher: also imports, freezes, exports and launches",
    Membership.Role.ADMIN: "Admin: also edits guidelines, members and settings",
}
"""What each can do on the pages that there are. The labels of the model also name what is still to come."""

ProjectView = Callable[Concatenate[Any, str, ...], HttpResponseBase]
View = Callable[Concatenate[Any, ...], HttpResponseBase]


def at_least(role: str, wanted: str) -> bool:
    return ROLES.index(role) >= ROLES.index(wanted)


def role_in(user: User, project: Project) -> str | None:
    """The person's role in the project, or None for a stranger. An installation admin is admin everywhere."""
    if not user.is_authenticated or not user.is_active:
        return None
    if user.is_installation_admin:
        return Membership.Role.ADMIN.value
    return Membership.objects.filter(project=project, user=user).values_list("role", flat=True).first()


def allows(user: User, project: Project, role: str) -> bool:
    found = role_in(user, project)
    return found is not None and at_least(found, role)


def researches(user: User) -> bool:
    """Whether the person is a researcher, or more, of any project."""
    roles = ROLES[ROLES.index(Membership.Role.RESEARCHER) :]
    return user.is_installation_admin or user.memberships.filter(role__in=roles).exists()


NO_PROJECT = "There is no such project, or you are not in it."


def member_of(user: User, slug: str, wanted: str) -> tuple[Project, str]:
    """The project and the person's role in it. One that is not theirs is 404, as if it did not exist; too low a role
    is 403."""
    project = Project.objects.filter(slug=slug).first()
    role = role_in(user, project) if project else None
    if project is None or role is None:
        raise Http404(NO_PROJECT)
    if not at_least(role, wanted):
        raise PermissionDenied(f"You are a {role} in {project}. This takes the role of {wanted}.")
    return project, role


def project_role(wanted: str) -> Callable[[ProjectView], ProjectView]:
    """Guard a view `(request, slug, ...)`, and give it `request.project` and `request.role`."""
    if wanted not in ROLES:
        raise ValueError(f"There is no role {wanted!r}: take one of {', '.join(ROLES)}.")

    def guard(view: ProjectView) -> ProjectView:
        @wraps(view)
        def guarded(request: HttpRequest, slug: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            found = member_of(request.user, slug, wanted)
            request.project, request.role = found  # type: ignore[attr-defined]
            return view(request, slug, *args, **kwargs)

        guarded.required_role = wanted  # type: ignore[attr-defined]
        return guarded

    return guard


def installation_admin_required(view: View) -> View:
    """Guard a view that is about the whole installation."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not request.user.is_installation_admin:
            raise PermissionDenied("This page is for an installation admin.")
        return view(request, *args, **kwargs)

    guarded.required_role = "installation admin"  # type: ignore[attr-defined]
    return guarded


def labeler_for(user: User, project: Project) -> Labeler:
    """The row under which this person ranks in this project, made on the first visit."""
    return Labeler.objects.get_or_create(project=project, user=user)[0]
