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


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "²"])
def test_a_port_that_is_none_is_refused(monkeypatch, port):
    monkeypatch.setenv("PORT", port)
    with pytest.raises(NoAddress, match="write a number between 1 and 65535"):
        Address.told()
