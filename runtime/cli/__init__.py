"""The terminal's side of the runtime: commands that parse, call the engine, and write."""
