"""Small model and source archives, as SageMaker takes them."""

import io
import tarfile


def tar_gz(**files: str) -> bytes:
    """An archive of text files; a double underscore in a name is a directory's slash, one is the dot of .py or .txt."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(".".join(name.replace("__", "/").rsplit("_", 1)))
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


INFERENCE = """
import json, os, time
def model_fn(directory):
    return open(os.path.join(directory, "factor.txt")).read()
def input_fn(data, content_type):
    if data == "hang":
        time.sleep(60)
    if data == "slow":
        time.sleep(0.4)
        data = "1"
    if data == "exit":
        os._exit(1)
    return type(data).__name__, [float(row) for row in str(data).split(",")]
def predict_fn(data, factor):
    kind, rows = data
    return {"kind": kind, "scores": [row * float(factor) for row in rows]}
def output_fn(prediction, accept):
    return json.dumps({**prediction, "accept": accept}), "application/json"
"""

TRAIN = """
import os, sys
print("loss=0.5")
print("loss=0.25")
if "--fail" in sys.argv:
    raise ValueError("told to")
if "--wait" in sys.argv:
    import signal, time
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("waiting", flush=True)
    time.sleep(60)
with open(os.path.join(os.environ["SM_MODEL_DIR"], "model.txt"), "w") as model:
    model.write(open(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "part", "data.csv")).read() + " ".join(sys.argv[1:]))
"""
