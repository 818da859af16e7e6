"""What travels between a client and the server: forms, encodings, paths, origins."""

import base64
import io
import json
import urllib.parse

import websockets
from PIL import Image

from tests.trials.client import FOLDER, uri
from tests.trials.registry import trial


def is_ok(answer):
    assert answer.status_code == 200, answer.text[:300]


def form_files():
    return {
        name: (file, (FOLDER / file).read_bytes())
        for name, file in (("user_image", "person.jpg"), ("jacket_render", "jacket.png"))
    }


@trial("W1", "null", "undefined", "")
async def a_form_field_left_out(server, text):
    """A form whose optional fields say null, undefined or nothing"""
    optional = (
        "seed",
        "steps",
        "strength",
        "guidance_scale",
        "num_samples",
        "render_fit",
        "pose",
        "fabric_id",
    )
    fields = dict.fromkeys(optional, text)
    is_ok(await server.http.post("/virtual-tryon", files=form_files(), data=fields))


@trial("W1", "null", "undefined")
async def a_scan_form_field_left_out(server, text):
    """A scan's form whose optional fields say null or undefined"""
    fields = dict.fromkeys(("corners", "fabric_class", "size", "physical_width_mm", "name", "save"), text)
    is_ok(await server.scan("round_dots.jpg", "image/jpeg", **fields))


@trial("W1")
async def forms_without_null_defaults(server):
    """The schema of a form has no null defaults, which Swagger UI would send as text"""
    document = (await server.http.get("/openapi.json")).json()
    for path in ("/virtual-tryon", "/api/fabric/scan"):
        schema = document["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        while "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        nulls = [name for name, field in schema["properties"].items() if field.get("default", 1) is None]
        assert not nulls, nulls


@trial("W2", "/virtual-tryon", "/api/fabric/scan")
async def a_large_data_uri_in_a_form(server, path):
    """A data URI of 2 MB in a form's text field"""
    data = io.BytesIO()
    noise = Image.effect_noise((1100, 1100), 90).convert("RGB")
    noise.save(data, "JPEG", quality=95)
    text = f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}"
    assert len(text) > 2**20
    name = "user_image" if path == "/virtual-tryon" else "image"
    files = {name: (None, text)}
    if path == "/virtual-tryon":
        files["jacket_render"] = ("jacket.png", (FOLDER / "jacket.png").read_bytes())
    is_ok(await server.http.post(path, files=files))


@trial("W3")
async def a_byte_order_mark(server):
    """A byte order mark before the JSON of a capture"""
    body = {"user_image": uri("person.jpg"), "jacket_render": uri("jacket.png"), "steps": 2}
    content = b"\xef\xbb\xbf" + json.dumps(body).encode()
    is_ok(
        await server.http.post(
            "/virtual-tryon", content=content, headers={"Content-Type": "application/json"}
        )
    )


@trial("W3")
async def a_byte_order_mark_on_the_socket(server):
    """A byte order mark before the JSON of a keyframe"""
    async with websockets.connect(f"ws{server.url[4:]}/ws", max_size=None, proxy=None) as socket:
        await socket.send("\ufeff" + json.dumps({"type": "keyframe", "camera_frame": uri("person.jpg")}))
        answer = json.loads(await socket.recv())
    assert answer["type"] == "keyframe_result", answer


@trial("W4", "+ as a blank", "percent signs")
async def mangled_base64(server, how):
    """Base64 as forms and URLs mangle it"""
    plain = uri("person.jpg")
    mangled = plain.replace("+", " ") if how == "+ as a blank" else urllib.parse.quote(plain, safe=":;,/")
    if how == "percent signs":
        mangled = mangled.replace("/", "%2F").replace("data:image%2Fjpeg", "data:image/jpeg")
    is_ok(await server.capture(user_image=mangled))


@trial("W4")
async def a_urlencoded_body(server):
    """A capture as application/x-www-form-urlencoded"""
    fields = {"user_image": uri("person.jpg"), "jacket_render": uri("jacket.png"), "steps": "2"}
    answer = await server.http.post("/virtual-tryon", data=fields)
    assert answer.status_code in (200, 415), answer.text[:300]


@trial("W4")
async def a_picture_as_the_body(server):
    """A photo itself as the body of a scan"""
    content, kind = (FOLDER / "round_dots.jpg").read_bytes(), {"Content-Type": "image/jpeg"}
    answer = await server.http.post("/api/fabric/scan", content=content, headers=kind)
    assert answer.status_code in (200, 415), answer.text[:300]
    if answer.status_code == 415:
        assert "json" in answer.json()["detail"].lower(), answer.text


@trial("W4", "blob:https://shop.example/1b2c", "https://shop.example/me.jpg")
async def an_address_instead_of_a_picture(server, text):
    """An address in place of a picture gets an error that says so"""
    answer = await server.capture(user_image=text)
    assert answer.status_code == 400, answer.text[:300]
    assert text.split(":")[0] in answer.json()["detail"], answer.text


@trial("W5", "/virtual-tryon/", "/api/virtual-tryon/")
async def a_slash_at_the_end_of_a_post(server, path):
    """A slash at the end of a POST's path"""
    body = {"user_image": uri("person.jpg"), "jacket_render": uri("jacket.png"), "steps": 2}
    is_ok(await server.http.post(path, json=body))


@trial("W5", "/studio/", "/health/", "/api/fabric/catalog/", "/docs/")
async def a_slash_at_the_end_of_a_get(server, path):
    """A slash at the end of a GET's path"""
    is_ok(await server.http.get(path, follow_redirects=True))


@trial("W5")
async def a_slash_at_the_end_of_the_socket(server):
    """A slash at the end of the socket's path"""
    answer = await server.keyframe(None, path="/ws/")
    assert answer["type"] == "keyframe_result", answer


@trial("W5")
async def the_socket_in_a_browser(server):
    """GET /ws in a browser's address bar"""
    answer = await server.http.get("/ws")
    assert answer.status_code == 426, answer.text
    assert answer.json()["success"] is False
    assert "websocket" in answer.json()["detail"].lower()


@trial("W5")
async def an_unknown_socket(server):
    """A socket on an unknown path gets a reason"""
    try:
        async with websockets.connect(f"ws{server.url[4:]}/live", proxy=None) as socket:
            await socket.recv()
    except (websockets.InvalidStatus, websockets.ConnectionClosed) as error:
        refused = error
    if isinstance(refused, websockets.InvalidStatus):
        assert refused.response.status_code == 404
        assert json.loads(refused.response.body)["success"] is False
    else:
        assert "/ws" in refused.rcvd.reason


@trial("W6")
async def a_private_network_preflight(server):
    """A shop on https asks for a server in the local network"""
    headers = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Private-Network": "true",
    }
    answer = await server.http.options("/virtual-tryon", headers=headers)
    is_ok(answer)
    assert answer.headers["Access-Control-Allow-Private-Network"] == "true"


@trial("W5", "GET /nothing", "DELETE /health", "PATCH /api/fabric/catalog")
async def an_unknown_path_or_method(server, what):
    """An unknown path or method is answered in the contract's shape"""
    method, path = what.split()
    answer = await server.http.request(method, path)
    assert answer.status_code in (404, 405), answer.text
    body = answer.json()
    assert body["success"] is False
    assert body["error"]
    assert body["detail"]
