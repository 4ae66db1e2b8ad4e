"""`serve`: a run in the browser."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Annotated

import typer

from seiko.cli.errors import InputError
from seiko.cli.output import deliver, say
from seiko.cli.recipes import allowed_modules
from seiko.cli.runs import RunPlace, read_state

__all__ = ["serve"]


def serve(
    run: RunPlace,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen at; others than this machine's are warned of.")
    ] = "127.0.0.1",
    rater: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Somebody who rates; repeatable.", show_default=False)
    ] = None,
    raters: Annotated[int, typer.Option(min=1, help="Scores that make a label.")] = 1,
    scale: Annotated[str, typer.Option(help="stars (1 to 5) or slider (0 to 100).")] = "stars",
    best_of: Annotated[
        int, typer.Option(min=0, max=9, help="Show so many designs and ask for the best; 0 asks for scores.")
    ] = 0,
    batch: Annotated[int, typer.Option(min=1, max=200, help="Designs in a gallery.")] = 24,
    upload_limit: Annotated[int, typer.Option(min=1, metavar="MIB", help="Largest file of results.")] = 10,
    new_links: Annotated[bool, typer.Option("--new-links", help="Make all links anew; the old ones end.")] = False,
    access: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where hashes of the links are kept.", show_default="RUN/access.json"),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="A name that the server is reached by; repeatable.", show_default=False),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate chain (PEM): serve by https.", show_default=False)
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Private key of the certificate (PEM).", show_default=False)
    ] = None,
) -> None:
    """Show a run in the browser: overview, queue for raters, upload, designs; and an API for programs.

    Prints a link for each person, once: who has it may come in. Ctrl-C ends it; nothing is lost.
    """
    from seiko.campaign.ledger import LedgerError, run_folder, shown_place
    from seiko.web import Access, Options, Scale, create_app
    from seiko.web.desk import Desk
    from seiko.web.options import MEGABYTE

    if (certificate is None) != (key is None):
        raise InputError("https needs both --certificate and --key")
    for file in (certificate, key):
        if file is not None and not file.is_file():
            raise InputError(f"there is no file {file}")
    read_state(run)  # a missing run is found before anything is loaded
    listener = _listen(host, port)
    port = listener.getsockname()[1]
    options = Options(
        raters=raters,
        scale=Scale.named(scale),
        best_of=best_of,
        batch=batch,
        upload_bytes=upload_limit * MEGABYTE,
        hosts=_names(host, name or []),
        secure=certificate is not None,
    )
    names = rater or ([f"rater-{i}" for i in range(1, raters + 1)] if raters > 1 or best_of else [])
    if len(names) < raters and not (raters == 1 and not names):
        raise InputError(
            f"--raters {raters} asks for {raters} scores of a design, but --rater names {len(names)} people"
        )
    try:
        kept = access or run_folder(run) / "access.json"
    except LedgerError:
        kept = None  # a run on a server has no folder
    people, links = Access.prepare(kept, names, anew=new_links)
    with listener:
        shown = (name or [host if host not in ("0.0.0.0", "::") else socket.gethostname()])[0]
        shown = f"[{shown}]" if ":" in shown else shown
        base = f"{'https' if options.secure else 'http'}://{shown}:{port}"
        if not _is_this_machine(host):
            say(
                f"warning: {host} can be reached by other machines"
                + (
                    ""
                    if options.secure
                    else ", and without --certificate whoever is on the way can read and change all"
                )
            )
        for link in links:
            deliver(f"{link.role}\t{link.name}\t{link.url(base)}\n", None)
        if kept is None:
            say("these links end with this server: name a file to keep them in, --access FILE")
        elif links:
            say("these links are shown once; whoever has one may come in. --new-links makes new ones")
        else:
            say("the links that were shown before are still good; --new-links makes new ones")
        say(f"serving {shown_place(run)} at {base}; Ctrl-C ends it")
        _run(create_app(Desk(run, allowed_modules()), people, options), listener, certificate, key)


def _run(app: object, listener: socket.socket, certificate: Path | None, key: Path | None) -> None:
    import uvicorn

    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # an address that a client may claim would mislead the rate limits
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        limit_concurrency=1000,
        ws="none",
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
    except OSError as error:
        raise InputError(f"cannot listen at {host}, port {port} ({error.strerror}): choose another --port") from error
    return listener


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _names(host: str, names: list[str]) -> tuple[str, ...]:
    """Return the names under which the server answers; a page of another name (DNS rebinding) is refused."""
    if names:
        return (*names, "127.0.0.1", "localhost")
    if _is_this_machine(host):
        return (host, "127.0.0.1", "localhost", "[::1]")
    return ("*",) if host in ("0.0.0.0", "::") else (host,)
