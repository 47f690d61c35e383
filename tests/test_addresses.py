"""Nobody can turn this installation against the network it stands in."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connections.clients.addresses import AddressError, check_address, check_form, check_ip

PUBLIC = "93.184.215.14"


@pytest.fixture
def names(monkeypatch):
    """A made-up DNS: name -> addresses."""
    known: dict[str, list[str]] = {}

    def getaddrinfo(host, *_, **__):
        if host not in known:
            raise socket.gaierror("unknown name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 0)) for ip in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.mark.parametrize(
    "url",
    [
        "http://jira.example.com",
        "ftp://jira.example.com",
        "jira.example.com",
        "",
        "https://",
        "https://localhost:8080",
        "https://LOCALHOST.",
        "https://build.internal",
        "https://alice:secret@jira.example.com",
        "https://jira.example.com:99999",
        "https://127.0.0.1",
        "https://10.1.2.3/x",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://100.64.0.1",
        "https://0.0.0.0",
        "https://224.0.0.1",
    ],
)
def test_an_operator_cannot_save_a_local_or_unencrypted_address(url):
    with pytest.raises(AddressError):
        check_form(url, allow_local=False)


@pytest.mark.parametrize(
    "url", ["https://acme.atlassian.net", "https://api.atlassian.com/ex/jira/1-2", f"https://{PUBLIC}"]
)
def test_a_public_https_address_is_accepted(url):
    check_form(url, allow_local=False)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000/jira/jca", "http://localhost:1", "https://10.0.0.4"])
def test_with_leave_for_local_sites_loopback_and_private_addresses_are_accepted(url):
    check_address(url, allow_local=True)


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/", "http://[fd00:ec2::254]/", "http://0.0.0.0/", "ftp://127.0.0.1/"]
)
def test_the_cloud_metadata_service_is_refused_even_with_leave_for_local_sites(url):
    with pytest.raises(AddressError):
        check_address(url, allow_local=True)


def test_a_name_is_refused_when_any_of_its_addresses_is_private(names):
    names["jira.example.com"] = [PUBLIC, "10.0.0.4"]
    with pytest.raises(AddressError, match=r"jira\.example\.com \(10\.0\.0\.4\).*ALLOW_LOCAL_SITES"):
        check_address("https://jira.example.com", allow_local=False)


def test_a_number_that_the_resolver_reads_as_loopback_is_refused(names):
    names["2130706433"] = ["127.0.0.1"]
    with pytest.raises(AddressError):
        check_address("https://2130706433/", allow_local=False)


def test_a_name_that_does_not_resolve_now_may_still_be_saved(names):
    check_address("https://not-yet.example.com", allow_local=False)


@pytest.mark.parametrize(
    "ip",
    [
        "::ffff:10.0.0.1",
        "2002:7f00:0001::",
        "64:ff9b::7f00:1",
        "::",
        "ff02::1",
        "fec0::1",
        "fc00::1",
        "192.168.0.1",
        "172.16.0.1",
        "100.127.255.254",
        "fe80::1%eth0",
    ],
)
def test_every_disguise_of_a_local_address_is_seen_through(ip):
    with pytest.raises(AddressError):
        check_ip(ip, "jira.example.com", allow_local=False)


@pytest.mark.parametrize("ip", [PUBLIC, "2606:2800:220:1::1", "64:ff9b::5db8:d70e"])
def test_public_addresses_pass(ip):
    check_ip(ip, "jira.example.com", allow_local=False)


@given(st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="fd00::/8"))
def test_no_private_address_ever_passes(ip):
    with pytest.raises(AddressError):
        check_ip(str(ip), "jira.example.com", allow_local=False)
