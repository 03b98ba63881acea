"""The operator's command line: `fraud …`, against AWS or the stack on the laptop."""
