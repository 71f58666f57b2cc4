"""The public formats, a module each: what a row of a file means, and how rows are written. Pure.

Keys are promises: add, never rename. docs/formats.md has the tables."""
