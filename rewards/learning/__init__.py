"""Reward models in torch. Nothing here knows Django or a database: files in, files out."""
