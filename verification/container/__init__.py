"""What runs in containers of a probe's own."""
