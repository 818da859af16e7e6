"""Server: its health, and charts that grow while they are looked at."""

import re

from playwright.sync_api import expect


def test_charts_show_what_another_page_does(open_studio, screenshot):
    polls = []
    other = open_studio()
    expect(other.locator(".stage.answered")).to_be_visible()
    other.get_by_label("Keyframes").select_option("fast")

    page = open_studio(
        "server", prepare=lambda page: page.on("request", lambda request: polls.append(request.url))
    )
    expect(page.locator(".health")).to_have_text("Healthy")
    facts = page.locator(".server-health dl")
    expect(facts).to_contain_text("Modelready")
    expect(facts).to_contain_text("Profilecpu")
    expect(page.get_by_role("row", name="unet")).to_be_visible()
    expect(page.get_by_role("img", name="Keyframes answered")).to_have_attribute(
        "aria-label", re.compile(r"now (0\.[1-9]|[1-9])")
    )
    expect(page.get_by_role("img", name="Latency of a keyframe")).to_have_attribute(
        "aria-label", re.compile(r"p50 \d+ ms, p95 \d+ ms")
    )
    expect(page.locator(".chart .line-0").first).to_have_attribute("d", re.compile("L.*L.*L"))
    screenshot(page, "server")

    page.locator("#tab-capture").click()
    before = sum(url.endswith("/metrics") for url in polls)
    answered = int(re.match(r"\d+", other.locator("[data-reading=count]").text_content()).group())
    expect(other.locator("[data-reading=count]")).not_to_have_text(re.compile(rf"^{answered}\b"))
    assert sum(url.endswith("/metrics") for url in polls) <= before  # nobody looks
