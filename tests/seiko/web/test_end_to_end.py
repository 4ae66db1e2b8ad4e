"""A real server and a real browser: what people do, with keys, fingers and files."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api")
uvicorn = pytest.importorskip("uvicorn")

ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE = 60_000  # milliseconds; a test machine may be busy
OPEN = "#gallery > li[data-open]"
DONE = "#gallery > li.judged"


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium_path, args=list(ARGUMENTS))
        yield browser
        browser.close()


class Site:
    """A run behind a real server, and people who open it."""

    def __init__(self, served: Any, browser: Any) -> None:
        self.served, self.browser = served, browser
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(served.app, log_level="warning", access_log=False, lifespan="off")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]}, daemon=True)
        self.thread.start()
        self.complaints: list[str] = []
        self.contexts: list[Any] = []

    def visit(self, name: str, path: str = "", **options: Any) -> Any:
        """Return a page of somebody who came in by their link."""
        context = self.browser.new_context(**options)
        context.set_default_timeout(PATIENCE)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(f"{self.base}/login#{self.served.tokens[name]}")
        page.wait_for_url(re.compile(r"^(?!.*/login)"))
        if path:
            page.goto(self.base + path)
        return page

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning"):  # the content security policy complains here
            self.complaints.append(message.text)

    def labels(self) -> dict[str, float]:
        with self.served.desk.reading() as state:
            return {id: label.value for id, label in state.labels.items()}

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(30)


Open = Callable[..., Site]


@pytest.fixture
def site(serve: Any, browser: Any) -> Iterator[Open]:
    sites: list[Site] = []

    def start(run: Path, **options: Any) -> Site:
        sites.append(Site(serve(run, **options), browser))
        return sites[-1]

    yield start
    for each in sites:
        for context in each.contexts:
            context.close()
        each.stop()


def press(page: Any, keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def count(page: Any, selector: str, expected: int) -> None:
    playwright.expect(page.locator(selector)).to_have_count(expected, timeout=PATIENCE)


def test_undo_takes_back_the_last_word_though_the_network_turned_two_around(site: Open, images: Path) -> None:
    here = site(images)
    page = here.visit("anna")
    count(page, OPEN, 24)
    order = page.eval_on_selector_all(OPEN, "cards => cards.map(card => card.id.slice(2))")
    held: list[Any] = []

    def hold_the_first(route: Any) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route("**/rate", hold_the_first)
    press(page, "12")
    count(page, DONE, 1)
    held[0].continue_()
    count(page, DONE, 2)
    playwright.expect(page.locator("#progress")).to_contain_text("2 of 24", timeout=PATIENCE)
    with here.served.desk.reading() as state:
        assert [rating.query for rating in state.ratings.by("anna")] == [order[1], order[0]], "they came turned around"
    press(page, "u")
    playwright.expect(page.locator("#progress")).to_contain_text("1 of 24", timeout=PATIENCE)
    assert here.labels() == {order[0]: 1.0}


def test_a_batch_of_24_images_is_labelled_by_keyboard(site: Open, images: Path) -> None:
    here = site(images)
    page = here.visit("anna")
    assert page.url == f"{here.base}/rate"  # the token is no longer in the address
    count(page, OPEN, 24)
    order = page.eval_on_selector_all(OPEN, "cards => cards.map(card => card.id.slice(2))")
    assert page.evaluate("document.activeElement.id") == f"q-{order[0]}"
    page.wait_for_function("() => [...document.images].filter(i => i.complete && i.naturalWidth === 48).length > 3")
    press(page, "12345" * 4 + "123s")
    count(page, DONE, 24)
    playwright.expect(page.locator("#progress")).to_contain_text("24 of 24", timeout=PATIENCE)
    assert here.labels() == {id: float("12345"[i % 5]) for i, id in enumerate(order[:23])}
    with here.served.desk.reading() as state:
        assert state.ratings.of(order[23])["anna"].skipped
    press(page, "u")  # the last word
    count(page, OPEN, 1)
    press(page, "4")
    count(page, DONE, 1)
    page.keyboard.press("Enter")  # next designs: there are none
    playwright.expect(page.locator("main")).to_contain_text("Nothing waits for you", timeout=PATIENCE)
    assert here.labels()[order[23]] == 4
    assert here.complaints == []


def test_a_reload_in_the_middle_loses_nothing(site: Open, images: Path) -> None:
    here = site(images)
    page = here.visit("anna")
    order = page.eval_on_selector_all(OPEN, "cards => cards.map(card => card.id.slice(2))")
    press(page, "3" * 10)
    count(page, DONE, 10)
    page.reload()
    count(page, OPEN, 14)
    playwright.expect(page.locator("#progress")).to_contain_text("10 of 24", timeout=PATIENCE)
    left = page.eval_on_selector_all(OPEN, "cards => cards.map(card => card.id.slice(2))")
    assert left == order[10:]  # the order is the one before
    press(page, "2" * 14)
    count(page, DONE, 14)
    assert here.labels() == dict.fromkeys(order[:10], 3.0) | dict.fromkeys(order[10:], 2.0)


def test_two_raters_at_once(site: Open, images: Path) -> None:
    here = site(images, raters=2)
    anna, ben = here.visit("anna"), here.visit("ben")
    orders = [page.eval_on_selector_all(OPEN, "cards => cards.map(card => card.id)") for page in (anna, ben)]
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]
    for _ in range(24):  # neither waits for the server
        anna.keyboard.press("2")
        ben.keyboard.press("5")
    for page in (anna, ben):
        count(page, DONE, 24)
    assert here.labels() == dict.fromkeys((id[2:] for id in orders[0]), 3.5)
    owner = here.visit("owner", "/people")
    playwright.expect(owner.locator("main")).to_contain_text("24 by more than one person")
    assert here.complaints == []


def test_a_plate_with_an_error_is_uploaded_and_mended(site: Open, images: Path, tmp_path: Path) -> None:
    here = site(images)
    page = here.visit("owner", "/upload")
    plate = tmp_path / "plate.csv"
    rows = [f"1-{i:04d},{i / 10}" for i in range(1, 25)]
    rows[6] = "1-0007,0;7"
    plate.write_text("id,value\n" + "\n".join(rows) + "\n")
    page.set_input_files("input[type=file]", plate)
    page.get_by_role("button", name="Look at it").click()
    alarm = page.get_by_role("alert").filter(has_text="Line 8, column value")
    playwright.expect(alarm).to_be_visible(timeout=PATIENCE)
    assert here.labels() == {}
    line = page.get_by_label("Line 8")
    assert line.input_value() == "1-0007,0;7"
    line.fill("1-0007,0.7")
    page.get_by_role("button", name="Check again").click()
    playwright.expect(page.locator("main")).to_contain_text("24 labels would be taken", timeout=PATIENCE)
    assert here.labels() == {}
    page.get_by_role("button", name="Take 24 labels").click()
    playwright.expect(page.get_by_role("status")).to_contain_text("24 labels taken. 0 are missing.", timeout=PATIENCE)
    assert here.labels() == {f"1-{i:04d}": i / 10 for i in range(1, 25)}
    assert [text for text in here.complaints if "422" not in text] == []


def test_columns_of_other_names_are_chosen_and_the_label_is_retracted(site: Open, images: Path, tmp_path: Path) -> None:
    here = site(images)
    page = here.visit("owner", "/upload")
    (tmp_path / "reader.csv").write_text("Sample;Kd_nM\n1-0001;100\n1-0002;1000\n")
    page.set_input_files("input[type=file]", tmp_path / "reader.csv")
    page.get_by_role("button", name="Look at it").click()
    playwright.expect(page.get_by_role("alert").filter(has_text="Line 1, column id")).to_be_visible(timeout=PATIENCE)
    page.select_option('select[name="column.id"]', "Sample")
    page.select_option('select[name="column.value"]', "Kd_nM")
    page.get_by_label("logarithm").check()
    page.get_by_label("smaller is better").check()
    page.get_by_role("button", name="Read it like this").click()
    playwright.expect(page.locator("main")).to_contain_text("label = −log10(Kd_nM)", timeout=PATIENCE)
    assert here.labels() == {}
    page.get_by_role("button", name="Take 2 labels").click()
    playwright.expect(page.get_by_role("status")).to_contain_text("2 labels taken", timeout=PATIENCE)
    assert here.labels() == {"1-0001": -2.0, "1-0002": -3.0}
    page.goto(f"{here.base}/designs")
    page.get_by_role("link", name="1-0002").click()
    page.get_by_label("Why").fill("a bubble in the well")
    page.get_by_role("button", name="Retract the label").click()
    playwright.expect(page.get_by_role("status")).to_contain_text("The label was retracted", timeout=PATIENCE)
    assert here.labels() == {"1-0001": -2.0}
    assert [text for text in here.complaints if "422" not in text] == []


def test_objectives_follow_by_themselves(site: Open, several: Path) -> None:
    pytest.importorskip("botorch")
    here = site(several)
    here.served.app.state.web.curves._least = 0
    page = here.visit("owner", "/objectives")
    playwright.expect(page.locator("#front")).to_contain_text("No labels yet", timeout=PATIENCE)
    here.served.desk.tell({"1-0001": [_label(None, ("potency", 7.0), ("clearance", 30.0))]})
    playwright.expect(page.locator("#front")).to_contain_text("of 1 labelled designs", timeout=PATIENCE)
    page.wait_for_function("() => document.querySelector('.hypervolume img')?.naturalWidth > 0", timeout=PATIENCE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert here.complaints == []


def test_the_better_of_two_by_arrows(site: Open, sequences: Path) -> None:
    here = site(sequences, best_of=2)
    page = here.visit("anna")
    for key in ("ArrowLeft", "ArrowRight", "1", "2", "s", "u"):
        shown = page.locator(".pick").first.get_attribute("value"), page.locator(".pick").last.get_attribute("value")
        with page.expect_response(re.compile("/compare")):
            page.keyboard.press(key)
        page.wait_for_function(
            "before => { const picks = [...document.querySelectorAll('.pick')].map(p => p.value);"
            " return !picks.length || picks.join() !== before; }",
            arg=",".join(shown),
        )
    with here.served.desk.reading() as state:
        assert len(state.comparisons) == 3  # four choices, one of them taken back
    assert here.complaints == []


def test_the_overview_follows_by_itself(site: Open, sequences: Path) -> None:
    here = site(sequences)
    owner = here.visit("owner")
    playwright.expect(owner.locator("#live")).to_contain_text("4 of 4 designs wait", timeout=PATIENCE)
    here.served.desk.tell({"1-0001": _label(0.25), "1-0002": _label(0.5)})
    playwright.expect(owner.locator("#live")).to_contain_text("2 of 4 designs wait", timeout=PATIENCE)
    owner.wait_for_function("() => document.querySelector('.reward img')?.naturalWidth > 0", timeout=PATIENCE)
    assert here.complaints == []


def test_designs_are_found_while_one_types(site: Open, sequences: Path) -> None:
    here = site(sequences)
    page = here.visit("owner", "/designs")
    count(page, "#found tbody tr", 4)
    page.get_by_label("Search").type("GGG", delay=20)
    count(page, "#found tbody tr", 1)
    assert "text=GGG" in page.url
    page.go_back()
    count(page, "#found tbody tr", 4)
    page.locator("th a", has_text="Design").click()
    first = page.locator("#found tbody tr").first
    playwright.expect(first).to_contain_text("1-0001", timeout=PATIENCE)
    assert here.complaints == []


def test_a_phone_in_the_hand(site: Open, images: Path) -> None:
    here = site(images, best_of=2)
    hand = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}
    page = here.visit("owner", **hand)
    for path in ("/", "/rate", "/compare", "/designs", "/designs/1-0001", "/upload", "/plates", "/people"):
        page.goto(here.base + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        small = page.eval_on_selector_all(
            "main button, main .button, main input:not([type=hidden]):not([type=checkbox]), main select",
            "all => all.map(e => [e.outerHTML.slice(0, 60), e.getBoundingClientRect()])"
            ".filter(([, r]) => r.height > 0 && (r.height < 44 || r.width < 44)).map(([h]) => h)",
        )
        assert small == [], path
    page.goto(here.base + "/rate")
    page.locator(f"{OPEN} button[name=score][value='4']").first.tap()
    count(page, DONE, 1)
    assert list(here.labels().values()) == [4.0]
    assert here.complaints == []


def test_all_of_it_works_without_a_script(site: Open, sequences: Path) -> None:
    here = site(sequences)
    context = here.browser.new_context(java_script_enabled=False)
    here.contexts.append(context)
    page = context.new_page()
    page.goto(f"{here.base}/login")
    page.fill("#token", here.served.tokens["anna"])
    page.get_by_role("button", name="Come in").click()
    page.locator("button[name=score][value='5']").first.click()
    page.wait_for_load_state()
    assert page.locator(OPEN).count() == 3
    page.get_by_role("button", name="Undo").click()
    page.wait_for_load_state()
    assert page.locator(OPEN).count() == 4
    assert here.labels() == {}


def test_a_server_that_is_gone_is_told_and_the_design_stays_open(site: Open, sequences: Path) -> None:
    here = site(sequences)
    page = here.visit("anna")
    count(page, OPEN, 4)
    here.stop()
    page.keyboard.press("4")
    playwright.expect(page.locator("#notice")).to_contain_text("was not saved", timeout=PATIENCE)
    count(page, OPEN, 4)


def _label(value: float | None, *values: tuple[str, float]) -> Any:
    from seiko.oracles import Label

    return Label(value=value, values=values)
