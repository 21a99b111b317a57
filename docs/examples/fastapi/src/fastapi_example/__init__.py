"""A small FastAPI application. Every route has a policy; what it says is what is enforced, and what is told."""

import os
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Form, HTTPException
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPBasic, HTTPBasicCredentials

from . import store

# Its documentation pages would be addresses without a policy.
app = FastAPI(openapi_url=None)
HELP_ADDRESS = os.environ.get("HELP_ADDRESS", "")
HELP_FORM = """
<form method="post">
  Your address <input name="email"> Question <textarea name="content"></textarea> <button>Ask</button>
</form>
"""
credentials = HTTPBasic(auto_error=False)


def connection() -> Iterator[store.Connection]:
    """A transaction for each request."""
    with store.connect() as found:
        yield found


# "function": what was done is in the database before the answer says so. By default it would be after the answer.
Database = Annotated[store.Connection, Depends(connection, scope="function")]


@dataclass(frozen=True)
class Policy:
    """Who may use a route. As a dependency it lets nobody else in, and gives the member who is logged in."""

    policy: str
    login: bool = False
    admin: bool = False
    record: bool = False

    def __call__(
        self, database: Database, given: Annotated[HTTPBasicCredentials | None, Depends(credentials)]
    ) -> dict[str, Any]:
        """Check it."""
        if not self.login:
            return {}
        member = given and store.who(database, given.username, given.password)
        if not member:
            raise HTTPException(401, "Log in.", {"WWW-Authenticate": 'Basic realm="example"'})
        if self.admin and not member["staff"]:
            raise HTTPException(403)
        return member


EVERYBODY = Depends(Policy("everybody"))
Member = Annotated[dict[str, Any], Depends(Policy("members", login=True))]
Owner = Annotated[dict[str, Any], Depends(Policy("the member whose note it is", login=True, record=True))]
Staff = Annotated[dict[str, Any], Depends(Policy("staff", login=True, admin=True))]


@app.get("/healthz", dependencies=[EVERYBODY])
def health(database: Database) -> dict[str, Any]:
    database.execute("SELECT FROM member LIMIT 1")
    return {"status": "ok"}


@app.get("/notes/{number}")
def note(number: int, database: Database, member: Owner) -> dict[str, Any]:
    question = "SELECT content FROM note WHERE number = %s AND member = %s"
    found = database.execute(question, [number, member["email"]]).fetchone()
    if found is None:
        raise HTTPException(404)
    return found


@app.post("/notes/")
def write(content: Annotated[str, Form()], database: Database, member: Member) -> dict[str, Any]:
    order = "INSERT INTO note (member, content) VALUES (%s, %s) RETURNING number"
    made = database.execute(order, [member["email"], content]).fetchone() or {}
    store.record(database, member["email"], "insert", f"note {made['number']}")
    return made


@app.get("/admin/members/")
def members(database: Database, _: Staff) -> list[dict[str, Any]]:
    return list(database.execute("SELECT email, staff, active FROM member ORDER BY email"))


@app.get("/help/", dependencies=[EVERYBODY], response_class=HTMLResponse)
def help_form() -> str:
    return HELP_FORM


@app.post("/help/", dependencies=[EVERYBODY])
def ask(email: Annotated[str, Form()], content: Annotated[str, Form()], database: Database) -> str:
    database.execute("INSERT INTO help (email, content) VALUES (%s, %s)", [email, content])
    if HELP_ADDRESS:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = HELP_ADDRESS, HELP_ADDRESS, "Request for help"
        mail.set_content(f"{email}\n{content}")
        host, port = os.environ["MAIL_RELAY"].split(":")
        with smtplib.SMTP(host, int(port), timeout=10) as relay:
            relay.send_message(mail)
    return "We have your question."
