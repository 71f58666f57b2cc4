"""What goes in and out, a module a resource. Rows have the keys of the files of docs/formats.md."""
