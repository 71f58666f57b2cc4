"""Pages of annotation, one module a subject. The desk's stand in annotate/desk.py."""
