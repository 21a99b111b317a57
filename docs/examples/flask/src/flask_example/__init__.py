"""A small Flask application. Every view says who may use it; what is said is what is enforced, and what is told."""

from __future__ import annotations

import os
import smtplib
from collections.abc import Callable
from email.message import EmailMessage
from functools import wraps
from typing import Any

from flask import Flask, Response, abort, g, request

from . import store

app = Flask(__name__)
HELP_ADDRESS = os.environ.get("HELP_ADDRESS", "")
HELP_FORM = """
<form method="post">
  Your address <input name="email"> Question <textarea name="content"></textarea> <button>Ask</button>
</form>
"""
View = Callable[..., Any]


def policy(words: str, *, login: bool = False, admin: bool = False, record: bool = False) -> Callable[[View], View]:
    """Say who may use a view, and see to it."""

    def mark(view: View) -> View:
        @wraps(view)
        def checked(**parts: Any) -> Any:
            with store.connect() as g.connection:
                given = request.authorization
                g.member = login and given and store.who(g.connection, given.username or "", given.password or "")
                if login and not g.member:
                    return Response("Log in.", 401, {"WWW-Authenticate": 'Basic realm="example"'})
                if admin and not g.member["staff"]:
                    abort(403)
                return view(**parts)

        checked.policy = {"policy": words, "login": login, "admin": admin, "record": record}
        return checked

    return mark


@app.get("/healthz")
@policy("everybody")
def health() -> dict[str, Any]:
    g.connection.execute("SELECT FROM member LIMIT 1")
    return {"status": "ok"}


@app.get("/notes/<int:number>")
@policy("the member whose note it is", login=True, record=True)
def note(number: int) -> dict[str, Any]:
    question = "SELECT content FROM note WHERE number = %s AND member = %s"
    found = g.connection.execute(question, [number, g.member["email"]]).fetchone()
    return found or abort(404)


@app.post("/notes/")
@policy("members", login=True)
def write() -> dict[str, Any]:
    order = "INSERT INTO note (member, content) VALUES (%s, %s) RETURNING number"
    made = g.connection.execute(order, [g.member["email"], request.form["content"]]).fetchone()
    store.record(g.connection, g.member["email"], "insert", f"note {made['number']}")
    return dict(made)


@app.get("/admin/members/")
@policy("staff", login=True, admin=True)
def members() -> list[dict[str, Any]]:
    return list(g.connection.execute("SELECT email, staff, active FROM member ORDER BY email"))


@app.get("/help/")
@policy("everybody")
def help_form() -> str:
    return HELP_FORM


@app.post("/help/")
@policy("everybody")
def ask() -> str:
    question = request.form["email"], request.form["content"]
    g.connection.execute("INSERT INTO help (email, content) VALUES (%s, %s)", question)
    if HELP_ADDRESS:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = HELP_ADDRESS, HELP_ADDRESS, "Request for help"
        mail.set_content("\n".join(question))
        host, port = os.environ["MAIL_RELAY"].split(":")
        with smtplib.SMTP(host, int(port), timeout=10) as relay:
            relay.send_message(mail)
    return "We have your question."
