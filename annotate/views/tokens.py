"""A person's API tokens: made, shown once, listed, revoked."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from annotate import tokens as api_tokens
from annotate.forms import TokenForm
from annotate.requests import SignedInRequest


@sensitive_variables("secret")
@never_cache
@require_http_methods(["GET", "POST"])
def tokens(request: SignedInRequest) -> HttpResponse:
    form = TokenForm(request.POST or None, user=request.user)
    made = secret = None
    if request.method == "POST" and form.is_valid():
        made, secret = api_tokens.make(request.user, **form.cleaned_data, by=request.user)
        form = TokenForm(user=request.user)
    context = {
        "tokens": request.user.tokens.select_related("project"),
        "form": form,
        "made": made,
        "secret": secret,
    }
    template = "annotate/_tokens.html" if request.htmx else "annotate/tokens.html"
    return render(request, template, context, status=422 if form.errors else 200)


@require_POST
def token_revoke(request: SignedInRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(request.user.tokens.select_related("user", "project"), pk=pk)
    api_tokens.revoke(token, by=request.user)
    messages.success(request, f"The token “{token}” is revoked. What uses it is refused from now on.")
    return redirect("tokens")
