"""What BIND and PORT come to."""

import pytest

from config import address
from config.address import Address, NoAddress

LOCAL = ["127.0.0.1", "localhost", "[::1]"]


@pytest.mark.parametrize(
    ("bind", "written", "more_hosts"),
    [
        ("", "127.0.0.1:8000", []),
        ("0.0.0.0", "0.0.0.0:8000", []),
        ("::", "[::]:8000", []),
        ("::1", "[::1]:8000", []),
        ("192.168.1.5", "192.168.1.5:8000", ["192.168.1.5"]),
        ("fd00::5", "[fd00::5]:8000", ["[fd00::5]"]),
    ],
)
def test_an_address_that_bind_names_is_one_under_which_pages_are_asked_for(monkeypatch, bind, written, more_hosts):
    monkeypatch.setenv("BIND", bind)
    monkeypatch.delenv("PORT", raising=False)
    assert str(Address.told()) == written
    assert address.own_hosts() == LOCAL + more_hosts


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
    ],
)
def test_pages_are_reached_where_a_browser_of_this_machine_can_go(monkeypatch, bind, url):
    monkeypatch.setenv("BIND", bind)
    monkeypatch.delenv("PORT", raising=False)
    assert address.own_url() == url


def test_a_running_server_is_known_to_a_shell_that_was_told_another_port(monkeypatch):
    monkeypatch.setenv("PORT", "9000")
    with address.alone("http://127.0.0.1:8155"):
        assert address.own_url() == "http://127.0.0.1:8155"
        with pytest.raises(address.Running, match=r"process \d+, http://127.0.0.1:8155"), address.alone("http://x"):
            pass
    assert address.running_url() is None
    assert address.own_url() == "http://127.0.0.1:9000"


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "²"])
def test_a_port_that_is_none_is_refused(monkeypatch, port):
    monkeypatch.setenv("PORT", port)
    with pytest.raises(NoAddress, match="write a number between 1 and 65535"):
        Address.told()
