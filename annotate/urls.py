"""Addresses of annotate's pages. The desk's stand here too."""

from django.contrib.auth.views import LogoutView
from django.urls import include, path
from django.views.decorators.http import require_http_methods

from annotate import desk
from annotate.views import (
    accounts,
    agreement,
    browse,
    imports,
    members,
    projects,
    prompts,
    rankings,
    snapshots,
    tokens,
)

urlpatterns = [
    path("api/", include("annotate.api.urls")),
    path("sign-in/", require_http_methods(["GET", "POST"])(accounts.SignIn.as_view()), name="sign_in"),
    path("sign-in/<str:secret>", accounts.sign_in_link, name="sign_in_link"),
    path("sign-out/", LogoutView.as_view(), name="sign_out"),
    path("account/", accounts.account, name="account"),
    path("account/tokens", tokens.tokens, name="tokens"),
    path("account/tokens/<int:pk>/revoke", tokens.token_revoke, name="token_revoke"),
    path("password/", accounts.password, name="password"),
    path("projects/", projects.projects, name="projects"),
    path("projects/new", projects.project_new, name="project_new"),
    path("projects/<slug:slug>/settings", projects.project_settings, name="project_settings"),
    path("projects/<slug:slug>/guidelines", projects.guidelines, name="guidelines"),
    path("projects/<slug:slug>/members", members.members, name="members"),
    path("projects/<slug:slug>/members/<int:pk>", members.member, name="member"),
    path("projects/<slug:slug>/members/<int:pk>/link", members.member_link, name="member_link"),
    path("projects/<slug:slug>/members/<int:pk>/remove", members.member_remove, name="member_remove"),
    path("projects/<slug:slug>/prompts/", prompts.prompts, name="prompts"),
    path("projects/<slug:slug>/prompts/<int:pk>", prompts.prompt, name="prompt"),
    path("projects/<slug:slug>/answers/", browse.answers, name="answers"),
    path("projects/<slug:slug>/answers/<int:pk>", browse.answer, name="answer"),
    path("projects/<slug:slug>/comparisons/", browse.comparisons, name="comparisons"),
    path("projects/<slug:slug>/imports/", imports.imported, name="imports"),
    path("projects/<slug:slug>/imports/<int:pk>/refused.jsonl", imports.refused_rows, name="refused_rows"),
    path("projects/<slug:slug>/rankings/", rankings.rankings, name="rankings"),
    path("projects/<slug:slug>/rankings/<int:pk>", rankings.ranking, name="ranking"),
    path("projects/<slug:slug>/agreement", agreement.agreement, name="agreement"),
    path("projects/<slug:slug>/snapshots/", snapshots.snapshots, name="snapshots"),
    path("projects/<slug:slug>/snapshots/compare", snapshots.snapshot_compare, name="snapshot_compare"),
    path("projects/<slug:slug>/snapshots/<int:pk>", snapshots.snapshot, name="snapshot"),
    path("projects/<slug:slug>/snapshots/<int:pk>/delete", snapshots.snapshot_delete, name="snapshot_delete"),
    path("projects/<slug:slug>/snapshots/<int:pk>/README.md", snapshots.snapshot_card, name="snapshot_card"),
    path("projects/<slug:slug>/snapshots/<int:pk>/download", snapshots.snapshot_chosen, name="snapshot_chosen"),
    path("projects/<slug:slug>/snapshots/<int:pk>/<str:format>", snapshots.snapshot_download, name="snapshot_download"),
    path("projects/<slug:slug>/export", snapshots.export, name="export_chosen"),
    path("projects/<slug:slug>/export/<str:format>", snapshots.export, name="export"),
    path("projects/<slug:slug>/rank", desk.rank, name="rank"),
    path("projects/<slug:slug>/rank/undo", desk.undo, name="rank_undo"),
    path("projects/<slug:slug>/rank/<int:assignment_id>/draft", desk.draft, name="rank_draft"),
    path("projects/<slug:slug>/rank/<int:assignment_id>/hold", desk.hold, name="rank_hold"),
    path("projects/<slug:slug>/rank/<int:assignment_id>/submit", desk.submit, name="rank_submit"),
    path("projects/<slug:slug>/rank/<int:assignment_id>/skip", desk.skip, name="rank_skip"),
    path("projects/<slug:slug>/my-work", rankings.my_work, name="my_work"),
]
