"""Environment variables that have the settings' prefix but are not settings."""

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

PREFIX = "FCN_"

WORKERS_FOLDER = f"{PREFIX}WORKERS_FOLDER"
"""Variable, set by the supervisor, that names the folder shared by the workers of one service."""

_OTHERS = frozenset({"API_KEY", "DATA", "KEY", "WORKERS_FOLDER"})
"""Known variables of clients, examples and workers, without the prefix."""

_LINK_VALUE = re.compile(r"(tcp|udp|sctp)://")
_LINK_NAME = re.compile(r"(.+_)?(SERVICE_(HOST|PORT(_.+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")


def is_service_link(value: object) -> bool:
    """Whether a value is the address of a Service that Kubernetes puts into the environment of its pods."""
    return isinstance(value, str) and _LINK_VALUE.match(value) is not None


def foreign_variables(variables: Mapping[str, str], settings: Collection[str]) -> Iterator[str]:
    """Yield a warning for each variable that looks like a setting but has no effect.

    Args:
        variables: the environment variables.
        settings: names of all settings, without the prefix, in lower case.
    """
    known = sorted(name.upper() for name in settings)
    for variable, value in sorted(variables.items()):
        name = variable.upper().removeprefix(PREFIX)
        if name == variable.upper() or name in _OTHERS:
            continue
        if name in known:
            if name == "PORT" and is_service_link(value):
                yield (
                    f"{variable}={value} is Kubernetes' link to a Service, not a setting, so the default applies; "
                    "enableServiceLinks: false avoids such links"
                )
        elif not _LINK_NAME.fullmatch(name):
            nearest = get_close_matches(name, known, n=1)
            yield f"{variable} is not a setting" + (f"; did you mean {PREFIX}{nearest[0]}?" if nearest else "")
