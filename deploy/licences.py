"""The licences of what the image holds: what packages say of themselves, what they should say, and what is allowed."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

ALLOWED = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD",  # which of its forms, the package does not say
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "ISC",
        "LLVM-exception",
        "MIT",
        "MIT-CMU",
        "MPL-2.0",
        "PSF-2.0",
        "Zlib",
        # CUDA: may be passed on with a program that uses it.
        "LicenseRef-NVIDIA-Proprietary",
        # libheif, libde265 and x265, which decode HEIC, as libraries of their own.
        "GPL-2.0-or-later",
        "LGPL-3.0-or-later",
    }
)
"""SPDX's names."""

_NVIDIA = (
    "cuda-toolkit",
    "nvidia-cuda-cupti",
    "nvidia-cuda-nvrtc",
    "nvidia-cufft",
    "nvidia-cufile",
    "nvidia-curand",
    "nvidia-cusolver",
    "nvidia-cusparse",
    "nvidia-cusparselt-cu13",
    "nvidia-nvtx",
)

STATED: Mapping[str, str] = {
    # "Proprietary" is all that they say, or nothing.
    **dict.fromkeys(_NVIDIA, "LicenseRef-NVIDIA-Proprietary"),
    # "BSD", and the text of this one.
    "torchvision": "BSD-3-Clause",
    # What its wheel carries has other licences than its code: LICENSES_bundled.txt in it.
    "pillow-heif": "BSD-3-Clause AND GPL-2.0-or-later AND LGPL-3.0-or-later",
}
"""Licences of packages whose metadata leaves them out or does not say all of them."""

_NAMES = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
_OPERATORS = re.compile(r"\s+(?:AND|OR|WITH)\s+|[()]")


def licence(component: Mapping[str, Any]) -> str:
    """The licence of a component of a CycloneDX document, as an SPDX expression; empty where it is not known."""
    entries = component.get("licenses", [])
    names = [entry.get("expression") or _name(entry["license"]) for entry in entries]
    # Of several declarations an expression says the most.
    expressions = [name for name in names if " " in name]
    return expressions[0] if expressions else " OR ".join(sorted(set(names)))


def _name(entry: Mapping[str, str]) -> str:
    name = entry.get("id") or entry.get("name", "")
    return _NAMES.get(name, name)


def faults(components: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is wrong with the components' licences: unknown ones, and those that are not allowed."""
    found = []
    for component in components:
        expression = licence(component)
        strange = {name for part in _OPERATORS.split(expression) if (name := part.strip())} - ALLOWED
        if not expression:
            found.append(f"{component['name']}: no licence is known")
        elif strange:
            found.append(f"{component['name']}: not allowed: {', '.join(sorted(strange))}")
    return found
