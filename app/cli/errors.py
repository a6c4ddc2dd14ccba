"""Errors and exit codes of the commands.

CommandError
├── CannotStartError     weights, device, service or a library that a command needs cannot be used
├── FileError            one file has failed; the others continue
└── ServiceGoneError     the service has disappeared while files were in progress
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the commands; ``USAGE`` is Typer's own."""

    DONE = 0
    SOME_FAILED = 1
    USAGE = 2
    CANNOT_START = 3
    INTERRUPTED = 130


EXIT_CODES = (
    "Exit codes: 0 success, 1 some files failed, 2 wrong usage, 3 cannot start (weights, device, service), "
    "130 interrupted."
)
"""The exit codes as the help text describes them."""


class CommandError(Exception):
    """Base class of the commands' errors."""


class CannotStartError(CommandError):
    """Something that the command needs cannot be used."""


class FileError(CommandError):
    """A file has failed; the message is the reason."""


class ServiceGoneError(CommandError):
    """The service no longer responds."""
