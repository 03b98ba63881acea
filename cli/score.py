"""`fraud score`: ask for decisions and wait for the answer, as an authorisation system does."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from cli import console
from cli.errors import CommandError
from cli.explain import COLOURS, VERDICTS
from cli.options import AsJson
from cli.target import Target, addressed

EPILOG = """[bold]Examples[/bold]

  fraud score payment.json

  fraud score payments.jsonl --json | jq '.[].action'

FILE holds transaction events as the stream takes them: one JSON object, a list of them, or one a line. Asking again
changes nothing: the decision that stands is the answer. On AWS the request is signed with your credentials; they need
lambda:InvokeFunctionUrl and lambda:InvokeFunction on the function."""

MOST = 25
"""Transactions that a request takes."""
TIMEOUT = 30
"""Seconds to wait; a cold start is within them."""
REFUSALS = {
    403: "The URL refused the request: your credentials need lambda:InvokeFunctionUrl and lambda:InvokeFunction.",
    429: "The function is throttled: the account's concurrency is used up. Ask again.",
}
UNDECIDED = {
    400: "cannot be accepted",
    409: "used an id again for another content",
    503: "not decided in time; ask again",
}

File = Annotated[Path, typer.Argument(metavar="FILE", help="Transaction events: JSON, or JSON lines.")]
Account = Mapping[str, Any]


@addressed
def score(target: Target, file: File, as_json: AsJson = False) -> None:
    """Have the transactions of a file decided at once, and show the decisions."""
    events = read(file)
    answers = [answer for start in range(0, len(events), MOST) for answer in ask(target, events[start : start + MOST])]
    if as_json:
        console.write_json(answers)
    else:
        for event, answer in zip(events, answers, strict=True):
            show(event, answer)
    complain(answers)


def read(file: Path) -> list[Any]:
    """The events of a file. Raises: CommandError."""
    try:
        text = file.read_text(encoding="utf-8")
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise CommandError(f"{file} is no text in UTF-8.") from error
    try:
        document = json.loads(text)
    except ValueError:
        document = list(_lines(file, text))
    events = document if isinstance(document, list) else [document]
    if not events:
        raise CommandError(f"{file} holds no transaction.")
    return events


def _lines(file: Path, text: str) -> Iterator[Any]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield json.loads(line)
        except ValueError as error:
            raise CommandError(f"{file} is neither JSON nor JSON lines: see line {number}.") from error


def ask(target: Target, events: Sequence[Any]) -> list[Account]:
    """One answer for each event. Raises: CommandError."""
    status, body = post(target, address(target), json.dumps(events).encode())
    try:
        answers = json.loads(body)
    except ValueError:
        answers = None
    if not isinstance(answers, list) or len(answers) != len(events):
        raise CommandError(REFUSALS.get(status, f"The function answered with {status} and no decisions: see its log."))
    return answers


def address(target: Target) -> str:
    """Where answers are given; on the laptop its own host takes the place of AWS's."""
    url = target.output("AnswerUrl")
    if not target.endpoint_url:
        return url
    name = str(urlsplit(url).hostname).partition(".")[0]
    return f"{target.endpoint_url.rstrip('/')}/_aws/lambda-url/{name}/"


def post(target: Target, url: str, body: bytes) -> tuple[int, bytes]:
    """Send a signed request; status and body of its answer."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.exceptions import NoCredentialsError
    from botocore.httpsession import URLLib3Session

    credentials = target.session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    request = AWSRequest("POST", url, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(credentials, "lambda", target.session.region_name).add_auth(request)
    response = URLLib3Session(timeout=TIMEOUT).send(request.prepare())
    return response.status_code, response.content


def show(event: Any, answer: Account) -> None:
    """For people."""
    from rich.text import Text

    out = console.stdout()
    name = str(answer.get("transaction_id") or (event.get("transaction_id") if isinstance(event, dict) else "–"))
    if "action" in answer:
        score = "rules decided" if answer["score"] is None else f"score {answer['score']:.4f}"
        degraded = ", degraded" if answer["degraded"] else ""
        verdict = Text(VERDICTS[answer["action"]].capitalize(), style=f"bold {COLOURS[answer['action']]}")
        out.print(verdict + Text(f": {name}, {score}{degraded}", style="not bold default"))
        for reason in answer["reasons"]:
            out.print(f"  • {reason}", highlight=False, markup=False)
    if "error" in answer:
        out.print(Text(f"{name}: {answer['error']}, {answer['detail']}"), soft_wrap=True)


def complain(answers: Sequence[Account]) -> None:
    """Raises: CommandError when some were not decided."""
    counts = {status: sum(answer["status"] == status for answer in answers) for status in UNDECIDED}
    faults = [f"{count} {UNDECIDED[status]}" for status, count in counts.items() if count]
    if faults:
        raise CommandError(f"Of {len(answers)} transactions, {', '.join(faults)}.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(score)
