"""One file per step; its SQL stands beside it."""
