"""What mkdocs does to the pages on their way into the site."""
