"""The list of projects, a new one, settings and guidelines. The page of one project stands in training."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from annotate import overview
from annotate.forms import GuidelinesForm, ProjectForm, SettingsForm
from annotate.models import AuditEvent, Guidelines, Membership, Project, User
from annotate.requests import ProjectRequest, SignedInRequest
from annotate.roles import at_least, installation_admin_required, project_role

Role = Membership.Role


@require_safe
def projects(request: SignedInRequest) -> HttpResponse:
    return render(request, "annotate/projects.html", {"projects": overview.projects_of(request.user)})


@installation_admin_required
@require_http_methods(["GET", "POST"])
def project_new(request: SignedInRequest) -> HttpResponse:
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        project = _found(form, by=request.user)
        messages.success(request, f"{project} is made. Import prompts next, or invite people.")
        return redirect("project", project.slug)
    return render(request, "annotate/project_new.html", {"form": form}, status=_status(request))


@project_role(Role.ADMIN)
@require_http_methods(["GET", "POST"])
def project_settings(request: ProjectRequest, slug: str) -> HttpResponse:
    form = SettingsForm(request.POST or None, instance=Project.objects.get(pk=request.project.pk))
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            form.save()
            AuditEvent.record(
                "project.settings",
                user=request.user,
                project=request.project,
                subject=slug,
                changed={name: form.cleaned_data[name] for name in form.changed_data},
            )
        messages.success(request, "The settings are saved.")
        return redirect("project_settings", slug)
    context = {"form": form, "project": request.project, "guidelines": request.project.current_guidelines()}
    return render(request, "annotate/settings.html", context, status=_status(request))


@project_role(Role.LABELER)
@require_http_methods(["GET", "POST"])
def guidelines(request: ProjectRequest, slug: str) -> HttpResponse:
    may_edit = at_least(request.role, Role.ADMIN)
    if request.method == "POST" and not may_edit:
        raise PermissionDenied("Only an admin of the project changes its guidelines.")
    versions = list(request.project.guidelines.select_related("author").order_by("-version"))
    current = versions[0] if versions else None
    latest = current.version if current else 0
    form = GuidelinesForm(request.POST or None, initial={"text": current.text if current else "", "based_on": latest})
    if request.method == "POST" and form.is_valid():
        written = write_guidelines(request.project, **form.cleaned_data, by=request.user)
        if written:
            messages.success(request, f"Saved as v{written.version}. Labelers see it from their next task on.")
            return redirect("guidelines", slug)
        form.data = request.POST.copy()
        form.data["based_on"] = str(latest)
        form.add_error(None, f"v{latest} was saved while you wrote. Compare it with your text, then save again.")
    context = {
        "project": request.project,
        "form": form,
        "may_edit": may_edit,
        "editing": may_edit and (request.method == "POST" or "edit" in request.GET),
        "versions": versions,
        "shown": _version(request, versions),
        "next_version": latest + 1,
    }
    return render(request, "annotate/guidelines.html", context, status=_status(request))


@transaction.atomic
def write_guidelines(project: Project, *, text: str, based_on: int, by: User) -> Guidelines | None:
    """The next version, or None where another was saved since this text was begun."""
    Project.objects.select_for_update().get(pk=project.pk)
    latest = project.guidelines.aggregate(latest=Max("version"))["latest"] or 0
    if based_on != latest:
        return None
    written = project.guidelines.create(version=latest + 1, text=text, author=by)
    AuditEvent.record("project.guidelines", user=by, project=project, subject=f"v{written.version}")
    return written


@transaction.atomic
def _found(form: ProjectForm, *, by: User) -> Project:
    project = form.save()
    Membership.objects.create(project=project, user=by, role=Role.ADMIN)
    AuditEvent.record("project.create", user=by, project=project, subject=project.slug, purpose=project.purpose)
    return project


def _version(request: HttpRequest, versions: list[Guidelines]) -> Guidelines | None:
    wanted = request.GET.get("version")
    if wanted is None:
        return versions[0] if versions else None
    for version in versions:
        if str(version.version) == wanted:
            return version
    raise Http404("There is no such version.")


def _status(request: HttpRequest) -> int:
    return 422 if request.method == "POST" else 200
