"""The exceptions of ``training``.

TrainingError
├── DatasetError         a data set that cannot be read; names the file
├── FetchError           a data set that cannot be downloaded or unpacked
├── ConfigError          settings that cannot be used
├── TeacherError         a teacher network that cannot be used
├── ResumeError          a run that cannot be resumed
├── ExportError          checkpoints that cannot be exported or averaged, or an export that differs
└── DivergedError        the loss became infinite or not a number
"""


class TrainingError(Exception):
    """Base of every error that ``training`` raises on purpose."""


class DatasetError(TrainingError):
    """A data set, or one of its files, cannot be used."""


class FetchError(TrainingError):
    """A data set cannot be downloaded, is not the expected one, or cannot be unpacked."""


class ConfigError(TrainingError, ValueError):
    """A setting of a training run is invalid."""


class TeacherError(TrainingError):
    """A teacher network cannot be read, or does not segment the required classes."""


class ResumeError(TrainingError):
    """A folder holds no run, a damaged one, or one with other settings."""


class ExportError(TrainingError):
    """Checkpoints cannot be exported or averaged: something is missing or does not match, or the result differs."""


class DivergedError(TrainingError):
    """The loss became infinite or not a number; the message names the step and the last checkpoint."""
