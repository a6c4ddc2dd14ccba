"""From a data set in Pascal VOC layout to a checkpoint. ``python -m training --help`` is the way in."""
