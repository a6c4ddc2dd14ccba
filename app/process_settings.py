"""Settings of processes as such, whatever they serve: the supervisor reads them, and does without PyTorch."""

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
"""Validator of settings with a choice of words, which may be in any case."""

_LEVELS = {"warn": "warning", "fatal": "critical"}
"""Python's other names."""

LogLevel = Annotated[
    Literal["critical", "error", "warning", "info", "debug"],
    BeforeValidator(lambda level: _LEVELS.get(level, level)),
    AnyCase,
]


class ProcessSettings(BaseSettings):
    """Where and by how many processes is served, and what they log."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(
        1,
        ge=1,
        le=256,
        description="Processes that serve, each with weights, queue and limits of its own: what is said of memory, "
        "queues and connections here is for each of them.",
    )
    log_level: LogLevel = Field(
        "info",
        description="Least severity that is logged: `critical`, `error`, `warning`, `info` or `debug`.",
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
    """The settings of the environment; ends the process with code 2 and a line for each that is wrong.

    Variables that look like settings and are none are told, by those who read all settings.
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
