"""API keys: ``python -m app.api.auth.keys NAME`` makes one, and its line for the file ``FCN_API_KEYS_FILE``.

The file has a line ``NAME SHA256HEX [SCOPE,SCOPE]`` per key; ``#`` begins a comment. It holds only hashes, and plain
SHA-256 is enough: a key is 256 random bits, which cannot be guessed, so that a slow, salted password hash would protect
nothing; and a fast hash keeps it cheap to refuse wrong keys.
"""

import argparse
import hashlib
import hmac
import re
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

_MAX_KEY_LENGTH = 512
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIGEST = re.compile(r"[0-9A-Fa-f]{64}")


class KeysError(Exception):
    """The file of keys is missing or malformed."""


class KeyScope(StrEnum):
    """The routes that a key gives access to."""

    SEGMENT = "segment"
    METRICS = "metrics"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Key:
    """One line of the file.

    Attributes:
        name: the owner's name, for the log; several keys may share it, e.g. an old and a new one during rotation.
        digest: SHA-256 of the key.
        scopes: the key's scopes.
    """

    name: str
    digest: bytes
    scopes: frozenset[KeyScope]


class Keys:
    """The keys of a file. Until ``reload`` has read it, there are none, and every request is refused."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: tuple[Key, ...] = ()

    def __len__(self) -> int:
        return len(self._keys)

    def reload(self) -> None:
        """Read the file again.

        Raises:
            KeysError: the file is missing or malformed; the keys are unchanged.
        """
        self.replace(self.read())

    def replace(self, keys: tuple[Key, ...]) -> None:
        """Replace all keys."""
        self._keys = keys

    def read(self) -> tuple[Key, ...]:
        """Read the keys that are in the file now.

        Raises:
            KeysError: the file is missing or malformed.
        """
        try:
            text = self._path.read_text()
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise KeysError(f"the keys in {self._path} cannot be read: {reason}") from error
        try:
            return parse_keys(text)
        except KeysError as error:
            raise KeysError(f"the keys in {self._path} cannot be used: {error}") from error

    def find(self, presented: str) -> Key | None:
        """The key with the value that a client has sent in a header; None if it is unknown.

        The time does not depend on which key it is: every hash is compared, each in constant time.
        """
        if len(presented) > _MAX_KEY_LENGTH:
            return None
        digest = _digest(presented)
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found


def parse_keys(text: str) -> tuple[Key, ...]:
    """Parse the text of a file of keys.

    Raises:
        KeysError: a line is malformed, two lines have the same key, or there are no keys.
    """
    keys: dict[bytes, Key] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            key = _parse_key(words)
        except KeysError as error:
            raise KeysError(f"line {number}: {error}") from error
        if key.digest in keys:
            raise KeysError(f"line {number}: {key.name} has the same key as {keys[key.digest].name}, further up")
        keys[key.digest] = key
    if not keys:
        raise KeysError("there are none")
    return tuple(keys.values())


def main(arguments: Sequence[str] | None = None) -> None:
    """Make a key: print the key to standard error, for its owner, and its line for the file to standard output."""
    parser = argparse.ArgumentParser(prog="python -m app.api.auth.keys", description=main.__doc__)
    parser.add_argument("name", help="name of the key's owner: letters, digits, dot, dash, underscore")
    parser.add_argument(
        "--scopes", default=KeyScope.SEGMENT.value, help=f"comma-separated scopes: {', '.join(KeyScope)}"
    )
    options = parser.parse_args(arguments)
    key = secrets.token_urlsafe(32)
    line = f"{options.name} {_digest(key).hex()} {options.scopes}"
    try:
        parse_keys(line)
    except KeysError as error:
        parser.error(str(error).removeprefix("line 1: "))
    print(f"The key, which is shown only once: {key}", file=sys.stderr)
    print(line)


def _parse_key(words: list[str]) -> Key:
    """Parse a line. The message of a KeysError never contains a word that may be a key."""
    if len(words) not in (2, 3):
        raise KeysError("a key has a name, a hash and, with commas but no spaces between, scopes")
    name, digest = words[:2]
    if not _NAME.fullmatch(name):
        raise KeysError("a name has 1 to 64 letters, digits, dots, dashes and underscores")
    if not _DIGEST.fullmatch(digest):
        raise KeysError(f"after the name {name} comes the SHA-256 of a key, in 64 hexadecimal digits")
    scopes = words[2].split(",") if len(words) == 3 else [KeyScope.SEGMENT]
    if not set(scopes) <= set(KeyScope):
        raise KeysError(f"the scopes of {name} are not all of {', '.join(KeyScope)}")
    return Key(name, bytes.fromhex(digest), frozenset(map(KeyScope, scopes)))


def _digest(key: str) -> bytes:
    # Starlette decodes header values as latin-1.
    return hashlib.sha256(key.encode("latin-1")).digest()


if __name__ == "__main__":
    main()
