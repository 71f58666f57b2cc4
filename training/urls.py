"""The pages of training, and those of lower apps that show its rows."""

from django.urls import path

from training.views import (
    exports,
    freezing,
    home,
    jobs,
    launches,
    policies,
    projects,
    reward_models,
    under_way,
    workers,
)

urlpatterns = [
    path("", home.home, name="home"),
    path("projects/<slug:slug>/", projects.project, name="project"),
    path("projects/<slug:slug>/sample", launches.sample, name="sample"),
    path("projects/<slug:slug>/train", launches.train, name="train"),
    path("projects/<slug:slug>/best-of-n", launches.best_of_n, name="best_of_n"),
    path("projects/<slug:slug>/send-to-desk", projects.send_to_desk, name="send_to_desk"),
    path("projects/<slug:slug>/batches/<int:pk>/origin", projects.batch_origin, name="batch_origin"),
    path("projects/<slug:slug>/snapshots/new", freezing.freeze, name="freeze"),
    path("projects/<slug:slug>/snapshots/<int:pk>/files/new", launches.make_file, name="make_file"),
    path("projects/<slug:slug>/under-way/<str:kind>", under_way.under_way, name="under_way"),
    path("exports/<str:secret>/<str:name>", exports.export_file, name="export_file"),
    path("jobs/", jobs.jobs, name="jobs"),
    path("jobs/<int:pk>", jobs.job, name="job"),
    path("jobs/<int:pk>/metrics.json", jobs.job_metrics, name="job_metrics"),
    path("jobs/<int:pk>/scores", jobs.job_scores, name="job_scores"),
    path("jobs/<int:pk>/log", jobs.job_log, name="job_log"),
    path("jobs/<int:pk>/link", exports.job_link, name="job_link"),
    path("jobs/<int:pk>/cancel", jobs.cancel_job, name="cancel_job"),
    path("jobs/<int:pk>/retry", jobs.retry_job, name="retry_job"),
    path("policies/", policies.policies, name="policies"),
    path("policies/add", policies.add_policy, name="add_policy"),
    path("policies/<int:pk>", policies.policy, name="policy"),
    path("reward-models/", reward_models.reward_models, name="reward_models"),
    path("reward-models/compare", reward_models.reward_model_compare, name="reward_model_compare"),
    path("reward-models/<int:pk>", reward_models.reward_model, name="reward_model"),
    path(
        "reward-models/<int:pk>/disagreements",
        reward_models.reward_model_disagreements,
        name="reward_model_disagreements",
    ),
    path("reward-models/<int:pk>/rewardbench", reward_models.score_rewardbench, name="score_rewardbench"),
    path("reward-models/<int:pk>/score", launches.score, name="score"),
    path("workers/", workers.workers, name="workers"),
]
