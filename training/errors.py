"""The exceptions of ``training``.

TrainingError
├── DatasetError         a data set that cannot be read; names the file
├── ConfigError          settings that cannot be used
└── DivergedError        the loss became infinite or not a number
"""


class TrainingError(Exception):
    """Base of every error that ``training`` raises on purpose."""


class DatasetError(TrainingError):
    """A data set, or one of its files, cannot be used."""


class ConfigError(TrainingError, ValueError):
    """A setting of a training run is out of its range."""


class DivergedError(TrainingError):
    """The loss became infinite or not a number; names the step and the last checkpoint."""
