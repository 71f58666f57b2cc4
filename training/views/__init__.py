"""Pages of training, one module a subject."""
