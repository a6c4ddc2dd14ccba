"""What the check finds amiss."""


class CheckError(Exception):
    """The Dockerfile, or the service that it makes, does not do what it should."""
