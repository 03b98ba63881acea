"""Tags by ARN: those given at creation, and AddTags, ListTags, DeleteTags."""

from collections import defaultdict

from local.sagemaker.api import Document, Operation, output


class Tags:
    """Tags of any resource."""

    def __init__(self) -> None:
        self._tags: dict[str, dict[str, str]] = defaultdict(dict)

    def operations(self) -> dict[str, Operation]:
        return {"AddTags": self.add, "ListTags": self.list_tags, "DeleteTags": self.delete}

    def kept(self, name: str, run: Operation) -> Operation:
        """A Create operation that also keeps the tags of its request; any other as it is."""

        def create(request: Document) -> Document:
            created = run(request)
            (arn,) = output(name, created).values()
            # Whatever had the name before took its tags with it.
            self._tags.pop(arn, None)
            self.add({"ResourceArn": arn, "Tags": request.get("Tags", [])})
            return created

        return create if name.startswith("Create") else run

    def add(self, request: Document) -> Document:
        self._tags[request["ResourceArn"]].update({tag["Key"]: tag["Value"] for tag in request["Tags"]})
        return self.list_tags(request)

    def list_tags(self, request: Document) -> Document:
        tags = self._tags[request["ResourceArn"]]
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def delete(self, request: Document) -> Document:
        for key in request["TagKeys"]:
            self._tags[request["ResourceArn"]].pop(key, None)
        return {}
