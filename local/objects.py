"""Objects that the laptop's own services write to its S3."""

from local.gateway import Gateway, service


def put_object(gateway: Gateway, bucket: str, key: str, body: bytes) -> None:
    """Write an object as a service of AWS would, from a thread of ours."""
    headers = {"host": "s3.localhost", "content-length": str(len(body)), "content-type": "application/octet-stream"}
    status, _, answer = gateway.call(
        service("s3").handle_request("PUT", f"/{bucket}/{key}", headers, body, {}, internal=True)
    )
    if status >= 300:
        raise OSError(f"cannot write s3://{bucket}/{key}: {answer!r}")
