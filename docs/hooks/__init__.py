"""Hooks of mkdocs, which turn the pages into the site."""
