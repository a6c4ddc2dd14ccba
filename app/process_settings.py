"""Settings of processes as such, whatever they serve: the supervisor reads them, and does without PyTorch."""

import sys
from enum import StrEnum
from typing import TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

_Settings = TypeVar("_Settings", bound=BaseSettings)


class LogFormat(StrEnum):
    """``auto``: text on a terminal, JSON elsewhere."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class ProcessSettings(BaseSettings):
    """Where and by how many processes is served, and what they log."""

    model_config = SettingsConfigDict(env_prefix="FCN_", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(
        1,
        ge=1,
        le=256,
        description="Processes that serve, each with weights, queue and limits of its own: what is said of memory, "
        "queues and connections here is for each of them.",
    )
    log_level: str = Field(
        "info", pattern="^(critical|error|warning|info|debug)$", description="Least severity that is logged."
    )
    log_format: LogFormat = Field(
        LogFormat.AUTO, description="`json` or `text`; `auto` is text on a terminal and JSON elsewhere."
    )


def read_settings(kind: type[_Settings]) -> _Settings:
    """The settings of the environment; ends the process with code 2 and a line for each that is wrong."""
    try:
        return kind()
    except ValidationError as error:
        for fault in error.errors():
            name = "FCN_" + "_".join(str(part) for part in fault["loc"]).upper()
            sys.stderr.write(f"error: {name}: {fault['msg']}\n")
        raise SystemExit(2) from error
