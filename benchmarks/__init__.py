import training.learning  # noqa: F401  # both sides of a comparison wait for their threads as a job does
