"""Jobs that need torch. Nothing here knows Django or a database: `python -m training.learning JOB_FOLDER`."""

import os

# Threads of torch meet at every layer. Where others use the cores too, one that spins takes the time that the one it
# waits for needs, and the job takes many times as long. This is read when torch is loaded, which comes later.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
