"""The usual port where it is free, else the next one."""

import socket

import pytest

from dev import ports


def listening(address: str = "127.0.0.1") -> socket.socket:
    taken = socket.socket()
    # As every server does; without it the port would stay closed for a minute after it stopped.
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind((address, 0))
    taken.listen()
    return taken


def test_a_free_port_is_taken_as_wished() -> None:
    number = ports.any_port()
    assert ports.free_port(number) == ports.Port(number, number)
    assert ports.free_port(number).remark == ""


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # noqa: S104
def test_the_next_port_is_taken_where_somebody_listens(address: str) -> None:
    with listening(address) as taken:
        number = taken.getsockname()[1]
        found = ports.free_port(number)
        assert found.number > number
        assert found.remark == f"({number} was taken)"


def test_a_port_meant_for_something_else_is_passed_over() -> None:
    number = ports.any_port()
    assert ports.free_port(number, besides=[number]).number > number


def test_a_port_whose_server_has_just_stopped_is_free() -> None:
    with listening() as server:
        number = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", number)):
            server.accept()[0].close()
    assert ports.is_free(number)


def test_no_port_at_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _: False)
    with pytest.raises(ports.NoFreePort, match="between 8400 and 8599"):
        ports.free_port(8400)
