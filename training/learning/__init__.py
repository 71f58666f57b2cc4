"""Jobs that need torch. Nothing here knows Django or a database: `python -m training.learning JOB_FOLDER`."""
