"""How a command ends when it does not end well.

CommandError
├── CannotStartError     weights, device, service or a library that a command needs cannot be used
├── FileError            one file is not done; the others are
└── ServiceGoneError     the service has gone while files were in work
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Of the commands; ``USAGE`` is Typer's own."""

    DONE = 0
    SOME_FAILED = 1
    USAGE = 2
    CANNOT_START = 3
    INTERRUPTED = 130


EXIT_CODES = (
    "Exit codes: 0 all is done, 1 some files failed, 2 wrong usage, 3 cannot start (weights, device, service), "
    "130 interrupted."
)
"""The exit codes as the help text describes them."""


class CommandError(Exception):
    """Base of what commands raise on purpose."""


class CannotStartError(CommandError):
    """What the command needs cannot be used."""


class FileError(CommandError):
    """A file is not done; the message is the reason."""


class ServiceGoneError(CommandError):
    """The service that was asked answers no more."""
