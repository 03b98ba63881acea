"""Asks a real AWS account what this project assumes of AWS: priced beforehand, removed afterwards."""
