"""Constructs what monitoring works with; apart from `bootstrap`, so that scoring does not load it at its start."""
