"""Waits for a condition with a deadline, never for luck."""

import time


def wait_for(condition, what, deadline=30.0, step=0.05):
    """Waits until `condition()` is true and returns its value; fails with `what`, or what it answers, after the deadline."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not in {deadline} s: {what() if callable(what) else what}"
        time.sleep(step)
