"""The socket that the API listens on."""

import socket

from suanwang.runtime.app import _listener
from suanwang.runtime.settings import Settings


def test_answers_do_not_wait_for_the_acknowledgement_of_their_head(tmp_path):
    with _listener(Settings(home=tmp_path, port=0)) as listener:
        with socket.create_connection(listener.getsockname(), timeout=5):
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
