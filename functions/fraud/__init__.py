"""Real-time fraud detection: the pure core, its ports, its use-cases and their AWS adapters."""
