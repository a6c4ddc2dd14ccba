"""Settings of the processes. They are separate, so that the supervisor can read them without importing PyTorch."""

import os
import sys
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.environment import PREFIX, foreign_variables, is_service_link

_VALUE_CHARACTERS = 100

_Settings = TypeVar("_Settings", bound=BaseSettings)


class LogFormat(StrEnum):
    """``auto``: text on a terminal, JSON elsewhere."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


def _in_lower_case(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


AnyCase = BeforeValidator(_in_lower_case)
"""Validator that makes a setting with a choice of words case-insensitive."""

_LEVELS = {"warn": "warning", "fatal": "critical"}
"""Python's aliases of log levels."""

LogLevel = Annotated[
    Literal["critical", "error", "warning", "info", "debug"],
    BeforeValidator(lambda level: _LEVELS.get(level, level)),
    AnyCase,
]


class ProcessSettings(BaseSettings):
    """Address, number of processes, and logging."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    workers: int = Field(
        1,
        ge=1,
        le=256,
        description="Number of worker processes. Each has its own weights, queues and limits: settings of memory, "
        "queues and connections apply per worker.",
    )
    log_level: LogLevel = Field(
        "info",
        description="Minimum severity that is logged: `critical`, `error`, `warning`, `info` or `debug`.",
    )
    log_format: Annotated[LogFormat, AnyCase] = Field(
        LogFormat.AUTO, description="`json` or `text`; `auto` is text on a terminal and JSON elsewhere."
    )

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, values: dict[str, object]) -> dict[str, object]:
        stripped = {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}
        return {name: value for name, value in stripped.items() if value != ""}

    @field_validator("port", mode="before")
    @classmethod
    def _without_service_link(cls, value: object) -> object:
        return cls.model_fields["port"].default if is_service_link(value) else value


def read_settings(kind: type[_Settings]) -> _Settings:
    """Read the settings from the environment; exit with code 2 and print a line per invalid setting.

    If all settings are read, also print a warning for each variable that looks like a setting but is not one.
    """
    if kind is not ProcessSettings:
        for sentence in foreign_variables(os.environ, kind.model_fields):
            sys.stderr.write(f"warning: {sentence}\n")
    try:
        return kind()
    except ValidationError as error:
        sys.stderr.writelines(f"error: {_fault(**fault)}\n" for fault in error.errors())
        raise SystemExit(2) from error


def _fault(loc: tuple[int | str, ...], msg: str, input: object, **_: Any) -> str:  # noqa: A002 (pydantic's name)
    return f"{PREFIX}{str(loc[0]).upper()}={str(input)[:_VALUE_CHARACTERS]}: {msg}"
