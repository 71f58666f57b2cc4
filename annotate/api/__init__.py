"""The API under /api/v1/, for scripts with a token. docs/api.md has examples. What it does stands in other modules."""
