from django.apps import AppConfig


class TrainingConfig(AppConfig):
    name = "training"
    verbose_name = "Training: jobs that make policies"

    def ready(self) -> None:
        from training import guards  # noqa: F401  # it connects itself
