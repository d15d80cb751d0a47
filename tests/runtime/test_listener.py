"""The socket that the API listens on."""

import socket

from suanwang.runtime.app import _listener
from suanwang.runtime.settings import Settings


def test_answers_do_not_wait_for_the_acknowledgement_of_their_head(tmp_path):
    listener = _listener(Settings(home=tmp_path, port=0))
    with listener, socket.create_connection(listener.getsockname(), timeout=5), listener.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
