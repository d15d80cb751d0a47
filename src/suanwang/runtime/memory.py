"""How the interpreter of a brain collects garbage."""

import gc

# A brain keeps hundreds of thousands of values that stay, and makes thousands a second that their last user lets go.
# With the usual thresholds a third of its time goes into looking at the ones that stay.
YOUNG, MIDDLE, OLD = 250_000, 10, 10


def few_collections() -> None:
    """Look for cycles seldom, and never among what is there now. For a process that is a brain, once, when it has begun."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
