"""A machine learning backend for Label Studio, whose predictions are the service's masks."""
