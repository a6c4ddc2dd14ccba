"""Authentication, authorization and rate limiting."""
