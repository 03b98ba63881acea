"""State machines as they are authored; `python -m state_machines` writes what is deployed and its picture."""
