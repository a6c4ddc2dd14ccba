"""A machine learning backend for Label Studio: predictions are what the service segments."""
