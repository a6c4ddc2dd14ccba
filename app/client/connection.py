"""Connection settings: the service's address, the key, and proxies."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import TypeVar
from urllib.request import getproxies, proxy_bypass

import httpx2

from app import __version__

_Http = TypeVar("_Http", httpx2.Client, httpx2.AsyncClient)


def open_http(kind: Callable[..., _Http], url: str, key: str | None) -> _Http:
    """Make a client of the HTTP library. It uses the environment's proxies, except for local addresses.

    Args:
        kind: class of the client.
        url: the service's address.
        key: API key, if the service requires one.

    Raises:
        ValueError: the key is invalid, or the environment's certificates or proxy cannot be used.
    """
    options = {"base_url": url, "headers": headers(key)}
    try:
        certificates = httpx2.create_ssl_context()
    except OSError as error:
        raise ValueError(
            f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be used: {error}"
        ) from error
    if is_local(url):
        # Ignore the environment, except for its certificates.
        return kind(**options, trust_env=False, verify=certificates)
    try:
        return kind(**options, verify=certificates)
    except (ImportError, ValueError, httpx2.InvalidURL) as error:
        raise ValueError(f"the proxy that the environment names cannot be used: {error}") from error


def is_local(url: str) -> bool:
    """Whether an address is on this machine."""
    host = httpx2.URL(url).host
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def proxy_of(url: str) -> str | None:
    """The proxy used for an address, without its password; None if there is none."""
    target = httpx2.URL(url)
    proxies = getproxies()
    proxy = proxies.get(target.scheme) or proxies.get("all")
    if proxy is None or is_local(url) or proxy_bypass(target.host):
        return None
    return proxy.rpartition("@")[2]


def require_address(url: str) -> str:
    """Check an address, and return it.

    Raises:
        ValueError: the address is invalid.
    """
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise ValueError(f"{url!r} is not an address: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(f"{url!r} is not an address of a service, like http://HOST:PORT")
    return url


def headers(key: str | None) -> dict[bytes, bytes]:
    """Headers of every request.

    Raises:
        ValueError: the key has characters that a header cannot hold, e.g. the line break at a file's end.
    """
    own = {b"User-Agent": f"fcn-segmentation/{__version__}".encode()}
    if key is None:
        return own
    if not key or not key.isprintable() or key != key.strip():
        raise ValueError("the key is empty, or has line breaks or other characters that a header cannot hold")
    return {**own, b"Authorization": f"Bearer {key}".encode()}
