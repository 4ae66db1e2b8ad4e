"""The loop for programs: status, ask, tell and advance as JSON, described by OpenAPI.

Whoever calls sends the owner's token, `Authorization: Bearer TOKEN`; there are no cookies here, so no other site can
make a browser call it. `ask` and `advance` answer at once: with what there is, or with a job to come back for.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from seiko.campaign import BudgetSpent, NothingAsked, PendingLabels
from seiko.campaign import state as states
from seiko.designs import IMAGE
from seiko.oracles import Label
from seiko.web.context import web_of
from seiko.web.jobs import Job

__all__ = ["router"]

MOST_LABELS = 10_000
_bearer = HTTPBearer(auto_error=False, description="A token of the owner, from the link that `seiko serve` prints.")


class ProblemBody(BaseModel):
    """Why it cannot be done, and the way out."""

    detail: str


class StatusBody(BaseModel):
    """Where a run stands; see `seiko status --json`."""

    run: str
    recipe: str
    budget: int = Field(description="Labels that may be bought in all.")
    labels_used: int = Field(description="Labels that came, infeasible ones included.")
    labels_left: int = Field(description="Labels that are neither used nor reserved by designs that were asked for.")
    rounds: int
    rounds_finished: int
    round: int | None = Field(description="The open round, from 1; null when all are finished.")
    asked: int = Field(description="Designs of the open round.")
    pending: int = Field(description="Designs that wait for a label, of all rounds.")
    best: float | None = Field(description="Best label so far, the oracle's units.")
    batch_means: list[float | None] = Field(description="Mean label of each finished round's batch.")
    kl_pretrained: float | None = Field(description="Path KL of the model from the pretrained one, nats.")
    done: bool
    stopped_because: str | None = Field(description="Why the run is over; null while it is not.")


class QueryBody(BaseModel):
    """A design that waits for a label."""

    id: str
    design: str = Field(description="Text of the design; of an image the SHA-256 of its PNG.")
    kind: str
    prompt: str | None = Field(description="What an image was drawn for.")
    round: int
    source: str
    predicted_mean: float | None = Field(description="Predicted label, the oracle's units; null before the first fit.")
    predicted_std: float | None = Field(description="Standard deviation of that prediction of the label.")


class JobBody(BaseModel):
    """Long work in the background."""

    id: int
    verb: Literal["ask", "advance", "attach", "lay_out"]
    status: Literal["running", "done", "failed", "stopped"]
    stage: str
    steps: int
    total: int
    result: str
    seconds: float


class AskBody(BaseModel):
    """The open round's designs that wait for a label, and the job that chooses more of them."""

    queries: list[QueryBody]
    job: JobBody | None = Field(description="Null if there was nothing to choose.")


class AskRequest(BaseModel):
    """How many designs the round's batch is to have."""

    model_config = ConfigDict(extra="forbid")
    n: int | None = Field(default=None, ge=1, le=1_000_000, description="Null for an equal part of what is left.")


class LabelRequest(BaseModel):
    """One answer."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    id: str = Field(min_length=1, max_length=64)
    status: Literal["value", "infeasible", "failed"] = "value"
    value: float | None = Field(default=None, description="Present exactly when the status is value; larger is better.")
    noise: float | None = Field(default=None, ge=0, description="Standard deviation of the measurement.")
    reason: str | None = Field(default=None, max_length=1000)
    retry: bool = Field(default=False, description="Of a failed measurement: it is to be repeated.")
    replicate: int = Field(default=1, ge=1, le=10_000, description="Which measurement of the design, from 1.")
    values: dict[str, float] | None = Field(default=None, max_length=100, description="Several properties, by name.")


class TellRequest(BaseModel):
    """Answers: all are taken, or none."""

    model_config = ConfigDict(extra="forbid")
    labels: list[LabelRequest] = Field(min_length=1, max_length=MOST_LABELS)


class TellBody(BaseModel):
    """What came of it."""

    taken: int = Field(description="Labels that were new.")
    known: int = Field(description="Labels that the run had already.")
    pending: int = Field(description="Designs that still wait.")


class AdvanceRequest(BaseModel):
    """How to finish the round."""

    model_config = ConfigDict(extra="forbid")
    without_pending: bool = Field(default=False, description="Go on although labels are missing.")


def owners_token(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
    """Let in the owner's token, not too often."""
    web = web_of(request)
    address = request.client.host if request.client else ""
    if wait := web.logins.wait(f"api {address}"):
        raise HTTPException(429, f"too many wrong tokens from your address: wait {wait} s", {"Retry-After": str(wait)})
    person = web.access.person(given.credentials) if given is not None else None
    if person is None:
        if given is not None:
            web.logins.take(f"api {address}")
        raise HTTPException(401, "send a token: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})
    if person.role != "owner":
        raise HTTPException(403, "this token is a rater's; the owner's is needed")
    if request.method != "GET" and (wait := web.posts.take(f"api {person.name}")):
        raise HTTPException(429, f"too many changes at once: wait {wait} s", {"Retry-After": str(wait)})


_WORDS = {
    400: "The body is not JSON.",
    401: "No token, or a wrong one.",
    403: "A rater's token.",
    404: "There is no such design.",
    409: "Not now: the state of the run forbids it.",
    413: "The body is too large.",
    422: "It cannot be meant.",
    429: "Too often.",
    503: "The run cannot be read or written now.",
}


def _problems(*statuses: int) -> dict[int | str, dict[str, object]]:
    always = (401, 403, 422, 429, 503)
    return {status: {"model": ProblemBody, "description": _WORDS[status]} for status in sorted({*always, *statuses})}


router = APIRouter(prefix="/api/v1", dependencies=[Depends(owners_token)])


@router.get("/status", responses=_problems())
def status(request: Request) -> StatusBody:
    """Return where the run stands."""
    desk = web_of(request).desk
    why = desk.stopped_because
    with desk.reading() as state:
        values = [label.value for _, label in state.values() if label.value is not None]
        finished = len(state.reports)
        over = finished >= desk.recipe.rounds
        return StatusBody(
            run=desk.name,
            recipe=desk.recipe.name,
            budget=desk.recipe.budget,
            labels_used=state.answered,
            labels_left=max(0, desk.recipe.budget - state.charged),
            rounds=desk.recipe.rounds,
            rounds_finished=finished,
            round=None if over else state.round,
            asked=0 if over else len(state.asked(state.round)),
            pending=len(state.pending()),
            best=max(values, default=None),
            batch_means=[report.batch_mean for report in state.reports],
            kl_pretrained=state.reports[-1].kl_pretrained if state.reports else None,
            done=why is not None,
            stopped_because=why,
        )


@router.get("/queries", responses=_problems())
def queries(
    request: Request, limit: Annotated[int, Query(ge=1, le=MOST_LABELS, description="How many at most.")] = MOST_LABELS
) -> list[QueryBody]:
    """Return the designs that wait for a label, of all rounds."""
    with web_of(request).desk.reading() as state:
        return [_query(query) for query in state.pending()[:limit]]


@router.get(
    "/queries/{id}/file",
    response_class=Response,
    responses={200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}, **_problems(404)},
)
def file(request: Request, id: Annotated[str, Path(max_length=64)]) -> Response:
    """Return the PNG of an image."""
    desk = web_of(request).desk
    query = desk.query(id)
    if query.design.kind != IMAGE:
        raise HTTPException(404, f"query {id!r} is no image but {query.design.kind}")
    return Response(desk.bytes_of(query), media_type="image/png")


@router.post(
    "/ask", responses={202: {"model": AskBody, "description": "A batch is being chosen."}, **_problems(400, 409, 413)}
)
def ask(request: Request, response: Response, body: AskRequest) -> AskBody:
    """Return the open round's designs that wait for a label, choosing them in the background if there are too few."""
    web = web_of(request)
    if web.desk.stopped_because is not None:
        return AskBody(queries=[], job=None)
    with web.desk.reading() as state:
        asked = len(state.asked(state.round))
        waiting = [_query(query) for query in state.pending(state.round)]
        left = web.desk.recipe.budget - state.charged
    more = (0 if asked else 1) if body.n is None else max(0, body.n - asked)
    if more > left:
        raise BudgetSpent(f"{more} more labels are asked for, the budget of {web.desk.recipe.budget} has {left} left")
    if more == 0:
        return AskBody(queries=waiting, job=None)
    response.status_code = 202
    return AskBody(queries=waiting, job=_job(web.jobs.start("ask", n=body.n)))


@router.post("/tell", responses=_problems(400, 404, 409, 413))
def tell(request: Request, body: TellRequest) -> TellBody:
    """Take labels: all of them, or none if one is wrong."""
    labels: dict[str, list[Label]] = {}
    for row in body.labels:
        values = tuple((row.values or {}).items())
        label = Label(**row.model_dump(exclude={"id", "values"}), values=values)
        if any(known.replicate == label.replicate for known in labels.get(row.id, ())):
            raise ValueError(f"replicate {label.replicate} of query {row.id!r} is there twice: keep one, or number it")
        labels.setdefault(row.id, []).append(label)
    taken, pending = web_of(request).desk.tell(labels)
    return TellBody(taken=taken, known=len(body.labels) - taken, pending=pending)


@router.post("/advance", status_code=202, responses=_problems(400, 409, 413))
def advance(request: Request, body: AdvanceRequest) -> JobBody:
    """Finish the round in the background: fit all labels, move the model."""
    web = web_of(request)
    if (why := web.desk.stopped_because) is not None:
        raise BudgetSpent(f"{why}; start another run to go on")
    with web.desk.reading() as state:
        if not state.asked(state.round):
            raise NothingAsked(f"round {state.round} has no batch yet: ask first")
        missing = len(state.pending(state.round))
    if missing and not body.without_pending:
        raise PendingLabels(f"{missing} labels of the open round are missing: tell them, or set without_pending")
    return _job(web.jobs.start("advance", without_pending=body.without_pending))


@router.get("/job", responses=_problems())
def job(request: Request) -> JobBody | None:
    """Return the job that runs, else the last one; null before the first."""
    current = web_of(request).jobs.current
    return None if current is None else _job(current)


@router.delete("/job", responses=_problems())
def stop(request: Request) -> JobBody | None:
    """Stop the job that runs; nothing is lost but its time."""
    web_of(request).jobs.stop()
    return job(request)


def _job(job: Job) -> JobBody:
    return JobBody(
        id=job.id, verb=job.verb, status=job.status, stage=job.stage, steps=job.steps, total=job.total,
        result=job.result, seconds=job.seconds,
    )  # fmt: skip


def _query(query: states.Query) -> QueryBody:
    return QueryBody(
        id=query.id, design=query.design.content, kind=query.design.kind, prompt=query.design.prompt,
        round=query.round, source=query.source, predicted_mean=query.mean, predicted_std=query.std,
    )  # fmt: skip
