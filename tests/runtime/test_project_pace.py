"""When a projector rests: while the log grows and little is left, and not while a reader would have to wait."""

from suanwang.runtime.project_main import CALM_S, LOOK_S, PAUSE_FACTOR, Pace


def test_it_rests_while_the_log_grows_and_little_is_left():
    pace = Pace()
    assert pace.rest_s(0.1, 2, 4, 10) == PAUSE_FACTOR * 0.1
    assert pace.rest_s(0.1, 2, 4, 12) == PAUSE_FACTOR * 0.1


def test_it_does_not_rest_once_the_log_has_stopped():
    pace = Pace()
    pace.rest_s(0.1, 2, 4, 10)
    assert pace.rest_s(0.1, 2, 2, 10) == 0.0


def test_it_does_not_rest_with_much_left():
    rows = int(CALM_S / 0.05) + 1
    assert Pace().rest_s(0.1, 2, rows, 100) == 0.0


def test_with_nothing_left_it_looks_now_and_then():
    assert Pace().rest_s(0.0, 0, 0, 0) == LOOK_S
    assert Pace().rest_s(0.1, 1, 0, 1) == LOOK_S
