"""The application's own template, whole, on one machine: no AWS account and no containers."""
