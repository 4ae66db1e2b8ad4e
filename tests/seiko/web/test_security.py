"""What docs/security.md promises, promise by promise."""

from __future__ import annotations

import html.parser
import re
from pathlib import Path
from typing import Any

import pytest

from seiko.campaign import Campaign, LedgerReadOnly
from seiko.campaign.ledger import NewEvent
from seiko.web.access import Access
from seiko.web.headers import POLICY
from seiko.web.sessions import COOKIE, Sessions

PAGES = [
    "/", "/rate", "/compare", "/designs", "/designs/1-0001", "/upload", "/plates", "/people", "/login", "/jobs/live",
    "/nothing",
]  # fmt: skip
CHANGES = [
    "/rate",
    "/rate/undo",
    "/compare",
    "/compare/undo",
    "/upload",
    "/upload/x/read",
    "/plates",
    "/designs/1-0001/retract",
    "/designs/1-0001/abandon",
    "/designs/1-0001/fail",
    "/upload/x/mend",
    "/upload/x/take",
    "/jobs/ask",
    "/jobs/advance",
    "/jobs/stop",
    "/logout",
]


def last_event(served: Any) -> int:
    with served.desk.reading() as state:
        return state.last_seq


# ------------------------------------------------------------ who comes in


def test_a_wrong_token_lets_nobody_in(serve: Any, sequences: Path) -> None:
    client = serve(sequences).client()
    for token in ("", "x", "\ud800", "a" * 500):
        answer = client.post("/login", data={"token": token.encode("utf-8", "replace")})
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
    assert client.post("/login").status_code == 401
    assert client.post("/login", json={"token": "x"}).status_code == 401


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    cookie = served.client().post("/login", data={"token": served.tokens["anna"]}).headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie  # http on this machine
    secure = serve(sequences, secure=True)
    answer = secure.client().post("/login", data={"token": secure.tokens["anna"]})
    assert "Secure" in answer.headers["set-cookie"]
    assert "strict-transport-security" in answer.headers


def test_a_cookie_that_we_did_not_sign_is_worth_nothing(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    cookie = served.client().post("/login", data={"token": served.tokens["anna"]}).cookies[COOKIE]
    forger = Access("0" * 64, [("anna", "owner", "0" * 64)])
    forged = Sessions(forger, 12).cookie(forger.people[0])
    swapped = cookie[:-4] + ("AAAA" if cookie[-4:] != "AAAA" else "BBBB")
    payload, _, rest = cookie.partition(".")
    for value in (forged, swapped, f"{payload[:-2]}AA.{rest}", payload, "", "."):
        client = served.client()
        client.cookies.set(COOKIE, value)
        assert client.get("/rate").headers.get("location") == "/login", value


def test_a_session_ends(serve: Any, sequences: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve(sequences)
    anna = served.log_in("anna")
    cookie = anna.client.cookies[COOKIE]
    assert anna.post("/logout").headers["location"] == "/login"
    thief = served.client()
    thief.cookies.set(COOKIE, cookie)
    assert thief.get("/rate").headers["location"] == "/login"  # on our side, too
    late = served.log_in("anna")
    import time

    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 13 * 3600)
    assert late.get("/rate").headers["location"] == "/login"


def test_new_links_end_the_old_sessions(tmp_path: Path) -> None:
    path = tmp_path / "access.json"
    access, links = Access.prepare(path, ["anna"])
    cookie = Sessions(access, 12).cookie(next(p for p in access.people if p.name == "anna"))
    again, none = Access.prepare(path, ["anna"])
    assert none == []
    assert Sessions(again, 12).read(cookie) is not None  # a restart loses nobody
    anew, new = Access.prepare(path, ["anna"], anew=True)
    assert Sessions(anew, 12).read(cookie) is None
    assert {link.token for link in links}.isdisjoint({link.token for link in new})
    assert anew.person(links[0].token) is None
    # even with the secret of before, a session whose link was replaced is over
    assert Sessions(Access(access.secret, [("anna", "rater", "f" * 64)]), 12).read(cookie) is None


def test_tokens_are_kept_as_hashes_in_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "access.json"
    _, links = Access.prepare(path, ["anna"])
    text = path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    assert all(link.token not in text for link in links)
    assert len(links) == 2
    assert all(len(link.token) >= 43 for link in links)  # 256 bits


def test_the_token_of_a_link_is_behind_the_hash(tmp_path: Path) -> None:
    _, links = Access.prepare(None, [])
    assert links[0].url("http://127.0.0.1:8000") == f"http://127.0.0.1:8000/login#{links[0].token}"


def test_guessing_is_slowed_down(serve: Any, sequences: Path) -> None:
    served = serve(sequences, logins_a_minute=3)
    client = served.client()
    answers = [client.post("/login", data={"token": f"guess {i}"}).status_code for i in range(5)]
    assert answers == [401, 401, 401, 429, 429]
    right = client.post("/login", data={"token": served.tokens["anna"]})
    assert right.status_code == 429  # also a right one: else the answer would tell
    assert int(right.headers["retry-after"]) >= 1
    api = [client.get("/api/v1/status", headers={"Authorization": f"Bearer {i}"}).status_code for i in range(5)]
    assert api == [401, 401, 401, 429, 429]


def test_logging_in_well_is_never_limited(serve: Any, sequences: Path) -> None:
    served = serve(sequences, logins_a_minute=3)
    for _ in range(10):
        served.log_in("anna")


# ------------------------------------------------------------ who changes what


@pytest.mark.parametrize("path", CHANGES)
def test_no_change_without_a_form_of_ours(serve: Any, sequences: Path, path: str) -> None:
    served = serve(sequences, best_of=2)
    served.log_in().post("/rate", query="1-0001", score="4")
    owner = served.log_in()
    before = last_event(served)
    fields = {"query": "1-0002", "score": "4", "shown": ["1-0002", "1-0003"], "winner": "1-0002"}
    other = served.log_in("anna").csrf
    for csrf in (None, "", "0" * 64, other):
        given = fields if csrf is None else {**fields, "csrf": csrf}
        answer = owner.client.post(path, data=given)
        assert answer.status_code == 403, (path, csrf)
    evil = owner.client.post(path, data={**fields, "csrf": owner.csrf}, headers={"Origin": "https://evil.example"})
    assert evil.status_code == 403
    cross = owner.client.post(path, data={**fields, "csrf": owner.csrf}, headers={"Sec-Fetch-Site": "cross-site"})
    assert cross.status_code == 403
    assert last_event(served) == before
    assert owner.get("/rate").status_code == 200  # still in


def test_nothing_changes_by_looking(serve: Any, sequences: Path) -> None:
    served = serve(sequences, best_of=2)
    owner = served.log_in()
    before = last_event(served)
    for path in CHANGES:
        assert owner.get(path).status_code in (200, 404, 405), path
    assert last_event(served) == before


def test_another_site_cannot_log_somebody_in(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    answer = served.client().post("/login", data={"token": served.tokens["anna"]}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_rater_speaks_for_nobody_else(serve: Any, sequences: Path) -> None:
    served = serve(sequences, raters=2)
    served.log_in("anna").post("/rate", query="1-0001", score="4", rater="ben")
    with served.desk.reading() as state:
        assert list(state.ratings.of("1-0001")) == ["anna"]


def test_the_api_takes_tokens_only(serve: Any, sequences: Path) -> None:
    served = serve(sequences)
    owner = served.log_in()
    assert owner.get("/api/v1/status").status_code == 401  # a cookie is not enough
    assert owner.client.post("/api/v1/tell", json={"labels": [{"id": "1-0001", "value": 1}]}).status_code == 401
    client = served.client()
    rater = {"Authorization": f"Bearer {served.tokens['anna']}"}
    assert client.get("/api/v1/status", headers=rater).status_code == 403


def test_changes_are_limited_in_rate(serve: Any, sequences: Path) -> None:
    served = serve(sequences, posts_a_second=0.01, burst=3)
    anna, ben = served.log_in("anna"), served.log_in("ben")
    answers = [anna.post("/rate", query="1-0001", skip="1").status_code for _ in range(5)]
    assert answers == [303, 303, 303, 429, 429]
    assert ben.post("/rate", query="1-0001", skip="1").status_code == 303  # each has their own
    assert int(anna.post("/rate", query="1-0001", skip="1").headers["retry-after"]) > 1


# ------------------------------------------------------------ what is sent


def test_bodies_are_limited(serve: Any, sequences: Path) -> None:
    served = serve(sequences, upload_bytes=2000, body_bytes=1000)
    owner = served.log_in()
    assert owner.upload(b"id,value\n1-0001,1\n").status_code == 200
    assert owner.upload(b"x" * 100_000).status_code == 413
    assert owner.post("/rate", query="x" * 2000).status_code == 413

    def parts() -> Any:
        for _ in range(100):
            yield b"a=" + b"x" * 1000 + b"&"

    headers = {"content-type": "application/x-www-form-urlencoded", "X-CSRF-Token": owner.csrf}
    assert owner.client.post("/rate", content=parts(), headers=headers).status_code == 413  # no length is told
    token = {"Authorization": f"Bearer {served.tokens['owner']}"}
    assert owner.client.post("/api/v1/tell", content=parts(), headers=token).status_code == 413
    declared = owner.client.post("/api/v1/tell", content=b"x" * 2000, headers=token)
    assert (declared.status_code, declared.headers["connection"]) == (413, "close")
    assert "send less at a time" in declared.json()["detail"]  # a program is answered as the schema says


def test_a_form_has_few_fields_and_one_file(serve: Any, sequences: Path) -> None:
    owner = serve(sequences).log_in()
    files = [("file", (f"{i}.csv", b"id,value\n", "text/csv")) for i in range(3)]
    assert owner.client.post("/upload", data={"csrf": owner.csrf}, files=files).status_code == 400
    many = {f"f{i}": ("", "x") for i in range(100)}
    answer = owner.client.post("/upload", data={"csrf": owner.csrf}, files=many)
    assert answer.status_code in (400, 422)


# ------------------------------------------------------------ what is answered


def test_every_answer_carries_the_headers(serve: Any, images: Path) -> None:
    served = serve(images)
    owner = served.log_in()
    paths = [*PAGES, "/static/app.js", "/static/nothing", "/pictures/1-0001", "/designs.csv", "/api/openapi.json"]
    for path in [*paths, "/api/v1/status"]:
        answer = owner.get(path)
        assert answer.headers["content-security-policy"] == POLICY, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"], path
        if not path.startswith(("/static", "/pictures")):
            assert answer.headers["cache-control"] == "no-store", path
    assert "unsafe" not in POLICY
    assert "*" not in POLICY


class Inline(html.parser.HTMLParser):
    """Collects what a strict policy forbids."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag if tag in ("script", "style") else ""
        for name, value in attrs:
            if name == "style" or name.startswith("on") or name.startswith("hx-on"):
                self.found.append(f"{tag} {name}={value}")
            if name in ("src", "href", "action") and value and re.match(r"(?i)\s*(javascript|data|https?|//)", value):
                self.found.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        if self.inside and data.strip():
            self.found.append(f"{self.inside}: {data.strip()[:60]}")


def test_no_page_has_anything_inline_or_from_elsewhere(serve: Any, images: Path) -> None:
    served = serve(images, best_of=2)
    owner = served.log_in()
    owner.post("/rate", query="1-0001", score="4")
    pages = [owner.get(path).text for path in PAGES]
    pages.append(owner.upload(b"id,value\n1-0002,x\n").text)
    pages.append(owner.upload(b"id,value\n1-0002,1\n").text)
    pages.append(owner.upload(b"name,number\n1-0002,1\n").text)
    for text in pages:
        parser = Inline()
        parser.feed(text)
        assert parser.found == []


def test_what_people_write_is_text(serve: Any, sequences: Path) -> None:
    attack = "<script>alert(1)</script>"
    with Campaign.open(sequences) as campaign:
        label = {"status": "failed", "value": None, "noise": None, "reason": attack}
        campaign.ledger.append([NewEvent("told", {"labels": {"1-0001": label}})], expected=campaign.state.last_seq)
    owner = serve(sequences).log_in()
    answers = [
        owner.get("/designs"),
        owner.get("/designs/1-0001"),
        owner.get(f"/designs?text={attack}&sort={attack}&source={attack}"),
        owner.upload(f"id,value\n1-0002,{attack}\n".encode(), name=f"{attack}.csv"),
        owner.upload(f"{attack},Kd\n1-0002,1\n".encode()),
        owner.upload(f"id,value,reason\n1-0002,1,{attack}\n".encode()),
        owner.post("/rate", query=attack, score="1"),
        owner.get(f"/{attack}"),
    ]
    for answer in answers:
        assert attack not in answer.text
        assert answer.headers["content-type"].startswith("text/html")
    assert "&lt;script&gt;" in answers[0].text


def test_a_table_for_a_spreadsheet_holds_no_formula(serve: Any, sequences: Path) -> None:
    with Campaign.open(sequences) as campaign:
        label = {"status": "failed", "value": None, "noise": None, "reason": "=HYPERLINK(1)"}
        campaign.ledger.append([NewEvent("told", {"labels": {"1-0001": label}})], expected=campaign.state.last_seq)
    assert ",'=HYPERLINK(1)," in serve(sequences).log_in().get("/designs.csv").text


def test_a_fault_is_a_number_and_no_traceback(
    serve: Any, sequences: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    served = serve(sequences)
    owner = served.log_in()

    def faulty(*_: object) -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr("seiko.web.routes.designs.lines_of", faulty)
    answer = owner.get("/designs")
    assert answer.status_code == 500
    assert "secret words" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["content-security-policy"] == POLICY
    [number] = re.findall(r"number ([0-9a-f]{8})", answer.text)
    assert number in caplog.text
    assert "secret words" in caplog.text


def test_only_our_own_names_are_answered(serve: Any, sequences: Path) -> None:
    served = serve(sequences, hosts=("127.0.0.1", "seiko.lab"))
    client = served.client()
    assert client.get("/login", headers={"Host": "seiko.lab:8000"}).status_code == 200
    assert client.get("/login", headers={"Host": "evil.example"}).status_code == 400  # DNS rebinding


@pytest.mark.parametrize(
    "path",
    ["/static/../context.py", "/static/..%2fcontext.py", "/static/%2e%2e/%2e%2e/config.py", "/static//etc/passwd",
     "/pictures/..%2f..%2faccess.json", "/figures/..%2freward.svg"],
)  # fmt: skip
def test_no_path_leads_out(serve: Any, sequences: Path, path: str) -> None:
    owner = serve(sequences).log_in()
    answer = owner.get(path)
    assert answer.status_code == 404, path
    assert "import" not in answer.text


def test_the_run_that_cannot_be_written_is_a_look_only(
    serve: Any, sequences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(sequences)
    owner = served.log_in()

    def locked() -> None:
        raise LedgerReadOnly("cannot write to the run: give yourself write access or copy the run folder")

    with served.desk.campaign() as campaign:
        monkeypatch.setattr(campaign.ledger, "require_writable", locked)
    answer = owner.post("/rate", query="1-0001", score="4")
    assert answer.status_code == 503
    assert "write access" in answer.text


def test_every_test_that_the_page_names_is_there() -> None:
    root = Path(__file__).parents[3]
    named = set(re.findall(r"`(test_\w+)`", (root / "docs" / "security.md").read_text()))
    there = {
        name for path in (root / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }
    assert len(named) > 30
    assert named - there == set()
