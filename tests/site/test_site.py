"""The documentation site works in a browser."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

SITE = Path(__file__).parents[2] / "build" / "site"
PATHS = sorted(
    f"{path.parent.relative_to(SITE).as_posix()}/".removeprefix("./")
    for path in SITE.rglob("index.html")
)
PHONE_WIDTH = 360
PHONE = {"viewport": {"width": PHONE_WIDTH, "height": 740}, "has_touch": True}
COLOR_SCHEME = "data-md-color-scheme"

Open = Callable[..., Page]


def test_site_has_its_pages() -> None:
    """The tests below would pass on an empty site."""
    assert {"", "docs/chat-model/", "docs/reference/chat-models/", "CHANGELOG/"} <= set(PATHS)


def test_home_says_how_to_get_an_answer(open_page: Open) -> None:
    """A newcomer finds how to install the package and call a model."""
    page = open_page()
    expect(page).to_have_title("langchain-segmind")
    expect(page.get_by_role("heading", level=1)).to_contain_text("langchain-segmind")
    expect(page.get_by_text("pip install langchain-segmind").first).to_be_visible()


def test_reference_describes_inherited_settings(open_page: Open) -> None:
    """The arguments of a model are those of its base classes, which are private."""
    page = open_page("docs/reference/chat-models/")
    for name in ("model", "temperature", "timeout", "segmind_api_key"):
        expect(page.locator(f"[id='langchain_segmind.ChatSegmind.{name}']")).to_be_visible()
    expect(page.get_by_text("Seconds that one call may take").first).to_be_visible()


def test_example_is_shown_as_a_page(open_page: Open) -> None:
    """The navigation leads to the examples, and a link to a source file does not download it."""
    page = open_page()
    page.get_by_role("link", name="Learn", exact=True).click()
    page.get_by_role("link", name="Examples", exact=True).click()
    page.get_by_role("link", name="agent.py", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("examples/agent.py")


def test_title_of_a_file_keeps_its_underscores(open_page: Open) -> None:
    """Markdown reads them as emphasis."""
    page = open_page("langchain_segmind/_chat/formats/__init__.py/")
    expect(page).to_have_title(re.compile("formats/__init__.py"))


@pytest.mark.skipif(not (SITE / "mermaid.min.js").exists(), reason="npm is not installed")
def test_diagram_is_drawn(open_page: Open) -> None:
    """The theme replaces the text of the diagram by a picture."""
    page = open_page("docs/design/")
    expect(page.locator("div.mermaid")).to_be_visible()
    expect(page.locator("pre.mermaid")).to_have_count(0)
    assert page.locator("div.mermaid").bounding_box()["height"] > 200


def test_pictures_follow_the_palette(open_page: Open) -> None:
    """The dark version of a chart is shown in dark mode only."""
    page = open_page("docs/performance/", color_scheme="light")
    light, dark = (
        page.locator(f"img[src*='performance-{name}.svg']") for name in ("light", "dark")
    )
    expect(light).to_be_visible()
    expect(dark).not_to_be_visible()
    page.locator("label[title='Switch to dark mode']").click()
    expect(dark).to_be_visible()
    expect(light).not_to_be_visible()


def test_search_finds_a_page(open_page: Open) -> None:
    """A result leads to the page that explains the word."""
    page = open_page()
    page.get_by_role("textbox", name="Search").click()
    page.keyboard.type("budget")
    result = page.locator(".md-search-result__link", has_text="Stop an agent at 50 cents").first
    result.click()
    expect(page).to_have_url(re.compile(r"/docs/credits/.*#stop-an-agent-at-50-cents$"))


def test_messages_are_shown_whole(open_page: Open) -> None:
    """A reader compares a message with the terminal's: it wraps, where code scrolls."""
    page = open_page("docs/troubleshooting/")
    blocks = page.locator(".language-console code").all()
    assert len(blocks) > 10
    for block in blocks:
        assert block.evaluate("block => block.scrollWidth <= block.clientWidth")


def test_names_in_tables_are_not_split(open_page: Open) -> None:
    """The settings are names to type."""
    page = open_page("docs/chat-model/")
    for name in ("native_response_format", "on_invalid_tool_call", "segmind_api_base"):
        cell = page.locator("td:first-child > code", has_text=re.compile(f"^{name}$"))
        assert cell.evaluate("code => code.getClientRects().length") == 1


def test_copy_button_copies_a_code_block(open_page: Open) -> None:
    """The clipboard holds the code as it is shown."""
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    block = page.locator("div.highlight", has_text="ChatSegmind(model=").first
    block.hover()
    block.get_by_role("button").click()
    expect(page.get_by_text("Copied to clipboard")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == block.locator("code").inner_text().strip()
    assert "from langchain_segmind import ChatSegmind" in copied


def test_dark_mode_can_be_switched_on_and_stays(open_page: Open) -> None:
    """The choice survives a reload."""
    page = open_page(color_scheme="light")
    body = page.locator("body")
    expect(body).to_have_attribute(COLOR_SCHEME, "default")
    page.locator("label[title='Switch to dark mode']").click()
    expect(body).to_have_attribute(COLOR_SCHEME, "slate")
    page.reload()
    expect(body).to_have_attribute(COLOR_SCHEME, "slate")


def test_dark_mode_follows_the_system(open_page: Open) -> None:
    """A reader whose system is dark gets the dark site."""
    page = open_page(color_scheme="dark")
    expect(page.locator("body")).to_have_attribute(COLOR_SCHEME, "slate")


def test_no_page_is_wider_than_a_phone(open_page: Open, site_url: str) -> None:
    """Wide tables and code scroll. No page logs an error or calls another host."""
    page = open_page(**PHONE)
    too_wide = []
    for path in PATHS:
        page.goto(site_url + path)
        width = page.evaluate("document.scrollingElement.scrollWidth")
        if width > PHONE_WIDTH:
            too_wide.append(f"{path}: {width} px")
    assert too_wide == []


def test_phone_has_a_menu(open_page: Open) -> None:
    """The navigation is behind a button."""
    page = open_page(**PHONE)
    link = page.get_by_role("link", name="Questions", exact=True)
    expect(link).not_to_be_in_viewport()
    page.locator("label.md-header__button[for=__drawer]").click()
    expect(link).to_be_in_viewport()
