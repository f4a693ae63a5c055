"""What the engine asks of Dagster: partitions, launching a run, its own storage."""
