"""Who is in a project."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotate import members as membership
from annotate import overview
from annotate.forms import MemberForm, RoleForm
from annotate.models import Membership
from annotate.requests import ProjectRequest
from annotate.roles import project_role

Role = Membership.Role


@project_role(Role.ADMIN)
@never_cache
@require_http_methods(["GET", "POST"])
def members(request: ProjectRequest, slug: str) -> HttpResponse:
    form = MemberForm(request.POST or None)
    added = None
    if request.method == "POST" and form.is_valid():
        try:
            added = membership.add(
                request.project,
                form.cleaned_data["name"],
                form.cleaned_data["role"],
                by=request.user,
                base_url=request.build_absolute_uri("/"),
            )
            form = MemberForm()
        except membership.MembershipRefused as problem:
            form.add_error("name", str(problem))
    context = {
        "project": request.project,
        "members": overview.members_of(request.project),
        "form": form,
        "added": added and added.membership,
        "link": added and added.link,
    }
    template = "annotate/_members.html" if request.htmx else "annotate/members.html"
    return render(request, template, context, status=422 if form.errors else 200)


@project_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def member(request: ProjectRequest, slug: str, pk: int) -> HttpResponse:
    found = _member(request, pk)
    form = RoleForm(request.POST or None, initial={"role": found.role})
    if request.method == "POST" and form.is_valid():
        try:
            membership.change_role(found, form.cleaned_data["role"], by=request.user)
        except membership.MembershipRefused as problem:
            form.add_error("role", str(problem))
        else:
            messages.success(request, f"{found.user} is {form.cleaned_data['role']} now.")
            own_way_out = found.user == request.user and not request.user.is_installation_admin
            return redirect("project" if own_way_out else "members", slug)
    return _page(request, found, form, status=422 if form.errors else 200)


@project_role(Role.ADMIN)
@never_cache
@require_POST
def member_link(request: ProjectRequest, slug: str, pk: int) -> HttpResponse:
    found = _member(request, pk)
    try:
        link = membership.new_link(found, by=request.user, base_url=request.build_absolute_uri("/"))
    except membership.MembershipRefused as problem:
        return _page(request, found, problem=problem, status=422)
    return _page(request, found, link=link)


@project_role(Role.ADMIN)
@require_POST
def member_remove(request: ProjectRequest, slug: str, pk: int) -> HttpResponse:
    found = _member(request, pk)
    try:
        membership.remove(found, by=request.user)
    except membership.MembershipRefused as problem:
        return _page(request, found, problem=problem, status=422)
    messages.success(request, f"{found.user} is no longer in {request.project}.")
    return redirect("projects") if found.user == request.user else redirect("members", slug)


def _member(request: ProjectRequest, pk: int) -> Membership:
    return get_object_or_404(request.project.memberships.select_related("user", "project"), pk=pk)


def _page(
    request: ProjectRequest,
    found: Membership,
    form: RoleForm | None = None,
    *,
    status: int = 200,
    link: str | None = None,
    problem: Exception | None = None,
) -> HttpResponse:
    context = {
        "project": request.project,
        "member": found,
        "form": form or RoleForm(initial={"role": found.role}),
        "may_open": membership.may_open_account(request.user, found.user),
        "link": link,
        "problem": problem,
    }
    return render(request, "annotate/member.html", context, status=status)
