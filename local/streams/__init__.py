"""Event source mappings of streams: what Lambda does between a shard and a function."""
