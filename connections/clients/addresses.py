"""Which addresses a site may have.

Without leave for local sites only https to a public address is allowed, so that nobody can turn this
installation against the network it stands in. A name is judged by every address it resolves to, and
again by the peer of each real connection (wire.py), since a name may resolve differently the second time.
"""

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA = frozenset(map(ipaddress.ip_address, ("169.254.169.254", "fd00:ec2::254")))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressError(ValueError):
    """An address that must not be called; the message says why and what to do."""


def check_address(url: str, allow_local: bool) -> None:
    """Refuse a site's URL by its form and by what its host resolves to now.

    A name that does not resolve is not refused here: it may only be unknown for the moment.
    """
    check_form(url, allow_local)
    host = urlsplit(url).hostname or ""
    for ip in _resolved(host):
        check_ip(ip, host, allow_local)


def check_form(url: str, allow_local: bool) -> None:
    """Refuse a URL by its text alone: scheme, host, port, embedded credentials, literal addresses."""
    parts = _split(url)
    _check_scheme(parts.scheme, url, allow_local)
    host = parts.hostname
    if not host:
        raise AddressError(f"{url!r} is not an address: it names no host. Expected https://host/…")
    if parts.username is not None or parts.password is not None:
        raise AddressError(f"The address of {host} must not contain a user name or password. Use a token.")
    if not allow_local and _is_local_name(host):
        raise AddressError(_local_refusal(host))
    if ip := _literal(host):
        check_ip(ip, host, allow_local)


def check_ip(ip: str, host: str, allow_local: bool) -> None:
    """Refuse an IP address that `host` stands for."""
    address = _unwrapped(ipaddress.ip_address(ip.partition("%")[0]))
    if address.is_multicast or address.is_unspecified or address in _METADATA or address.is_link_local:
        raise AddressError(f"{host} leads to {ip}, which is no address of a site. Correct the site's url.")
    is_private = not address.is_global or getattr(address, "is_site_local", False)
    if is_private and not allow_local:
        raise AddressError(_local_refusal(host, ip))


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError as error:
        raise AddressError(f"{url!r} is not an address: {error}.") from None
    return parts


def _check_scheme(scheme: str, url: str, allow_local: bool) -> None:
    if scheme == "https" or (allow_local and scheme == "http"):
        return
    if scheme == "http":
        raise AddressError(
            f"{url!r} is not encrypted. Use https://, or set ALLOW_LOCAL_SITES for trying out."
        )
    raise AddressError(f"{url!r} is not an address. Expected https://host/…")


def _local_refusal(host: str, ip: str = "") -> str:
    where = f"{host} ({ip})" if ip and ip != host else host
    return f"{where} is a local or private address. Sites there need ALLOW_LOCAL_SITES=true."


def _is_local_name(host: str) -> bool:
    return host.rstrip(".").lower().rpartition(".")[2] in {"localhost", "local", "internal"}


def _literal(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return ""


def _resolved(host: str) -> set[str]:
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return set()


def _unwrapped(address: IPAddress) -> IPAddress:
    """The IPv4 address inside a mapped, 6to4, Teredo or NAT64 one, since that is where the packets go."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address
