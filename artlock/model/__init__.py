"""Pure values: what artlock thinks with. No file, clock, network or process is touched."""
