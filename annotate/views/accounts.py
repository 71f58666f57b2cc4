"""Sign in by password or by a link that works once; the account page. No sign-up: an admin adds people."""

from axes.helpers import get_client_ip_address
from django.contrib import messages
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from annotate import accounts, tokens
from annotate.forms import AccountForm, ChangePassword, SetPassword, SignInForm
from annotate.models import AuditEvent, User
from annotate.requests import SignedInRequest

BY_LINK = "signed_in_by_link"
"""In the session of someone who came by a link: they may set a password without knowing the old one."""


class SignIn(LoginView):
    template_name = "annotate/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        with transaction.atomic():
            response = super().form_valid(form)
            person: User = form.get_user()
            AuditEvent.record("sign_in", user=person, subject=person.username, ip_address=_address(self.request))
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        AuditEvent.record("sign_in.failed", subject=_known_name(form), ip_address=_address(self.request))
        return self.render_to_response(self.get_context_data(form=form), status=422)


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def sign_in_link(request: HttpRequest, secret: str) -> HttpResponse:
    """Looking does not use the link up: mail scanners and previews look too."""
    try:
        if request.method == "GET":
            link = accounts.find_link(secret, at=now())
            return render(request, "annotate/sign_in_link.html", {"person": link.user})
        person = accounts.use_link(secret, at=now())
    except accounts.LinkSpent as problem:
        return render(request, "annotate/sign_in_link.html", {"problem": problem}, status=410)
    login(request, person, backend="django.contrib.auth.backends.ModelBackend")
    request.session[BY_LINK] = True
    return redirect("home" if person.has_usable_password() else "password")


@require_http_methods(["GET", "POST"])
def account(request: SignedInRequest) -> HttpResponse:
    form = AccountForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Your name is saved.")
        return redirect("account")
    status = 422 if request.method == "POST" else 200
    memberships = request.user.memberships.select_related("project").order_by("project__name")
    return render(request, "annotate/account.html", {"form": form, "memberships": memberships}, status=status)


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
def password(request: SignedInRequest) -> HttpResponse:
    first = not request.user.has_usable_password()
    old_is_asked = not first and not request.session.get(BY_LINK)
    form = (ChangePassword if old_is_asked else SetPassword)(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        _keep_password(request, form)
        messages.success(request, "Your password is set. You are signed out everywhere else.")
        return redirect("home")
    status = 422 if request.method == "POST" else 200
    return render(request, "annotate/password.html", {"form": form, "first": first}, status=status)


def _known_name(form: AuthenticationForm) -> str:
    """Of an account that there is: anything else may be a password that slipped into the wrong field."""
    tried = form.data.get("username", "").replace("\x00", "")
    return tried if User.objects.filter(username=tried).exists() else "an unknown name"


def _address(request: HttpRequest) -> str | None:
    """As the limit on guesses counts it."""
    return get_client_ip_address(request)


@transaction.atomic
def _keep_password(request: SignedInRequest, form: SetPassword | ChangePassword) -> None:
    """Whoever knew the old password is out: other sessions end with its hash, and API tokens go too."""
    person: User = form.save()
    tokens.revoke_all(person)
    AuditEvent.record("password.set", user=person, subject=person.username)
    update_session_auth_hash(request, person)
    request.session.pop(BY_LINK, None)
