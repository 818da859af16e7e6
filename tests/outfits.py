"""A drawn person from head to knee, and a jacket, a shirt and trousers for them, as renders on one canvas.

python -m tests.outfits     # writes them into tests/data/outfit
"""

import json
from pathlib import Path

import cv2
import numpy as np

SIZE = (480, 640)  # width and height, in pixels
WHITE, DARK, BLUE = (232, 232, 232), (48, 40, 40), (140, 84, 40)  # BGR

# Of MediaPipe's 33 points those that count, in pixels; its left is the picture's right.
_POINTS = {0: (240, 92), 7: (262, 88), 8: (218, 88), 9: (248, 108), 10: (232, 108)}
_POINTS |= {11: (300, 170), 12: (180, 170), 13: (330, 268), 14: (150, 268), 15: (338, 360), 16: (142, 360)}
_POINTS |= {17: (342, 384), 18: (138, 384), 19: (338, 390), 20: (142, 390), 21: (330, 378), 22: (150, 378)}
_POINTS |= {23: (276, 372), 24: (204, 372), 25: (280, 520), 26: (200, 520), 27: (282, 660), 28: (198, 660)}


def pose():
    """The landmarks as a client sends them."""
    unknown = {"x": 0.0, "y": 0.0, "z": 0.0, "visibility": 0.0}
    known = {
        number: {"x": x / SIZE[0], "y": y / SIZE[1], "z": 0.0, "visibility": 0.99}
        for number, (x, y) in _POINTS.items()
    }
    return {"landmarks": [known.get(number, unknown) for number in range(33)]}


def landmarks():
    """(33, 4) float32."""
    return np.array([list(point.values()) for point in pose()["landmarks"]], np.float32)


def frame():
    """(640, 480, 3) BGR uint8."""
    rows = np.linspace(150, 110, SIZE[1])[:, None, None]
    picture = np.repeat(np.repeat(rows, SIZE[0], 1), 3, 2).astype(np.uint8)
    skin, cloth = (140, 170, 214), (120, 130, 128)
    cv2.fillPoly(picture, [_body(0)], cloth)
    for side in (_legs(0), _sleeves(14)):
        cv2.fillPoly(picture, side, cloth)
    cv2.ellipse(picture, (240, 92), (36, 46), 0, 0, 360, skin, -1)
    cv2.rectangle(picture, (226, 130), (254, 164), skin, -1)
    for x in (340, 140):
        cv2.circle(picture, (x, 376), 15, skin, -1)
    noise = np.random.default_rng(0).normal(0, 3, picture.shape)
    return np.clip(cv2.GaussianBlur(picture, (5, 5), 1) + noise, 0, 255).astype(np.uint8)


def jacket(colour=DARK):
    """Open in front, down to the hips: (640, 480, 4) BGRA uint8, as the others."""
    drawn = _canvas()
    cv2.fillPoly(drawn, [_body(16, 400)], (*colour, 255), cv2.LINE_AA)
    cv2.fillPoly(drawn, _sleeves(26), (*colour, 255), cv2.LINE_AA)
    opening = np.array([(222, 150), (258, 150), (262, 410), (218, 410)])
    cv2.fillPoly(drawn, [opening], (0, 0, 0, 0))
    return drawn


def shirt(colour=WHITE):
    drawn = _canvas()
    cv2.fillPoly(drawn, [_body(6, 396)], (*colour, 255), cv2.LINE_AA)
    return drawn


def trousers(colour=BLUE):
    drawn = _canvas()
    cv2.fillPoly(drawn, _legs(10), (*colour, 255), cv2.LINE_AA)
    return drawn


def png(picture):
    return cv2.imencode(".png", picture)[1].tobytes()


def jpeg(picture):
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()


def _canvas():
    return np.zeros((SIZE[1], SIZE[0], 4), np.uint8)


def _body(room, hem=386):
    left, right = 180 - room, 300 + room
    outer = [(right, 164), (right - 10, 290), (right - 8, hem), (left + 8, hem), (left + 10, 290)]
    return np.array([(214, 152), (266, 152), *outer, (left, 164)])


def _sleeves(width):
    return [
        np.array([(x - width, 166), (x + width, 166), (end + width - 4, 350), (end - width + 4, 350)])
        for x, end in ((300, 336), (180, 144))
    ]


def _legs(room):
    legs = []
    for side in (1, -1):
        waist, hem = 240 + side * (46 + room), 240 + side * (58 + room)
        legs.append(np.array([(240, 360), (waist, 360), (hem, 640), (240 + side * 16, 640), (240, 430)]))
    return legs


def write(folder):
    """The pictures as files, for examples of the documentation."""
    folder.mkdir(exist_ok=True)
    (folder / "person.jpg").write_bytes(jpeg(frame()))
    (folder / "pose.json").write_text(json.dumps(pose()))
    for name, picture in (("jacket", jacket()), ("shirt", shirt()), ("trousers", trousers())):
        (folder / f"{name}.png").write_bytes(png(picture))


if __name__ == "__main__":
    write(Path(__file__).parent / "data" / "outfit")
