"""Who may use which address, by which method. A route that is missing here fails tests/test_permissions.py.

The word is the least that one must be: "anyone", "signed in", a role in the project, or "installation admin"."""

LEVELS = ("anyone", "signed in", "labeler", "reviewer", "researcher", "admin", "installation admin")

MATRIX: dict[str, dict[str, str]] = {
    "livez": {"GET": "anyone"},
    "readyz": {"GET": "anyone"},
    # Accounts
    "sign_in": {"GET": "anyone", "POST": "anyone"},
    "sign_in_link": {"GET": "anyone", "POST": "anyone"},
    "sign_out": {"POST": "signed in"},
    "account": {"GET": "signed in", "POST": "signed in"},
    "password": {"GET": "signed in", "POST": "signed in"},
    # Projects and their people
    "home": {"GET": "signed in"},
    "projects": {"GET": "signed in"},
    "project_new": {"GET": "installation admin", "POST": "installation admin"},
    "project": {"GET": "labeler"},
    "project_settings": {"GET": "admin", "POST": "admin"},
    "guidelines": {"GET": "labeler", "POST": "admin"},
    "members": {"GET": "admin", "POST": "admin"},
    "member": {"GET": "admin", "POST": "admin"},
    "member_link": {"POST": "admin"},
    "member_remove": {"POST": "admin"},
    # The desk
    "rank": {"GET": "labeler"},
    "rank_undo": {"POST": "labeler"},
    "rank_draft": {"POST": "labeler"},
    "rank_hold": {"POST": "labeler"},
    "rank_submit": {"POST": "labeler"},
    "rank_skip": {"POST": "labeler"},
    "my_work": {"GET": "labeler"},
    # Data
    "prompts": {"GET": "reviewer"},
    "prompt": {"GET": "reviewer"},
    "import_prompts": {"GET": "researcher", "POST": "researcher"},
    "import_answers": {"GET": "researcher", "POST": "researcher"},
    "rankings": {"GET": "reviewer"},
    "ranking": {"GET": "reviewer"},
    "snapshots": {"GET": "researcher"},
    "freeze": {"GET": "researcher", "POST": "researcher"},
    "snapshot": {"GET": "researcher"},
    "snapshot_card": {"GET": "researcher"},
    "snapshot_compare": {"GET": "researcher"},
    "snapshot_delete": {"GET": "researcher", "POST": "researcher"},
    "snapshot_download": {"GET": "researcher"},
    "export": {"GET": "researcher"},
    # Jobs and what they make
    "sample": {"GET": "researcher", "POST": "researcher"},
    "train": {"GET": "researcher", "POST": "researcher"},
    "best_of_n": {"GET": "researcher", "POST": "researcher"},
    "send_to_desk": {"POST": "researcher"},
    "jobs": {"GET": "signed in"},
    "job": {"GET": "researcher"},
    "job_metrics": {"GET": "researcher"},
    "job_scores": {"GET": "researcher"},
    "job_log": {"GET": "researcher"},
    "cancel_job": {"POST": "researcher"},
    "retry_job": {"POST": "researcher"},
    "policies": {"GET": "signed in"},
    "policy": {"GET": "signed in"},
    "add_policy": {"GET": "installation admin", "POST": "installation admin"},
    "reward_models": {"GET": "signed in"},
    "reward_model": {"GET": "researcher"},
    "score": {"GET": "researcher", "POST": "researcher"},
    "workers": {"GET": "installation admin"},
}
