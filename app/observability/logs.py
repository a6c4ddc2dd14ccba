"""The service's log: one line per request or event, as JSON for machines or as text for people."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

from app.process_settings import LogFormat

FIELDS = "fields"
"""Attribute of a log record that holds named values besides its message."""


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON document, which escapes untrusted input."""

    def format(self, record: logging.LogRecord) -> str:
        document: dict[str, Any] = {
            "time": _time(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(document, default=str).decode()


class TextFormatter(logging.Formatter):
    """Formats a record as one line of text; untrusted input cannot start another line."""

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={_said(value)}" for name, value in getattr(record, FIELDS, {}).items())
        time = _time(record).astimezone().strftime("%H:%M:%S")
        line = _one_line(f"{time} {record.levelname.lower():7} {record.getMessage()}{fields}")
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def log_config(form: LogFormat, level: str) -> dict[str, Any]:
    """Configuration for ``logging.config.dictConfig``, which uvicorn accepts, too; logs go to standard error."""
    is_text = form is LogFormat.TEXT or (form is LogFormat.AUTO and sys.stderr.isatty())
    logger = {"handlers": ["stderr"], "level": level.upper(), "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": TextFormatter if is_text else JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        # asyncio and other libraries log little, and should log it in the same format.
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        # The last two log why traces cannot be sent.
        "loggers": dict.fromkeys(("uvicorn", "app", "fastapi", "opentelemetry"), logger),
    }


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _said(value: object) -> str:
    match value:
        case dict():
            return ",".join(f"{name}:{_said(part)}" for name, part in value.items())
        case float():
            return f"{value:.4g}"
        case _:
            return str(value)


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
