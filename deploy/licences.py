"""Licences of the image's packages: what their metadata states, corrections of it, and which licences are allowed."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

ALLOWED = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD",  # the package does not say which variant
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
        # CUDA: may be redistributed with a program that uses it.
        "LicenseRef-NVIDIA-Proprietary",
        # libheif, libde265 and x265, which decode HEIC, as libraries of their own.
        "GPL-2.0-or-later",
        "LGPL-3.0-or-later",
    }
)
"""Allowed licences, by SPDX identifier."""

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
    # Their metadata says "Proprietary" or nothing.
    **dict.fromkeys(_NVIDIA, "LicenseRef-NVIDIA-Proprietary"),
    # Its metadata says "BSD", and its licence text is that of BSD-3-Clause.
    "torchvision": "BSD-3-Clause",
    # Libraries in its wheel have other licences than its code: see LICENSES_bundled.txt there.
    "pillow-heif": "BSD-3-Clause AND GPL-2.0-or-later AND LGPL-3.0-or-later",
}
"""Package -> licences, where its metadata omits some or all of them."""

_NAMES = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
_OPERATORS = re.compile(r"\s+(?:AND|OR|WITH)\s+|[()]")


def licence(component: Mapping[str, Any]) -> str:
    """Licence of a component of a CycloneDX document as an SPDX expression; empty if unknown."""
    entries = component.get("licenses", [])
    names = [entry.get("expression") or _name(entry["license"]) for entry in entries]
    # Among several declarations, an expression is the most complete.
    expressions = [name for name in names if " " in name]
    return expressions[0] if expressions else " OR ".join(sorted(set(names)))


def _name(entry: Mapping[str, str]) -> str:
    name = entry.get("id") or entry.get("name", "")
    return _NAMES.get(name, name)


def faults(components: Sequence[Mapping[str, Any]]) -> list[str]:
    """Describe every component whose licence is unknown or not allowed."""
    found = []
    for component in components:
        expression = licence(component)
        strange = {name for part in _OPERATORS.split(expression) if (name := part.strip())} - ALLOWED
        if not expression:
            found.append(f"{component['name']}: no licence is known")
        elif strange:
            found.append(f"{component['name']}: not allowed: {', '.join(sorted(strange))}")
    return found
