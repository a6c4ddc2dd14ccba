"""Skipping tests that need programs of the operating system that are not installed."""

import shutil

import pytest


def missing(*programs: str) -> str:
    """Reason to skip a test that needs these programs; empty if all are installed."""
    absent = [program for program in programs if shutil.which(program) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


def needs(*programs: str) -> pytest.MarkDecorator:
    reason = missing(*programs)
    return pytest.mark.skipif(bool(reason), reason=reason)
