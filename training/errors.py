"""The exceptions of ``training``.

TrainingError
├── DatasetError         a data set that cannot be read; names the file
├── FetchError           a data set that cannot be downloaded or unpacked
├── ConfigError          settings that cannot be used
├── TeacherError         a network to learn from that cannot be used
├── ResumeError          a run that cannot be gone on with
├── ExportError          a file for others cannot be made of a checkpoint, or is not equal to it
└── DivergedError        the loss became infinite or not a number
"""


class TrainingError(Exception):
    """Base of every error that ``training`` raises on purpose."""


class DatasetError(TrainingError):
    """A data set, or one of its files, cannot be used."""


class FetchError(TrainingError):
    """A data set cannot be downloaded, is not the one that was asked for, or cannot be unpacked."""


class ConfigError(TrainingError, ValueError):
    """A setting of a training run is out of its range."""


class TeacherError(TrainingError):
    """A network to learn from cannot be read, or is no segmentation network of the classes wanted."""


class ResumeError(TrainingError):
    """A folder holds no run, a damaged one, or one of other settings."""


class ExportError(TrainingError):
    """A file for others cannot be made of a checkpoint: packages or scores are missing or foreign, or it differs."""


class DivergedError(TrainingError):
    """The loss became infinite or not a number; names the step and the last checkpoint."""
