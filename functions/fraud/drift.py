"""How far a distribution lies from its baseline, and how far chance alone would take it."""
