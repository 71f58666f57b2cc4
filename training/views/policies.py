"""Policies: the list, one with its descendants, and adding one from the server's disk."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRedirect

from annotate.paging import keyset_page
from annotate.requests import SignedInRequest
from annotate.roles import installation_admin_required
from training.access import jobs_of, researched_by
from training.drawn import with_sizes
from training.forms import PolicyForm
from training.models import Policy
from training.templatetags.figures import figure
from training.views.launches import launched


@require_safe
def policies(request: SignedInRequest) -> HttpResponse:
    page = keyset_page(Policy.objects.select_related("base"), request, size=40)
    adding = jobs_of(request.user).unfinished().filter(kind="convert")
    return render(request, "training/policies.html", {"page": page, "adding": adding})


@require_safe
def policy(request: SignedInRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Policy.objects.select_related("base", "job"), pk=pk)
    mine = researched_by(request.user)
    samplings = with_sizes(found.samplings.filter(batch__project__in=mine).select_related("batch__project"))
    fitted = found.fittings.filter(reward_model__project__in=mine).select_related("reward_model__project")
    context = {
        "policy": found,
        "descendants": found.descendants.all(),
        "samplings": samplings.order_by("-id")[:20],
        "fittings": fitted.order_by("-id")[:20],
        "projects": mine.order_by("name")[:20],
        "details": details(found),
        "shows_job": found.job is not None and jobs_of(request.user).filter(pk=found.job.pk).exists(),
    }
    return render(request, "training/policy.html", context)


def details(policy: Policy) -> list[tuple[str, str]]:
    """What is known of the model, in words; lists and tables of numbers are left out."""
    known = {"source": "From", "parameters": "Parameters", "vocabulary": "Vocabulary", "context": "Longest text"}
    return [
        (known.get(name, name.replace("_", " ").capitalize()), value if isinstance(value, str) else figure(value))
        for name, value in policy.details.items()
        if isinstance(value, (str, int, float)) and value != ""
    ]


@installation_admin_required
@require_http_methods(["GET", "POST"])
def add_policy(request: SignedInRequest) -> HttpResponse:
    form = PolicyForm(request.POST or None)
    if request.method == "POST":
        job = launched(request, form, None)
        if job is not None:
            return HttpResponseClientRedirect(job.get_absolute_url()) if request.htmx else redirect(job)
    context = {
        "form": form,
        "title": "Add a policy",
        "action": "Add",
        "lead": "A model that answers, from a folder on this server.",
        "notes": [
            "A job copies the model into Plackett's own files as safetensors, with its tokenizer and chat template.",
            "Best start from a model that was trained to follow instructions.",
        ],
        "crumbs": [{"url": reverse("policies"), "text": "Policies"}],
        "back": reverse("policies"),
    }
    template = "training/_launch.html" if request.htmx else "training/launch.html"
    return render(request, template, context, status=422 if request.method == "POST" else 200)
