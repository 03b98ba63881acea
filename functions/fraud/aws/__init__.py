"""One adapter per AWS service: each speaks a port and turns ClientError into `fraud.errors`."""
