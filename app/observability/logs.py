"""The service's log: one line a request and one an event, as JSON for machines or as text for people."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

from app.process_settings import LogFormat

FIELDS = "fields"
"""Attribute of a record that has named values beside its message."""


class JsonFormatter(logging.Formatter):
    """A record as one JSON document; what strangers sent is escaped by that."""

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
    """A record as a line; what strangers sent can not begin another."""

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={_said(value)}" for name, value in getattr(record, FIELDS, {}).items())
        time = _time(record).astimezone().strftime("%H:%M:%S")
        line = _one_line(f"{time} {record.levelname.lower():7} {record.getMessage()}{fields}")
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def log_config(form: LogFormat, level: str) -> dict[str, Any]:
    """For ``logging.config.dictConfig``, as uvicorn takes it; to standard error."""
    is_text = form is LogFormat.TEXT or (form is LogFormat.AUTO and sys.stderr.isatty())
    logger = {"handlers": ["stderr"], "level": level.upper(), "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": TextFormatter if is_text else JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        # asyncio and others say little, and should say it in the same form.
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        # The last two say why traces can't be sent.
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
