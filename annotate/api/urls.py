"""Addresses of the API. Each has a row in tests/permissions.py that names scope and role."""

from django.urls import path

from annotate.api.views import docs, imports, projects, rows, snapshots

PROJECT = "v1/projects/<slug:slug>"

urlpatterns = [
    path("schema/", docs.Schema.as_view(), name="api_schema"),
    path("docs/", docs.docs, name="api_docs"),
    path("v1/", projects.Root.as_view(), name="api_root"),
    path("v1/projects", projects.Projects.as_view(), name="api_projects"),
    path(PROJECT, projects.OneProject.as_view(), name="api_project"),
    path(f"{PROJECT}/prompts", rows.Prompts.as_view(), name="api_prompts"),
    path(f"{PROJECT}/answers", rows.Answers.as_view(), name="api_answers"),
    path(f"{PROJECT}/rankings", rows.Rankings.as_view(), name="api_rankings"),
    path(f"{PROJECT}/snapshots", snapshots.Snapshots.as_view(), name="api_snapshots"),
    path(f"{PROJECT}/snapshots/<int:key>", snapshots.OneSnapshot.as_view(), name="api_snapshot"),
    path(f"{PROJECT}/snapshots/<int:key>/download", snapshots.SnapshotFile.as_view(), name="api_snapshot_download"),
    path(f"{PROJECT}/imports", imports.Imports.as_view(), name="api_imports"),
    path(f"{PROJECT}/imports/<int:key>", imports.OneImport.as_view(), name="api_import"),
    path(f"{PROJECT}/imports/<int:key>/refused", imports.RefusedRows.as_view(), name="api_refused_rows"),
]
