"""Tests that need a program of the operating system run where it is installed."""

import shutil

import pytest


def missing(*programs: str) -> str:
    """Why a test that needs these programs is skipped; empty if all are installed."""
    absent = [program for program in programs if shutil.which(program) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


def needs(*programs: str) -> pytest.MarkDecorator:
    reason = missing(*programs)
    return pytest.mark.skipif(bool(reason), reason=reason)
