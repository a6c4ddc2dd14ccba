"""Continuing a response that one replica began and another one completes."""

from hashlib import sha256

from deploy.ray.messages import Head

_DIGEST_HEADER = b"x-checkpoint-sha256"


class DifferentAnswerError(Exception):
    """The second replica's response does not begin like the first one's, part of which the client already has."""


class Transcript:
    """Removes from a repeated response what has been sent: the same weights and image give the same bytes.

    Attributes:
        head: head that was sent; None if none was.
    """

    def __init__(self) -> None:
        self.head: Head | None = None
        self._told_bytes = 0
        self._told = sha256()
        self._heard_bytes = 0
        self._heard = sha256()

    def begin_again(self) -> None:
        """Expect the response from its beginning, from another replica."""
        self._heard_bytes = 0
        self._heard = sha256()

    def news(self, part: Head | bytes) -> Head | bytes | None:
        """The new portion of a part; None if there is none.

        Raises:
            DifferentAnswerError: the part differs from what was sent.
        """
        return self._head_news(part) if isinstance(part, Head) else self._body_news(part)

    def end(self) -> None:
        """Check that the response did not end early.

        Raises:
            DifferentAnswerError: more had been sent to the client.
        """
        if self._heard_bytes < self._told_bytes:
            raise DifferentAnswerError(f"it ends after {self._heard_bytes} bytes; {self._told_bytes} were sent")

    def _head_news(self, head: Head) -> Head | None:
        if self.head is None:
            self.head = head
            return head
        if _identity(head) != _identity(self.head):
            raise DifferentAnswerError(f"{_identity(self.head)} was sent, but now comes {_identity(head)}")
        return None

    def _body_news(self, part: bytes) -> bytes | None:
        known = min(len(part), self._told_bytes - self._heard_bytes)
        self._heard.update(part[:known])
        self._heard_bytes += known
        if known and self._heard_bytes == self._told_bytes and self._heard.digest() != self._told.digest():
            raise DifferentAnswerError(f"the first {self._told_bytes} bytes differ from those that were sent")
        new = part[known:]
        self._told.update(new)
        self._heard.update(new)
        self._told_bytes += len(new)
        self._heard_bytes += len(new)
        return new or None


def _identity(head: Head) -> tuple[int, bytes | None, bytes | None]:
    """Status, digest of the weights and length, which must be equal in all responses to one request."""
    return head.status, head.header(_DIGEST_HEADER), head.header(b"content-length")
