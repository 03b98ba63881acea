"""The use-cases: what the application does, in terms of its ports. No AWS names here."""
