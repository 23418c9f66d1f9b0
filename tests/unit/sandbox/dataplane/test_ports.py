# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Local ports: the wanted number where possible, remembered, given back."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from sandbox.controllers.ports import PortBook, free_port, is_free


def test_wanted_port_is_taken_when_it_is_free(tmp_path: Path) -> None:
    book, wanted = PortBook(tmp_path / "ports.json"), free_port()
    assert book.get("a/b/1", wanted) == wanted
    other = book.get("c/d/1", wanted)
    assert other != wanted
    assert is_free(other)


def test_taken_and_privileged_ports_are_replaced(tmp_path: Path) -> None:
    book = PortBook(tmp_path / "ports.json")
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        number = busy.getsockname()[1]
        assert not is_free(number)
        assert book.get("busy", number) != number
    assert book.get("low", 80) >= 1024


def test_ports_are_remembered_unless_somebody_took_them(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    book = PortBook(path)
    kept, lost = book.get("kept"), book.get("lost")
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", lost))
        busy.listen()
        again = PortBook(path)
        assert again.get("kept") == kept
        assert again.get("lost") != lost


def test_ports_are_given_back(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    book = PortBook(path)
    book.get("a")
    book.get("b")
    book.keep(["a"])
    assert list(json.loads(path.read_text())) == ["a"]
    book.drop("a")
    assert json.loads(path.read_text()) == {}


def test_held_port_is_kept_from_others_until_it_is_asked_for(tmp_path: Path) -> None:
    book, wanted = PortBook(tmp_path / "ports.json"), free_port()
    assert book.hold(wanted) == wanted
    assert not is_free(wanted)
    assert book.get("a/gw/80", 80) != wanted
    assert book.get("a/gw/8080", wanted) == wanted
    assert is_free(wanted)


def test_another_port_is_held_when_the_wanted_one_is_taken(tmp_path: Path) -> None:
    book = PortBook(tmp_path / "ports.json")
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        held = book.hold(taken)
        assert held != taken
        assert not is_free(held)
    assert book.get("a/gw/8080", held) == held


def test_port_of_a_listener_needs_no_holding(tmp_path: Path) -> None:
    book, wanted = PortBook(tmp_path / "ports.json"), free_port()
    book.get("a/gw/8080", wanted)
    assert book.hold(wanted) == wanted
    assert is_free(wanted)


def test_two_sandboxes_hold_different_ports(tmp_path: Path) -> None:
    first, second, wanted = PortBook(tmp_path / "a.json"), PortBook(tmp_path / "b.json"), free_port()
    assert first.hold(wanted) == wanted
    assert second.hold(wanted) != wanted


def test_port_whose_last_connections_die_away_is_held_all_the_same(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        wanted = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", wanted)) as client:
            accepted, _ = server.accept()
            accepted.close()
            assert client.recv(1) == b""
    book = PortBook(tmp_path / "ports.json")
    assert book.hold(wanted) == wanted
    assert not is_free(wanted)
    assert book.get("a/gw/8080", wanted) == wanted
