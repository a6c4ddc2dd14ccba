"""From a data set in Pascal VOC layout to a checkpoint. Start with ``python -m training --help``."""
