"""Where the stand-in's Athena reads, writes or answers otherwise than Athena."""
