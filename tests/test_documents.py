"""The links of documents, and the targets and modules in their commands: code moves, documents stay."""

import re
from pathlib import Path

import pytest

from tests.import_closure import find

ROOT = Path(__file__).resolve().parents[1]
OURS = [it for it in ROOT.iterdir() if it.is_dir() and it.name != "build" and not it.name.startswith(".")]
DOCUMENTS = [*ROOT.glob("*.md"), *(path for folder in OURS for path in folder.rglob("*.md"))]
DOCUMENTS = sorted(path for path in DOCUMENTS if not {"node_modules", "vendor", "data"} & {*path.parts})
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def anchors(text):
    """Of the headings outside of code, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        yield re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def faults(document, text):
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", link):
            path, _, anchor = link.partition("#")
            target = document.parent / path if path else document
            if not target.exists():
                yield f"no file {link}"
            elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text()):
                yield f"no heading {link}"
    for target in re.findall(r"(?:`|^|&& )make ([a-z][a-z0-9-]*)", text, re.MULTILINE):
        if target not in TARGETS:
            yield f"no target {target}"
    for module in re.findall(r"python -m ([a-z_]+(?:\.[a-z_]+)*)", text):
        if (ROOT / module.split(".")[0]).is_dir() and not (find(module) or find(f"{module}.__main__")):
            yield f"no module {module}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_targets_and_modules_of_a_document_exist(document):
    assert list(faults(document, document.read_text())) == []


def test_a_fault_is_found():
    text = "# A `b`\n[x](no.md) [y](#a-b) [z](#c)\n`make nothing` and python -m serving.nothing"
    assert list(anchors(text)) == ["a-b"]
    wrong = faults(ROOT / "README.md", text)
    assert {"no file no.md", "no heading #c", "no target nothing", "no module serving.nothing"} <= set(wrong)
