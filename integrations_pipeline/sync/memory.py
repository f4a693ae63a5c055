"""How a process that syncs treats its memory and its threads."""

import gc
import sys

SELDOM = (50_000, 20, 100)
"""Containers until the collector looks at the youngest generation, and the older ones' turns."""


SWITCH_SECONDS = 0.0005
"""How long a thread may compute while another one, which has an answer to read, waits."""


def suit_syncing() -> None:
    """Let this process collect garbage seldom, and switch between its threads often."""
    collect_seldom()
    sys.setswitchinterval(SWITCH_SECONDS)


def collect_seldom() -> None:
    """Look for circular garbage seldom: parsed records hold none, and there are many of them.

    At Python's usual pace a fifth of a sync's time goes into looking. What lives for the whole
    process, modules above all, is never looked at again.
    """
    if gc.get_threshold() != SELDOM:
        gc.set_threshold(*SELDOM)
        gc.freeze()
