"""Measurements: each script prints a table and one JSON line, and with --write keeps it in benchmarks/results."""
