"""The npm package: what is in it, its types, and that it can be imported where there is no browser."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.clients.javascript.package import SOURCE, run

STUDIO = Path("frontend_proxy/studio")
ENTRIES = {"lucy-try-on": "client", **{f"lucy-try-on/{name}": name for name in ("live", "element", "react")}}
FILES = {"live": "live_try_on", "element": "lucy_try_on"}
DECLARED = re.compile(r"^export (?:class|function|const) (\w+)", re.MULTILINE)
STRICT = ["--noEmit", "--strict", "--jsx", "react-jsx", "--target", "es2022", "--module", "nodenext"]
USE = """
import { LucyClient, LucyError, type KeyframeResult } from "lucy-try-on";
import { LiveTryOn } from "lucy-try-on/live";
import { LucyTryOn } from "lucy-try-on/element";
import { useLucyTryOn } from "lucy-try-on/react";
import { TryOn } from "./TryOn.js";

const client: LucyClient = new LucyClient({ baseUrl: "https://tryon.example.com" });
const live = new LiveTryOn({ jacket: document.createElement("canvas"), mode: "picture", landmarks: null });
live.addEventListener("answer", ({ detail }) => take(detail));
function take(result: KeyframeResult) { if (result.answer === "light") console.log(result.crop); }
const started: boolean = await live.start(new Blob());
const url: string | undefined = (await live.capture({ seed: 7, num_samples: 2 }))?.images[0].url;
const element: LucyTryOn = document.createElement("lucy-try-on");
element.addEventListener("lucy-result", ({ detail }) => console.log(detail.result_image, detail.seed));
element.addEventListener("lucy-error", ({ detail }) => console.log(detail instanceof LucyError, detail.code));
element.texts = { start: "Kamera starten" };
export function Page() {
  const { canvasRef, person } = useLucyTryOn({ server: "/", fit: "body" });
  return <><canvas ref={canvasRef} hidden={!person} /><TryOn jacket="/coat.png" />
    <lucy-try-on jacket="/coat.png" mode="light" fabric-id="denim-blue" autostart /></>;
}
console.log(client, started, url);
"""
MISTAKES = [
    'import { LiveTryOn } from "lucy-try-on/live"; new LiveTryOn({ mode: "film" });',
    'import { LiveTryOn } from "lucy-try-on/live"; new LiveTryOn({ jacket: 7 });',
    'import { useLucyTryOn } from "lucy-try-on/react"; useLucyTryOn().begin();',
    'document.createElement("lucy-try-on").texts = 7; import "lucy-try-on/element";',
    'import { LucyClient } from "lucy-try-on"; new LucyClient({ key: "none" });',
    'import * as page from "lucy-try-on/main"; page;',
]


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_holds_the_files_that_the_studio_serves(package):
    """And of the studio's own page nothing."""
    ours = {"react.js", "react.d.ts"}
    packed = files(package / "dist")
    assert {name: data for name, data in packed.items() if name not in ours} == {
        name: (STUDIO / name).read_bytes() for name in packed.keys() - ours
    }
    assert {
        "client.js",
        "lucy_try_on.js",
        "light_compositor.js",
        "codec.js",
        "vendor/msgpack/LICENSE",
    } <= set(packed)
    assert not {"main.js", "jacket.js", "tryon.js"} & set(packed)
    assert not [name for name in packed if "three" in name or "pose/" in name]
    assert set(files(package)) - {f"dist/{name}" for name in packed} == {
        "package.json",
        "README.md",
        "LICENSE",
    }


def test_git_holds_no_second_copy():
    listed = subprocess.run(["git", "ls-files", SOURCE], capture_output=True, text=True, check=True).stdout
    assert not [name for name in listed.split() if (STUDIO / Path(name).name).exists()]
    command = ["git", "check-ignore", SOURCE / "dist/client.js", SOURCE / "lucy-try-on-0.1.0.tgz"]
    assert subprocess.run(command, check=False).returncode == 0


def test_what_is_declared_is_there_and_needs_no_browser(project):
    """A shop may render its pages on a server."""
    script = "console.log(JSON.stringify(Object.keys(await import(process.argv[1])).sort()));"
    for entry, name in ENTRIES.items():
        there = json.loads(run(project, "node", "--input-type=module", "-e", script, entry))
        types = project / f"node_modules/lucy-try-on/dist/{FILES.get(name, name)}.d.ts"
        assert there == sorted(DECLARED.findall(types.read_text())), entry


def test_the_hook_is_rendered_on_a_server(project):
    run(project, "esbuild", "TryOn.tsx", "--jsx=automatic", "--outfile=TryOn.js")
    script = """
      import { createElement } from "react";
      import { renderToString } from "react-dom/server";
      import { TryOn } from "./TryOn.js";
      console.log(renderToString(createElement(TryOn, { jacket: "/coat.png" })));
    """
    html = run(project, "node", "--input-type=module", "-e", script)
    assert "<canvas" in html
    assert '<p role="status">idle</p>' in html


@pytest.mark.nightly
def test_the_types_are_right(project):
    (project / "use.tsx").write_text(USE)
    for number, text in enumerate(MISTAKES):
        (project / f"mistake{number}.ts").write_text(text + "\nexport {};\n")
    mistakes = [f"mistake{number}.ts" for number in range(len(MISTAKES))]
    printed = run(project, "tsc", *STRICT, "use.tsx", *mistakes, status=2)
    found = [line for line in printed.splitlines() if "error TS" in line]
    assert not [line for line in found if not line.startswith("mistake")], printed
    assert {line.partition("(")[0] for line in found} == set(mistakes), printed


@pytest.mark.parametrize("name", ["client", "live_try_on", "lucy_try_on"])
def test_the_server_has_the_types_beside_the_files(name):
    assert (STUDIO / f"{name}.js").exists()
    assert (STUDIO / f"{name}.d.ts").exists()
