"""QuickBooks Online: OAuth and whose company it is."""
