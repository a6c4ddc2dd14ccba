"""The sub-commands of ``python -m training``, one a file."""
