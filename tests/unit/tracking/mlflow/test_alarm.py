import socket
import threading
import time
from http.client import HTTPConnection, HTTPException

import pytest

from artlock.tracking.mlflow.alarm import hanging_up_after


def test_an_answer_in_drops_is_left_and_nothing_is_left_behind() -> None:
    before = threading.active_count()
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                try:
                    while not done.wait(0.05):
                        peer.sendall(b".")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        connection = HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=5)
        started = time.monotonic()
        connection.request("GET", "/")
        answer = connection.getresponse()
        with pytest.raises((HTTPException, OSError)), hanging_up_after(0.3):
            answer.read()
        assert time.monotonic() - started < 2
        connection.close()
        done.set()
        thread.join()
    assert threading.active_count() == before


def test_what_is_done_in_time_is_left_alone() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as file:
        with hanging_up_after(0.05):
            theirs.sendall(b"x\n")
            assert file.readline() == b"x\n"
        time.sleep(0.2)
        theirs.sendall(b"y\n")
        assert file.readline() == b"y\n"
