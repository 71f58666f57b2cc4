"""Everything that must last as one file, and back: docs/backup.md."""
