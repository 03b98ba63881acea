"""Asks a real AWS account; see docs/verify-aws.md."""

from verification.command import run

if __name__ == "__main__":
    run()
